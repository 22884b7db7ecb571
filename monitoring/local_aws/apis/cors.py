"""CORS of HTTP APIs and function URLs: respond to preflight requests, and add headers to responses.

A REST API has no CORS settings: its preflight requests are methods with a mock integration.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
"""

from collections.abc import Mapping
from typing import Any

from monitoring.local_aws.apis.events import ApiRequest, ApiResponse

_PREFIX = "access-control-"
_PREFLIGHT = {"allowMethods": "allow-methods", "allowHeaders": "allow-headers", "maxAge": "max-age"}
_EVERY = {"exposeHeaders": "expose-headers", "allowCredentials": "allow-credentials"}
"""Setting, in OpenAPI's spelling -> its response header, without the prefix."""


def preflight(settings: Mapping[str, Any], request: ApiRequest) -> ApiResponse | None:
    """Return the response to a preflight request; None for other requests, or without CORS settings."""
    is_preflight = request.method == "OPTIONS" and request.header("access-control-request-method")
    if not settings or not is_preflight:
        return None
    return ApiResponse(204, b"", tuple(_headers(settings, request, _PREFLIGHT | _EVERY).items()))


def with_cors(settings: Mapping[str, Any], request: ApiRequest, response: ApiResponse) -> ApiResponse:
    """Return a response with the API's CORS headers instead of those of the integration."""
    if not settings:
        return response
    kept = tuple(pair for pair in response.headers if not pair[0].lower().startswith(_PREFIX))
    return ApiResponse(response.status, response.body, (*kept, *_headers(settings, request, _EVERY).items()))


def _headers(settings: Mapping[str, Any], request: ApiRequest, names: Mapping[str, str]) -> dict[str, str]:
    """Return the headers for the origin of a request; {} for an origin that is not allowed."""
    origin, allowed = request.header("origin"), _texts(settings.get("allowOrigins"))
    wildcard = "*" in allowed
    if not origin or not (wildcard or origin.lower() in [item.lower() for item in allowed]):
        return {}
    headers = {f"{_PREFIX}allow-origin": "*" if wildcard else origin}
    for key, name in names.items():
        texts = _texts(settings.get(key))
        if texts and texts != ["false"]:
            headers[f"{_PREFIX}{name}"] = ",".join(texts)
    return headers


def _texts(value: Any) -> list[str]:
    if value is None or value == "":
        return []
    values = value if isinstance(value, list) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in values]
