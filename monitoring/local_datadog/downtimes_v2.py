"""The routes of downtimes, version 2 (JSON:API), over the same stored downtimes as version 1."""

import re
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.errors import InputError
from monitoring.local_datadog.body import read_json
from monitoring.local_datadog.context import Body, Context, Family, as_object, flag, mounted, number, words
from monitoring.local_datadog.downtimes import Match, Stored, matches, public_id
from monitoring.local_datadog.replies import ApiError, reply
from monitoring.monitor import downtimes
from monitoring.monitor.recurrence import zone
from monitoring.resources import schema

_USER = "00000000-0000-4000-8000-000000000001"
_PAGE = 30
_SAME = ("message", "mute_first_recovery_notification", "notify_end_states", "notify_end_types")


class DowntimesV2(Family):
    """The routes over one store."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._stored = Stored(context)

    def routes(self) -> list[Route]:
        """Return the routes."""
        table = [
            ("POST", "", self._create),
            ("GET", "", self._list),
            ("GET", "/{id}", self._get),
            ("PATCH", "/{id}", self._update),
            ("DELETE", "/{id}", self._cancel),
        ]
        matches = Route("/api/v2/monitor/{id}/downtime_matches", self._matches, methods=["GET"])
        return [*mounted("/api/v2/downtime", table), matches]

    async def _create(self, request: Request) -> Response:
        attributes = _attributes(await read_json(request))
        _refuse(attributes)
        stored = await self._stored.put(self._body(attributes))
        return reply({"data": self._shown(stored), "included": self._included([stored], ["created_by"])})

    async def _update(self, request: Request) -> Response:
        attributes = _attributes(await read_json(request), request.path_params["id"])
        previous = self._find(request)
        before = self._shown(previous)["attributes"]
        if set(attributes.get("schedule") or ()) == {"timezone"}:  # the rules stay
            attributes["schedule"] = {**attributes["schedule"], "recurrences": downtimes.rules(previous)}
        _refuse({key: before[key] for key in ("monitor_identifier", "scope")} | attributes)
        stored = await self._stored.put(previous | self._body(attributes, previous), previous)
        return reply({"data": self._shown(stored), "included": self._included([stored], ["created_by"])})

    async def _get(self, request: Request) -> Response:
        body = self._find(request)
        return reply({"data": self._shown(body), **self._asked(request, [body])})

    async def _list(self, request: Request) -> Response:
        bodies, now = self._stored.all(), self._stored.now()
        if flag(request, "current_only"):
            bodies = [body for body in bodies if downtimes.status(body, now) == "active"]
        shown = _page(request, bodies)
        meta = {"page": {"total_filtered_count": len(bodies)}}
        data = [self._shown(body) for body in shown]
        return reply({"data": data, "meta": meta, **self._asked(request, shown)})

    async def _cancel(self, request: Request) -> Response:
        self._stored.cancel(self._find(request))
        return Response(status_code=204)

    async def _matches(self, request: Request) -> Response:
        ident = request.path_params["id"]
        monitor = self._context.find("monitor", ident, f"Monitor with id {ident} not found")
        matching = [_match(match) for match in matches(self._documents, monitor, self._stored.now())]
        meta = {"page": {"total_filtered_count": len(matching)}}
        return reply({"data": _page(request, matching), "meta": meta})

    def _find(self, request: Request) -> Body:
        ident = request.path_params["id"]
        stored = next((body for body in self._stored.all() if public_id(body) == ident), None)
        if stored is None:
            raise ApiError(404, f"Downtime {ident} not found")
        return stored

    def _body(self, attributes: Body, previous: Body | None = None) -> Body:
        """Return the attributes in the stored format."""
        own = {key: attributes[key] for key in _SAME if key in attributes}
        if "scope" in attributes:
            scopes = (
                attributes["scope"].split(" AND ")
                if "(" not in attributes["scope"]
                else [attributes["scope"]]
            )
            own |= {"scope": [scope.strip() for scope in scopes], "scope_query": attributes["scope"]}
        if "monitor_identifier" in attributes:
            named = attributes["monitor_identifier"]
            own |= {"monitor_id": named.get("monitor_id"), "monitor_tags": named.get("monitor_tags") or ["*"]}
        if "display_timezone" in attributes:
            own["display_timezone"] = attributes["display_timezone"] or "UTC"
        if attributes.get("schedule") is not None:
            own |= self._schedule(attributes["schedule"], previous or {})
        return own

    def _schedule(self, attributes: Body, previous: Body) -> Body:
        if "recurrences" not in attributes and "timezone" not in attributes:
            once: Body = {"recurrences": None, "recurrence": None}
            for name in ("start", "end"):
                if name in attributes:
                    once[name] = None if attributes[name] is None else _seconds(attributes[name])
            start = once.get("start", previous.get("start"))
            end = once.get("end", previous.get("end"))
            if end is not None and end <= (self._stored.now() if start is None else start):
                raise ApiError(400, "Downtime end must be after its start")
            return once
        rules = attributes.get("recurrences")
        own: Body = {"recurrences": rules, "recurrence": None, "end": None}
        if "timezone" in attributes:
            own["timezone"] = attributes["timezone"]
        return own

    def _shown(self, body: Body) -> Body:
        now = self._stored.now()
        named = {"monitor_tags": body["monitor_tags"]}
        if body["monitor_id"] is not None:
            named = {"monitor_id": body["monitor_id"]}
        attributes = {key: body[key] for key in _SAME} | {
            "canceled": _moment(body["canceled"]),
            "created": _moment(body["created"]),
            "modified": _moment(body["modified"]),
            "display_timezone": body.get("display_timezone") or body["timezone"],
            "monitor_identifier": named,
            "schedule": _shown_schedule(body, now),
            "scope": downtimes.scope_of(body),
            "status": downtimes.status(body, now),
        }
        monitor = None if body["monitor_id"] is None else _reference("monitors", body["monitor_id"])
        related = {"monitor": {"data": monitor}, "created_by": {"data": _reference("users", _USER)}}
        return {
            "type": "downtime",
            "id": public_id(body),
            "attributes": attributes,
            "relationships": related,
        }

    def _asked(self, request: Request, bodies: list[Body]) -> Body:
        names = words(request, "include")
        return {"included": self._included(bodies, names)} if names else {}

    def _included(self, bodies: list[Body], names: list[str]) -> list[Body]:
        included = [_user()] if "created_by" in names and bodies else []
        if "monitor" in names:
            idents = dict.fromkeys(body["monitor_id"] for body in bodies if body["monitor_id"] is not None)
            monitors = [self._documents.get("monitor", str(ident)) for ident in idents]
            included += [
                _reference("monitors", monitor["id"]) | {"attributes": {"name": monitor["name"]}}
                for monitor in monitors
                if monitor is not None
            ]
        return included


def _attributes(body: Any, ident: str | None = None) -> Body:
    """Return the attributes in `data`. Raises ApiError 400 if it is not this downtime."""
    data = as_object(body).get("data")
    if not isinstance(data, dict) or data.get("type") != "downtime":
        raise ApiError(400, 'Invalid type. Expected "downtime".')
    if ident is not None and data.get("id") != ident:
        raise ApiError(400, "The id of the body is not that of the path")
    attributes = data.get("attributes") or {}
    if not isinstance(attributes, dict):
        raise ApiError(400, "'attributes' is not an object")
    return attributes


def _refuse(attributes: Body) -> None:
    known = schema.schema("downtime")["$defs"]["DowntimeCreateRequestAttributes"]["properties"]
    if strangers := [key for key in attributes if key not in known]:
        raise ApiError(400, f"Additional properties are not allowed ({strangers[0]!r} was unexpected)")
    if faults := list(schema.faults("downtime", attributes)):
        raise ApiError(400, *(fault.message for fault in faults))
    schedule, named = attributes.get("schedule") or {}, attributes["monitor_identifier"]
    if not (isinstance(attributes["scope"], str) and isinstance(schedule, dict) and isinstance(named, dict)):
        raise ApiError(400, "Invalid downtime: scope is a text, schedule and monitor_identifier are objects")
    _refuse_scope(attributes["scope"])
    try:
        for name in (attributes.get("display_timezone"), schedule.get("timezone")):
            if name is not None:
                zone(name)
    except InputError as error:
        raise ApiError(400, f"Invalid downtime: {error.message}") from error


def _refuse_scope(scope: str) -> None:
    """Raise ApiError 400 for a scope with a value without a key; `*` alone means all."""
    inner = re.sub(r"[\w./@-]+:(\([^()]*\)|\S+)", " ", scope)
    if scope.strip() != "*" and set(re.findall(r"[^\s()]+", inner)) - {"AND", "OR", "NOT", "-"}:
        raise ApiError(400, "All values must have a key")
    if not scope.strip():
        raise ApiError(400, "Invalid scope parameter")


def _page(request: Request, bodies: list[Body]) -> list[Body]:
    offset = max(0, number(request.query_params, "page[offset]", 0))
    limit = max(1, number(request.query_params, "page[limit]", _PAGE))
    return bodies[offset : offset + limit]


def _shown_schedule(body: Body, now: int) -> Body:
    rules = downtimes.rules(body)
    if not rules:
        return {"start": _moment(body["start"]), "end": _moment(body["end"])}
    window = downtimes.current(body, now)
    shown: Body = {"recurrences": rules, "timezone": body["timezone"]}
    if window is not None:
        shown["current_downtime"] = {"start": _moment(window[0]), "end": _moment(window[1])}
    return shown


def _match(match: Match) -> Body:
    attributes: Body = {"start": _moment(match.window[0]), "end": _moment(match.window[1])}
    attributes |= {"groups": match.groups, "scope": downtimes.scope_of(match.downtime)}
    return {"type": "downtime_match", "id": public_id(match.downtime), "attributes": attributes}


def _seconds(text: str) -> int:
    """Parse an ISO 8601 time; it is UTC if it has no offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ApiError(400, f"{text!r} is not an ISO-8601 time") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _moment(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def _reference(kind: str, ident: object) -> Body:
    return {"type": kind, "id": str(ident)}


def _user() -> Body:
    attributes: Body = {"name": "stepscope", "handle": "stepscope@localhost", "email": "stepscope@localhost"}
    attributes |= {"status": "Active", "title": None}
    return _reference("users", _USER) | {"attributes": attributes}
