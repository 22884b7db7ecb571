"""Create boto3 clients at first use: most invocations of the forwarder need none, and importing boto3 takes
0.4 s."""

from collections.abc import Callable
from functools import cache
from typing import Any

Clients = Callable[[str], Any]


def error_code(error: Exception) -> str:
    """Return the error code of an AWS response, "" for an error of another kind."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


@cache
def client(service: str) -> Any:
    """Return the client of a service, with short time-outs, because an invocation's time is limited."""
    import boto3
    from botocore.config import Config

    quick = service in {"lambda", "stepfunctions", "logs"}  # tags are optional
    config = Config(
        connect_timeout=1 if quick else 3,
        read_timeout=1 if quick else 30,
        retries={"max_attempts": 1 if quick else 4, "mode": "standard"},
    )
    return boto3.client(service, config=config)  # type: ignore[call-overload]
