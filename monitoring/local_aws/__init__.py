"""Run AWS locally, without an account and without a container engine.

Step Functions, S3, DynamoDB, SNS, CodeBuild, CloudFront, CloudWatch Logs and EventBridge are moto's; handlers
run in worker processes under AWS's own runtime client. `docs/local-aws.md` describes the differences from
AWS.

Names are imported on first use, because importing moto takes seconds and `cloudwatch` does not need it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from monitoring.local_aws.aws import LocalAws
    from monitoring.local_aws.deliveries import Deliveries, Undelivered
    from monitoring.local_aws.invocation import InvocationError
    from monitoring.local_aws.moto_backends import ACCOUNT

__all__ = ["ACCOUNT", "Deliveries", "InvocationError", "LocalAws", "Undelivered"]

_HOMES = {
    "ACCOUNT": "moto_backends",
    "Deliveries": "deliveries",
    "InvocationError": "invocation",
    "LocalAws": "aws",
    "Undelivered": "deliveries",
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
