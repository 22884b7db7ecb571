"""Implement the API of `monitoring` inside Lambda functions, with the standard library only."""
