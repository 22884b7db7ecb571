"""Share boto3 clients, created once for each execution environment, and the names that handlers use."""

import os
from functools import cache
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from handlers.slides.errors import SettingError
from monitoring import span

logger = Logger(service="slides")
"""The log of every step. Metric and trace lines do not go through it: they would become plain logs."""


def setting(name: str) -> str:
    """Return the environment variable of that name; SettingError where it is missing."""
    value = os.environ.get(name, "")
    if not value:
        raise SettingError(f"The environment variable {name} is not set; see deploy/template.yaml.")
    return value


@cache
def client(service: str) -> Any:
    """Return a boto3 client, created at its first use because that is a good part of a cold start."""
    make: Any = boto3.client
    with span("boto3.client", resource=service):
        return make(service)


def read_object(bucket: str, key: str) -> bytes:
    """Return the bytes of an S3 object; botocore's ClientError where it does not exist."""
    data: bytes = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return data


def object_size(bucket: str, key: str) -> int:
    """How many bytes an object of S3 has; botocore's ClientError where there is none."""
    return int(client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"])
