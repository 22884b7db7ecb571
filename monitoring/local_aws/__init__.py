"""AWS on this machine, without an account and without a container engine.

Step Functions, S3, DynamoDB, SNS, CodeBuild, CloudFront, CloudWatch Logs and EventBridge are moto's; handlers
run in worker processes under AWS's own runtime client. `docs/local-aws.md` says what is like AWS and what is
not.
"""

from monitoring.local_aws.aws import InvocationError, LocalAws
from monitoring.local_aws.deliveries import Deliveries, Undelivered
from monitoring.local_aws.moto_backends import ACCOUNT

__all__ = ["ACCOUNT", "Deliveries", "InvocationError", "LocalAws", "Undelivered"]
