"""Step Functions on this machine: its language, its executions and its API.

`docs/local-aws.md` says why this is not moto's.
"""
