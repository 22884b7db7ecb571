"""What the handlers share of AWS: clients that are made once a container, and the names they work on."""

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
    """The environment variable of that name; SettingError says which one is missing."""
    value = os.environ.get(name, "")
    if not value:
        raise SettingError(f"The environment variable {name} is not set; see deploy/template.yaml.")
    return value


@cache
def client(service: str) -> Any:
    """A boto3 client, made when it is first needed: its making is a good part of a cold start."""
    make: Any = boto3.client
    with span("boto3.client", resource=service):
        return make(service)


def read_object(bucket: str, key: str) -> bytes:
    """The bytes of an object of S3; botocore's ClientError where there is none."""
    data: bytes = client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return data


def object_size(bucket: str, key: str) -> int:
    """How many bytes an object of S3 has; botocore's ClientError where there is none."""
    return int(client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"])
