"""The routes of status corrections: time that does not count against a service level objective."""

import uuid
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.errors import InputError
from monitoring.local_datadog.body import read_json
from monitoring.local_datadog.context import Body, Family, as_object, mounted, number
from monitoring.local_datadog.replies import ApiError, reply
from monitoring.slo import correction_intervals

KIND = "slo_correction"
_CATEGORIES = ("Scheduled Maintenance", "Outside Business Hours", "Deployment", "Other")
_WRITABLE = (
    "slo_id",
    "slo_query",
    "start",
    "end",
    "duration",
    "rrule",
    "description",
    "category",
    "timezone",
)
_USER = {"handle": "stepscope@localhost", "email": "stepscope@localhost", "name": "stepscope"}
_CREATOR = {
    "data": {"type": "users", "id": "00000000-0000-4000-8000-000000000001", "attributes": _USER}
} | _USER


class SloCorrections(Family):
    """The routes over one store."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        table = [
            ("POST", "/correction", self._create),
            ("GET", "/correction", self._list),
            ("GET", "/correction/{id}", self._get),
            ("PATCH", "/correction/{id}", self._update),
            ("DELETE", "/correction/{id}", self._delete),
            ("GET", "/{slo_id}/corrections", self._list),
        ]
        return mounted("/api/v1/slo", table)

    async def _create(self, request: Request) -> Response:
        attributes = _attributes(await read_json(request))
        attributes |= {"created_at": int(self._context.clock()), "modified_at": None, "modifier": None}
        return self._put(attributes, str(uuid.uuid4()))

    async def _update(self, request: Request) -> Response:
        before = self._find(request)
        attributes = _attributes(await read_json(request))
        attributes = {key: value for key, value in attributes.items() if value is not None}
        attributes.pop("slo_id", None)
        changed = before["attributes"] | attributes
        if "end" in attributes and "rrule" not in attributes:
            changed |= {"rrule": None, "duration": None}
        changed |= {"modified_at": int(self._context.clock()), "modifier": _USER}
        return self._put(changed, before["id"])

    def _put(self, attributes: Body, ident: str) -> Response:
        attributes |= {"timezone": attributes.get("timezone") or "UTC"}
        attributes |= {"description": attributes.get("description") or ""}
        self._refuse(attributes)
        stored = {key: attributes.get(key) for key in (*_WRITABLE, "created_at", "modified_at", "modifier")}
        body = {"type": "correction", "id": ident, "attributes": stored | {"creator": _CREATOR}}
        self._documents.put(KIND, ident, body)
        return reply({"data": body})

    async def _get(self, request: Request) -> Response:
        return reply({"data": self._find(request)})

    async def _list(self, request: Request) -> Response:
        slo = request.path_params.get("slo_id")
        if slo is not None:
            self._context.find("slo", slo, f"SLO not found: {slo} not found")
        every = self._documents.all(KIND)
        corrections = [
            correction for correction in every if slo is None or correction["attributes"]["slo_id"] == slo
        ]
        parameters = request.query_params
        first, most = max(0, number(parameters, "offset", 0)), max(0, number(parameters, "limit", 25))
        shown = corrections if slo is not None else corrections[first : first + most]
        page = {"total_count": len(corrections), "total_filtered_count": len(corrections)}
        return reply({"data": shown, "meta": {"page": page}})

    async def _delete(self, request: Request) -> Response:
        self._documents.delete(KIND, self._find(request)["id"])
        return Response(status_code=204)

    def _find(self, request: Request) -> Body:
        ident = request.path_params["id"]
        return self._context.find(KIND, ident, f"slo correction public id {ident} not found")

    def _refuse(self, attributes: Body) -> None:
        slo = attributes.get("slo_id")
        if not slo and not attributes.get("slo_query"):
            raise ApiError(400, "Invalid payload: must specify slo_id or slo_query")
        if slo:
            self._context.find("slo", str(slo), f"SLO not found: {slo} not found")
        if attributes.get("category") not in _CATEGORIES:
            raise ApiError(400, f"Invalid payload: category must be one of {', '.join(_CATEGORIES)}")
        _refuse_times(attributes)


def _refuse_times(attributes: Body) -> None:
    start, end, length = (attributes.get(key) for key in ("start", "end", "duration"))
    if not _is_seconds(start) or not all(number is None or _is_seconds(number) for number in (end, length)):
        raise ApiError(400, "Invalid payload: start, end and duration are whole seconds")
    recurs = bool(attributes.get("rrule"))
    if recurs is not bool(length) or (end is None and not recurs) or (end is not None and end <= start):
        raise ApiError(400, "Invalid payload: specify an end after the start, or an rrule and a duration")
    try:
        correction_intervals([attributes], 0, 1)
    except InputError as error:
        raise ApiError(400, f"Invalid payload: {error.message}") from error


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 33


def _attributes(body: Any) -> Body:
    data = as_object(body).get("data")
    if not isinstance(data, dict) or data.get("type") != "correction":
        raise ApiError(400, 'Invalid payload: expected data of type "correction"')
    attributes = data.get("attributes")
    if not isinstance(attributes, dict):
        raise ApiError(400, "Invalid payload: must specify attributes")
    return {key: attributes.get(key) for key in _WRITABLE}
