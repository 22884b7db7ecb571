"""Call AWS from the drilled handlers by plain HTTP, because boto3 adds half a second to a cold start."""

import json
import os
import urllib.error
import urllib.request
from typing import Any

_SIGNED = (
    "AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/{service}/aws4_request, "
    "SignedHeaders=host, Signature=0"
)


def request(service: str, path: str, *, method: str = "GET", body: bytes = b"", target: str = "") -> bytes:
    """One request to the embedded AWS, which checks no signature; urllib's HTTPError where it refuses."""
    headers = {"Authorization": _SIGNED.format(service=service)}
    if target:
        headers |= {"X-Amz-Target": target, "Content-Type": "application/x-amz-json-1.1"}
    prepared = urllib.request.Request(  # noqa: S310 - the embedded AWS, on loopback
        os.environ["AWS_ENDPOINT_URL"] + path, data=body or None, headers=headers, method=method
    )
    with urllib.request.urlopen(prepared, timeout=30) as answer:  # noqa: S310
        data: bytes = answer.read()
    return data


def put_object(bucket: str, key: str, body: bytes) -> None:
    """Write an object to S3."""
    request("s3", f"/{bucket}/{key}", method="PUT", body=body)


def has_object(bucket: str, key: str) -> bool:
    """Return whether S3 has the object."""
    try:
        request("s3", f"/{bucket}/{key}", method="HEAD")
    except urllib.error.HTTPError as refused:
        if refused.code == 404:
            return False
        raise
    return True


def call(service: str, target: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send a request in AWS's JSON protocol."""
    answer = request(service, "/", method="POST", body=json.dumps(body).encode(), target=target)
    document: dict[str, Any] = json.loads(answer)
    return document
