"""What the handlers share of AWS: clients that are made once a container, and the names they work on."""

import os
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from aws_lambda_powertools import Logger

from handlers.slides.errors import SettingError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

logger = Logger(service="slides")
"""The log of every step. Metric and trace lines do not go through it: they would become plain logs."""


def setting(name: str) -> str:
    """The environment variable of that name; SettingError says which one is missing."""
    value = os.environ.get(name, "")
    if not value:
        raise SettingError(f"The environment variable {name} is not set; see deploy/template.yaml.")
    return value


@cache
def s3() -> "S3Client":
    """S3."""
    return boto3.client("s3")


@cache
def dynamodb() -> "DynamoDBClient":
    """DynamoDB."""
    return boto3.client("dynamodb")


@cache
def client(service: str) -> Any:
    """Any other service."""
    return boto3.client(service)


def object_size(bucket: str, key: str) -> int:
    """How many bytes an object has; botocore's ClientError where there is none."""
    return s3().head_object(Bucket=bucket, Key=key)["ContentLength"]
