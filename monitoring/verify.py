"""Checks for `@monitored(verify=…)`, which compare the result of a handler with the state of AWS.

A check is a function of (event, result). It fails if it raises `Broken`, with the actual and the expected
state, or any other exception, or returns False. An argument of these functions can be a function of (event,
result), so that a bucket, a key or a build id can be taken from the event or the handler's result.

boto3 is imported when a check runs, not with this module.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from monitoring.instrumentation.verification import Broken, denied

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from monitoring.instrumentation.verification import Check

    Given = Any  # a value, or a function of (event, result) that returns it

__all__ = [
    "Broken",
    "all_of",
    "any_of",
    "build_succeeded",
    "eventually",
    "invalidation_completed",
    "item_has",
    "object_exists",
    "page_contains",
]

_clients: dict[str, Any] = {}


def object_exists(
    bucket: Given, key: Given, *, min_bytes: Given = 1, etag: Given = None, client: Any = None
) -> Check:
    """Check that the S3 object exists with at least `min_bytes` bytes and, if it is given, this ETag.

    Codes of a broken claim: `missing`, `too_small`, `etag_differs`.
    """

    def s3_object(event: Any, result: Any) -> None:
        bucket_name, object_key = _given(bucket, event, result), _given(key, event, result)
        where = f"s3://{bucket_name}/{object_key}"
        head = _call(
            client, "s3", "head_object", f"{where} does not exist", Bucket=bucket_name, Key=object_key
        )
        size, min_size = head["ContentLength"], _given(min_bytes, event, result)
        if size < min_size:
            raise Broken(f"{where} has {size} bytes, expected at least {min_size}", "too_small")
        expected_etag = _given(etag, event, result)
        written_etag = head["ETag"].strip('"')
        if expected_etag is not None and written_etag != str(expected_etag).strip('"'):
            raise Broken(f"{where} has the ETag {written_etag}, expected {expected_etag}", "etag_differs")

    return s3_object


def item_has(table: Given, key: Given, values: Given = None, *, client: Any = None) -> Check:
    """Check that the DynamoDB item of this key exists with these values, as Python types (`{"slide": 7}`).

    Codes of a broken claim: `missing`, `value_differs`.
    """

    def dynamodb_item(event: Any, result: Any) -> None:
        from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

        table_name, item_key = _given(table, event, result), _given(key, event, result)
        serialize, deserialize = TypeSerializer().serialize, TypeDeserializer().deserialize
        typed = {name: serialize(value) for name, value in item_key.items()}
        subject = f"item {item_key} of {table_name}"
        response = _call(
            client,
            "dynamodb",
            "get_item",
            f"{subject} does not exist",
            TableName=table_name,
            Key=typed,
            ConsistentRead=True,
        )
        if "Item" not in response:
            raise Broken(f"{subject} does not exist", "missing")
        item = {name: deserialize(value) for name, value in response["Item"].items()}
        for name, value in (_given(values, event, result) or {}).items():
            if name not in item or item[name] != value:
                actual = repr(item[name]) if name in item else "no value"
                raise Broken(f"{subject} has {actual} for {name}, expected {value!r}", "value_differs")

    return dynamodb_item


def build_succeeded(build_id: Given, *, client: Any = None) -> Check:
    """Check that the CodeBuild build has the status SUCCEEDED.

    Codes of a broken claim: `missing`, `in_progress`, `not_succeeded`.
    """

    def codebuild_build(event: Any, result: Any) -> None:
        name = _given(build_id, event, result)
        response = _call(client, "codebuild", "batch_get_builds", f"build {name} does not exist", ids=[name])
        if not response.get("builds"):
            raise Broken(f"build {name} does not exist", "missing")
        status = response["builds"][0]["buildStatus"]
        if status != "SUCCEEDED":
            code = "in_progress" if status == "IN_PROGRESS" else "not_succeeded"
            raise Broken(f"build {name} is {status}, expected SUCCEEDED", code)

    return codebuild_build


def invalidation_completed(distribution: Given, invalidation: Given, *, client: Any = None) -> Check:
    """Check that the CloudFront invalidation has the status Completed.

    Codes of a broken claim: `missing`, `in_progress`.
    """

    def cloudfront_invalidation(event: Any, result: Any) -> None:
        distribution_id, name = _given(distribution, event, result), _given(invalidation, event, result)
        subject = f"invalidation {name} of {distribution_id}"
        response = _call(
            client,
            "cloudfront",
            "get_invalidation",
            f"{subject} does not exist",
            DistributionId=distribution_id,
            Id=name,
        )
        status = response["Invalidation"]["Status"]
        if status != "Completed":
            raise Broken(f"{subject} is {status}, expected Completed", "in_progress")

    return cloudfront_invalidation


def page_contains(url: Given, text: Given, *, timeout: float = 10.0, limit: int = 5_000_000) -> Check:
    """Check that the HTTP page answers with 200 and contains the text within its first `limit` bytes.

    Codes of a broken claim: `unreachable`, `http_status`, `text_absent`.
    """

    def http_page(event: Any, result: Any) -> None:
        from urllib.error import HTTPError, URLError
        from urllib.request import Request, urlopen

        address, expected_text = str(_given(url, event, result)), str(_given(text, event, result))
        if not address.startswith(("http://", "https://")):
            raise Broken(f"{address} is not an http or https address", "unreachable")
        try:
            request = Request(address, headers={"Cache-Control": "no-cache"})  # noqa: S310 - http(s), checked above
            with urlopen(request, timeout=timeout) as response:  # noqa: S310
                charset = response.headers.get_content_charset() or "utf-8"
                body = response.read(limit).decode(charset, "replace")
        except HTTPError as error:
            raise Broken(f"{address} returned status {error.code}, expected 200", "http_status") from error
        except (URLError, OSError) as error:
            raise Broken(f"{address} cannot be reached: {error}", "unreachable") from error
        if expected_text not in body:
            raise Broken(
                f"{address} does not contain {expected_text!r} ({len(body)} characters)", "text_absent"
            )

    return http_page


def all_of(*checks: Check) -> Check:
    """Check that every check succeeds; the first one that fails is the reason."""

    def all_checks(event: Any, result: Any) -> None:
        for check in checks:
            _run(check, event, result)

    all_checks.__name__ = _joined("all_of", checks)
    return all_checks


def any_of(*checks: Check) -> Check:
    """Check that at least one check succeeds; otherwise the reason lists all failures."""

    def any_check(event: Any, result: Any) -> None:
        reasons = []
        for check in checks:
            try:
                return _run(check, event, result)
            except Exception as error:  # noqa: BLE001 - with any exception, the check fails
                reasons.append(f"{_name(check)}: {error}")
        raise Broken("no check succeeded: " + "; ".join(reasons), "none_of_them")

    any_check.__name__ = _joined("any_of", checks)
    return any_check


def eventually(
    check: Check,
    deadline: float,
    *,
    every: float = 1.0,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Check:
    """Repeat a check every `every` seconds, at least twice, until it succeeds or `deadline` seconds are over.

    The invocation lasts until then, and Lambda bills this time. The reason is that of the last attempt.
    """

    def in_time(event: Any, result: Any) -> None:
        end = clock() + deadline
        while True:
            try:
                return _run(check, event, result)
            except Exception as error:
                remaining = end - clock()
                if remaining <= 0:
                    code = error.code if isinstance(error, Broken) else type(error).__name__
                    raise Broken(f"not within {deadline:g} s: {error}", code) from error
                sleep(min(every, remaining))

    in_time.__name__ = _joined("eventually", (check,))
    return in_time


def _run(check: Check, event: Any, result: Any) -> None:
    if denied(check(event, result)):
        raise Broken(f"{_name(check)} returned False", "false")


def _name(check: Check) -> str:
    return str(getattr(check, "__name__", type(check).__name__))


def _joined(name: str, checks: tuple[Check, ...]) -> str:
    return f"{name}({','.join(map(_name, checks))})"


def _given(value: Any, event: Any, result: Any) -> Any:
    return value(event, result) if callable(value) else value


_ABSENT = frozenset(
    {"404", "NoSuchKey", "NoSuchBucket", "NotFound", "ResourceNotFoundException"}
) | frozenset({"NoSuchInvalidation", "NoSuchDistribution", "InvalidInputException"})


def _call(
    client: Any, service: str, operation: str, absent: str, **arguments: Mapping[str, Any] | Any
) -> Any:
    """Return AWS's response; raise `Broken` if the resource does not exist, else the error itself."""
    if client is None:
        import boto3

        client = _clients.get(service)
        if client is None:
            make: Any = boto3.client
            client = _clients[service] = make(service)
    from botocore.exceptions import ClientError

    try:
        return getattr(client, operation)(**arguments)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _ABSENT:
            raise Broken(absent, "missing") from error
        raise
