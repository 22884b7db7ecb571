"""Forward events of CloudWatch Logs, S3, SQS, SNS, Kinesis and EventBridge to Datadog.

As a Lambda function its handler is `monitoring.forwarder.handler`.
"""


def __getattr__(name: str) -> object:
    """Import `handler` at its first use, because other users of this package do not need it."""
    if name != "handler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from monitoring.forwarder.lambda_handler import handler

    return handler
