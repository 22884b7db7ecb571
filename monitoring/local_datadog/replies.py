"""Datadog's response formats: statuses, content types and error bodies."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from starlette.responses import Response

JSON = "application/json"
TEXT_JSON = "text/json"
JSON_API = "application/vnd.api+json"
_FORBIDDEN = {
    "status": "error",
    "code": 403,
    "errors": ["Forbidden"],
    "statuspage": "http://status.datadoghq.com",
    "twitter": "http://twitter.com/datadogops",
    "email": "support@datadoghq.com",
}


class ApiError(Exception):
    """An error response: the status and the texts of Datadog's `errors`."""

    def __init__(self, status: int, *errors: str, plain: bool = False, json_api: bool = False) -> None:
        super().__init__(*errors)
        self.status = status
        self.errors = errors
        self.plain = plain
        self.json_api = json_api

    def response(self) -> Response:
        """Return the HTTP response."""
        if self.plain:
            return Response("\n".join(self.errors), self.status, media_type="text/plain")
        if self.json_api:
            return reply(
                {"errors": [_json_api(self.status, text) for text in self.errors]}, self.status, JSON_API
            )
        return reply({"errors": list(self.errors)}, self.status)


def reply(body: Mapping[str, Any] | Sequence[Any], status: int = 200, media_type: str = JSON) -> Response:
    """Return a JSON response."""
    return Response(msgspec.json.encode(body), status, media_type=media_type)


def forbidden() -> Response:
    """Return the response of every route without a valid key."""
    return reply(_FORBIDDEN, 403)


def _json_api(status: int, text: str) -> dict[str, Any]:
    titles = {400: "Bad Request", 404: "Not Found", 409: "Conflict", 413: "Payload Too Large"}
    return {"status": str(status), "title": titles.get(status, "Error"), "detail": text}


def not_found() -> Response:
    """Return the response of a route whose object does not exist."""
    return reply(_FORBIDDEN | {"code": 404, "errors": ["Not found"]}, 404)
