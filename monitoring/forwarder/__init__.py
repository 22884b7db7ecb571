"""The forwarder: what CloudWatch Logs, S3, SQS, SNS, Kinesis and EventBridge bring, sent on to Datadog.

As a Lambda function its handler is `monitoring.forwarder.handler`.
"""


def __getattr__(name: str) -> object:
    """Return `handler`, imported when Lambda asks for it: other users of this package need none of it."""
    if name != "handler":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from monitoring.forwarder.lambda_handler import handler

    return handler
