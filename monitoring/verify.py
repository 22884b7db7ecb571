"""Ready-made checks for `@monitored(verify=…)`: they look at AWS, not at what the handler claims.

A check is a function of (event, result). It raises `Broken` with what was found and what was wanted; False
and any other exception mean the same. Where an argument is a function, it is called with (event, result): so
a bucket, a key or a build's id can come from what the handler was given or has returned.

boto3 is imported when a check runs, and never by the hot path.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from monitoring.instrumentation.verification import Broken, denied

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from monitoring.instrumentation.verification import Check

    Given = Any  # a value, or a function of (event, result) that gives it

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
    """Check that the S3 object exists with at least `min_bytes` bytes and, where given, this ETag.

    Codes of a broken claim: `missing`, `too_small`, `etag_differs`.
    """

    def s3_object(event: Any, result: Any) -> None:
        place, name = _given(bucket, event, result), _given(key, event, result)
        where = f"s3://{place}/{name}"
        head = _call(client, "s3", "head_object", f"{where} is not there", Bucket=place, Key=name)
        size, least = head["ContentLength"], _given(min_bytes, event, result)
        if size < least:
            raise Broken(f"{where} has {size} bytes, at least {least} wanted", "too_small")
        wanted = _given(etag, event, result)
        written_etag = head["ETag"].strip('"')
        if wanted is not None and written_etag != str(wanted).strip('"'):
            raise Broken(f"{where} has the ETag {written_etag}, {wanted} wanted", "etag_differs")

    return s3_object


def item_has(table: Given, key: Given, values: Given = None, *, client: Any = None) -> Check:
    """Check that the DynamoDB item of this key exists with these values, in plain Python (`{"slide": 7}`).

    Codes of a broken claim: `missing`, `value_differs`.
    """

    def dynamodb_item(event: Any, result: Any) -> None:
        from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

        place, wanted_key = _given(table, event, result), _given(key, event, result)
        put, take = TypeSerializer().serialize, TypeDeserializer().deserialize
        typed = {name: put(value) for name, value in wanted_key.items()}
        what = f"item {wanted_key} of {place}"
        answer = _call(
            client,
            "dynamodb",
            "get_item",
            f"{what} is not there",
            TableName=place,
            Key=typed,
            ConsistentRead=True,
        )
        if "Item" not in answer:
            raise Broken(f"{what} is not there", "missing")
        item = {name: take(value) for name, value in answer["Item"].items()}
        for name, value in (_given(values, event, result) or {}).items():
            if name not in item or item[name] != value:
                shown = repr(item[name]) if name in item else "nothing"
                raise Broken(f"{what} has {shown} as {name}, {value!r} wanted", "value_differs")

    return dynamodb_item


def build_succeeded(build_id: Given, *, client: Any = None) -> Check:
    """Check that the CodeBuild build has the status SUCCEEDED.

    Codes of a broken claim: `missing`, `in_progress`, `not_succeeded`.
    """

    def codebuild_build(event: Any, result: Any) -> None:
        name = _given(build_id, event, result)
        answer = _call(client, "codebuild", "batch_get_builds", f"build {name} is not there", ids=[name])
        if not answer.get("builds"):
            raise Broken(f"build {name} is not there", "missing")
        status = answer["builds"][0]["buildStatus"]
        if status != "SUCCEEDED":
            code = "in_progress" if status == "IN_PROGRESS" else "not_succeeded"
            raise Broken(f"build {name} is {status}, SUCCEEDED wanted", code)

    return codebuild_build


def invalidation_completed(distribution: Given, invalidation: Given, *, client: Any = None) -> Check:
    """Check that the CloudFront invalidation has the status Completed.

    Codes of a broken claim: `missing`, `in_progress`.
    """

    def cloudfront_invalidation(event: Any, result: Any) -> None:
        place, name = _given(distribution, event, result), _given(invalidation, event, result)
        what = f"invalidation {name} of {place}"
        answer = _call(
            client, "cloudfront", "get_invalidation", f"{what} is not there", DistributionId=place, Id=name
        )
        status = answer["Invalidation"]["Status"]
        if status != "Completed":
            raise Broken(f"{what} is {status}, Completed wanted", "in_progress")

    return cloudfront_invalidation


def page_contains(url: Given, text: Given, *, timeout: float = 10.0, limit: int = 5_000_000) -> Check:
    """Check that the HTTP page answers with 200 and contains the text within its first `limit` bytes.

    Codes of a broken claim: `unreachable`, `http_status`, `text_absent`.
    """

    def http_page(event: Any, result: Any) -> None:
        from urllib.error import HTTPError, URLError
        from urllib.request import Request, urlopen

        place, wanted = str(_given(url, event, result)), str(_given(text, event, result))
        if not place.startswith(("http://", "https://")):
            raise Broken(f"{place} is not an http or https address", "unreachable")
        try:
            request = Request(place, headers={"Cache-Control": "no-cache"})  # noqa: S310 - http(s), looked at above
            with urlopen(request, timeout=timeout) as answer:  # noqa: S310
                charset = answer.headers.get_content_charset() or "utf-8"
                body = answer.read(limit).decode(charset, "replace")
        except HTTPError as error:
            raise Broken(f"{place} answers {error.code}, 200 wanted", "http_status") from error
        except (URLError, OSError) as error:
            raise Broken(f"{place} cannot be reached: {error}", "unreachable") from error
        if wanted not in body:
            raise Broken(f"{place} does not contain {wanted!r} ({len(body)} characters)", "text_absent")

    return http_page


def all_of(*checks: Check) -> Check:
    """Every check holds; the first that does not is the reason."""

    def all_checks(event: Any, result: Any) -> None:
        for check in checks:
            _run(check, event, result)

    all_checks.__name__ = _joined("all_of", checks)
    return all_checks


def any_of(*checks: Check) -> Check:
    """At least one check holds; otherwise the reasons of all are given."""

    def any_check(event: Any, result: Any) -> None:
        reasons = []
        for check in checks:
            try:
                return _run(check, event, result)
            except Exception as error:  # noqa: BLE001 - whatever it raises, it does not hold
                reasons.append(f"{_name(check)}: {error}")
        raise Broken("none holds: " + "; ".join(reasons), "none_of_them")

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
    """Repeat the check every `every` seconds, at least twice, until it holds or `deadline` seconds are over.

    The handler waits for it, and Lambda bills the wait. What the last try found is the reason.
    """

    def in_time(event: Any, result: Any) -> None:
        end = clock() + deadline
        while True:
            try:
                return _run(check, event, result)
            except Exception as error:
                left = end - clock()
                if left <= 0:
                    code = error.code if isinstance(error, Broken) else type(error).__name__
                    raise Broken(f"not within {deadline:g} s: {error}", code) from error
                sleep(min(every, left))

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
    """Return AWS's response; what does not exist is a broken claim, any other error is its own reason."""
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
