"""The routes of dashboards."""

import itertools
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.local_datadog.body import read_json
from monitoring.local_datadog.context import Body, Family, as_object, mounted, number, public_id
from monitoring.local_datadog.replies import JSON_API, ApiError, reply
from monitoring.resources import dashboard_errors

KIND = "dashboard"
DELETED = "dashboard_deleted"
_LISTED = ("id", "title", "description", "layout_type", "url", "created_at", "modified_at", "author_handle")


class Dashboards(Family):
    """The routes over one store."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        table = [
            ("POST", "", self._create),
            ("GET", "", self._list),
            ("DELETE", "", self._delete_many),
            ("PATCH", "", self._restore),
            ("GET", "/{id}", self._get),
            ("PUT", "/{id}", self._update),
            ("DELETE", "/{id}", self._delete),
        ]
        return mounted("/api/v1/dashboard", table)

    async def _create(self, request: Request) -> Response:
        body = await read_json(request)
        if (refusal := _refusal(body)) is not None:
            return refusal
        return self._put(body, public_id(), None)

    async def _update(self, request: Request) -> Response:
        body = await read_json(request)
        if (refusal := _refusal(body)) is not None:
            return refusal
        previous = self._find(request)
        return self._put(body, previous["id"], previous["created_at"])

    async def _get(self, request: Request) -> Response:
        return reply(self._find(request))

    async def _list(self, request: Request) -> Response:
        parameters = request.query_params
        deleted = parameters.get("filter[deleted]", "").lower() == "true"
        dashboards = self._documents.all(DELETED if deleted else KIND)
        start, count = number(parameters, "start", 0), number(parameters, "count", len(dashboards))
        listed = [
            {key: body.get(key) for key in _LISTED} | {"is_read_only": False}
            for body in dashboards[start : start + count]
        ]
        return reply({"dashboards": listed})

    async def _delete(self, request: Request) -> Response:
        body = self._find(request)
        self._documents.put(DELETED, body["id"], body)
        self._documents.delete(KIND, body["id"])
        return reply({"deleted_dashboard_id": body["id"]})

    async def _delete_many(self, request: Request) -> Response:
        return await self._move(request, KIND, DELETED)

    async def _restore(self, request: Request) -> Response:
        return await self._move(request, DELETED, KIND)

    async def _move(self, request: Request, source: str, target: str) -> Response:
        idents = _idents(await read_json(request))
        with self._context.lock:
            dashboards = [
                self._context.find(source, ident, f"Dashboard with ID {ident} not found") for ident in idents
            ]
            for body in dashboards:
                self._documents.put(target, body["id"], body)
                self._documents.delete(source, body["id"])
        return Response(status_code=204)

    def _put(self, body: Body, ident: str, created: str | None) -> Response:
        widget_ids = itertools.count(secrets.randbelow(1 << 52))
        dashboard = body | {"created_at": created}
        stored = dashboard_errors.stored(dashboard, ident, self._context.moment(), widget_ids)
        self._documents.put(KIND, ident, stored)
        return reply(stored)

    def _find(self, request: Request) -> Body:
        ident = request.path_params["id"]
        return self._context.find(KIND, ident, f"Dashboard with ID {ident} not found")


def _refusal(body: object) -> Response | None:
    if errors := dashboard_errors.errors(body):
        raise ApiError(400, *errors)
    if "is_read_only" in as_object(body):
        error = {"id": None, "links": None, "status": "HTTPStatus.BAD_REQUEST", "code": None}
        error |= {"title": "Bad Request", "detail": dashboard_errors.READ_ONLY, "source": None, "meta": None}
        return reply({"errors": [error]}, 400, JSON_API)
    return None


def _idents(body: Any) -> list[str]:
    data = as_object(body).get("data")
    if not isinstance(data, list) or not all(isinstance(item, dict) and item.get("id") for item in data):
        raise ApiError(400, "Required parameter 'data' is missing")
    return [str(item["id"]) for item in data]
