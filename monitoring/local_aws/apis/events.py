"""Convert requests to events of functions, and their results to responses: payload formats 1.0 and 2.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import json
import re
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from monitoring.local_aws.apis.routes import Api, Route

Pairs = Sequence[tuple[str, str]]

_TEXT = re.compile(r"text/.*|application/(json|javascript|xml|.*\+json|.*\+xml)", re.IGNORECASE)
"""Content types whose bodies an HTTP API passes on as text; others are base64-encoded."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """An HTTP request.

    `path` is the raw path without the query string; `headers` are in the client's order.
    """

    method: str
    path: str
    query: str
    headers: Pairs
    body: bytes
    source_ip: str = "127.0.0.1"
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    time: float = field(default_factory=time.time)

    def header(self, name: str) -> str:
        """Return a header's value, several values joined by commas; "" if it is missing."""
        return ",".join(value for key, value in self.headers if key.lower() == name.lower())


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """An HTTP response."""

    status: int
    body: bytes = b""
    headers: Pairs = ()


def message(status: int, text: str) -> ApiResponse:
    """Return API Gateway's own response with a message."""
    return ApiResponse(
        status, json.dumps({"message": text}).encode(), (("Content-Type", "application/json"),)
    )


def event_of(
    request: ApiRequest, api: Api, route: Route, parameters: Mapping[str, str], account: str
) -> dict[str, Any]:
    """Return the event of a request, in the payload format of its route."""
    make = _event_2 if route.integration.payload == "2.0" else _event_1
    return make(request, api, route, parameters, account)


def _event_2(
    request: ApiRequest, api: Api, route: Route, parameters: Mapping[str, str], account: str
) -> dict[str, Any]:
    text, encoded = _body(request, http=True)
    queries = _joined(parse_qsl(request.query, keep_blank_values=True))
    cookies = [part.strip() for part in request.header("cookie").split(";") if part.strip()]
    headers = _joined([(key.lower(), value) for key, value in request.headers if key.lower() != "cookie"])
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": request.path,
        "rawQueryString": request.query,
        "cookies": cookies,
        "headers": headers,
        "queryStringParameters": queries,
        "requestContext": {
            **_context(request, api, account),
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.source_ip,
                "userAgent": request.header("user-agent"),
            },
            "routeKey": route.key,
            "time": _clock(request),
            "timeEpoch": round(request.time * 1000),
        },
        "pathParameters": dict(parameters),
        "body": text,
        "isBase64Encoded": encoded,
    }
    optional = ("cookies", "queryStringParameters", "pathParameters", "body")
    return {key: value for key, value in event.items() if value or key not in optional}


def _event_1(
    request: ApiRequest, api: Api, route: Route, parameters: Mapping[str, str], account: str
) -> dict[str, Any]:
    text, encoded = _body(request, http=api.kind == "http")
    pairs = parse_qsl(request.query, keep_blank_values=True)
    resource = route.path
    return {
        **({"version": "1.0"} if api.kind == "http" else {}),
        "resource": resource,
        "path": api.without_stage(request.path),
        "httpMethod": request.method,
        "headers": dict(request.headers) or None,
        "multiValueHeaders": _listed(request.headers) or None,
        "queryStringParameters": dict(pairs) or None,
        "multiValueQueryStringParameters": _listed(pairs) or None,
        "pathParameters": dict(parameters) or None,
        "stageVariables": None,
        "requestContext": {
            **_context(request, api, account),
            "extendedRequestId": request.id,
            "httpMethod": request.method,
            "identity": {"sourceIp": request.source_ip, "userAgent": request.header("user-agent") or None},
            "path": request.path,
            "protocol": "HTTP/1.1",
            "requestTime": _clock(request),
            "requestTimeEpoch": round(request.time * 1000),
            "resourceId": "local",
            "resourcePath": resource,
        },
        "body": text if request.body else None,
        "isBase64Encoded": encoded,
    }


def _context(request: ApiRequest, api: Api, account: str) -> dict[str, Any]:
    return {
        "accountId": account,
        "apiId": api.id,
        "domainName": api.url.partition("://")[2],
        "domainPrefix": api.id,
        "requestId": request.id,
        "stage": api.stage,
    }


def _clock(request: ApiRequest) -> str:
    return f"{datetime.fromtimestamp(request.time, UTC):%d/%b/%Y:%H:%M:%S +0000}"


def _body(request: ApiRequest, *, http: bool) -> tuple[str, bool]:
    """Return a body as a function receives it, and whether it is base64-encoded.

    A REST API passes on text unless it is configured otherwise; other bodies are encoded here too, because
    bytes that are not UTF-8 would be lost.
    """
    kind = request.header("content-type").partition(";")[0].strip()
    textual = bool(_TEXT.fullmatch(kind)) or (not kind and not http) or not request.body
    if textual or not http:
        try:
            return request.body.decode("utf-8"), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(request.body).decode(), True


def _joined(pairs: Pairs) -> dict[str, str]:
    return {key: ",".join(values) for key, values in _listed(pairs).items()}


def _listed(pairs: Pairs) -> dict[str, list[str]]:
    listed: dict[str, list[str]] = {}
    for key, value in pairs:
        listed.setdefault(key, []).append(value)
    return listed


def response_of(result: Any, payload: str) -> ApiResponse:
    """Return the response for a function's result.

    In format 2.0 a result without a status code is the body; in 1.0 it is an error of the function.
    """
    if not isinstance(result, Mapping) or "statusCode" not in result:
        if payload == "1.0":
            return message(502, "Internal server error")
        body = result if isinstance(result, str) else json.dumps(result)
        return ApiResponse(200, body.encode(), (("Content-Type", "application/json"),))
    try:
        return _response(result)
    except (TypeError, ValueError, AttributeError):
        return message(500 if payload == "2.0" else 502, "Internal Server Error")


def _response(result: Mapping[str, Any]) -> ApiResponse:
    text = result.get("body")
    body = (text if isinstance(text, str) else "" if text is None else json.dumps(text)).encode()
    if result.get("isBase64Encoded"):
        body = base64.b64decode(body)
    multiple = result.get("multiValueHeaders") or {}
    headers = [(str(key), str(value)) for key, values in multiple.items() for value in values]
    headers += [
        (str(key), _header(value))
        for key, value in (result.get("headers") or {}).items()
        if key not in multiple
    ]
    headers += [("Set-Cookie", str(cookie)) for cookie in result.get("cookies") or ()]
    if all(key.lower() != "content-type" for key, _ in headers):
        headers.append(("Content-Type", "text/plain;charset=UTF-8" if body else "application/json"))
    return ApiResponse(int(result["statusCode"]), body, tuple(headers))


def _header(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
