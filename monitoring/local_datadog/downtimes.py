"""The routes of downtimes, version 1, and the stored downtimes of both versions."""

import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.errors import InputError
from monitoring.local_datadog.body import read_json
from monitoring.local_datadog.context import Body, Context, Family, as_object, flag, mounted
from monitoring.local_datadog.replies import ApiError, reply
from monitoring.monitor import downtimes
from monitoring.monitor.definition import Monitor
from monitoring.monitor.mutes import Mute, fixed_tags, scope_test
from monitoring.store.documents import Documents

KIND = "downtime"
KEPT = 2 * 86_400
"""Seconds for which a cancelled downtime is still listed."""
_TIMES = ("start", "end")
"""Keys with seconds since the epoch; dogshell sends them as strings."""
_RECURRENCES = ("days", "weeks", "months", "years", "rrule")
_MOST_TAGS = 32
_WRITABLE = {
    "scope": ["*"],
    "start": None,
    "end": None,
    "message": "",
    "monitor_id": None,
    "monitor_tags": ["*"],
    "timezone": "UTC",
    "recurrence": None,
    "mute_first_recovery_notification": False,
    "notify_end_states": ["alert", "no data", "warn"],
    "notify_end_types": ["expired"],
}
_OF_VERSION_2 = ("scope_query", "recurrences", "display_timezone")


class Stored:
    """The downtimes of one store, for both versions of the API."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._documents = context.store.documents

    def now(self) -> int:
        """Return seconds since the epoch."""
        return int(self._context.clock())

    def all(self) -> list[Body]:
        """Return every downtime, without those cancelled more than `KEPT` seconds ago."""
        oldest = self.now() - KEPT
        downtimes = self._documents.all(KIND)
        return [body for body in downtimes if body["canceled"] is None or body["canceled"] > oldest]

    async def put(self, body: Body, previous: Body | None = None) -> Body:
        """Store a downtime with the fields that the server sets.

        Raises:
            ApiError: 400 for an invalid schedule or scope.
        """
        before, now = previous or {}, self.now()
        stored: Body = {
            key: body.get(key) if body.get(key) is not None else default for key, default in _WRITABLE.items()
        }
        stored |= {key: body[key] for key in _OF_VERSION_2 if body.get(key) is not None}
        stored["start"] = stored["start"] if stored["start"] is not None else now
        stored |= {"org_id": 1, "creator_id": 1, "updater_id": 1 if previous else None}
        stored |= {"canceled": before.get("canceled"), "disabled": before.get("disabled", False)}
        stored |= {"created": before.get("created", now), "modified": now, "parent_id": None}
        stored["downtime_type"] = _downtime_type(stored)
        await run_in_threadpool(_check, stored)  # the next time of a rule may be searched for long
        stored["id"] = before["id"] if previous else self._context.next_id(KIND)
        self._documents.put(KIND, str(stored["id"]), stored)
        return stored

    def cancel(self, body: Body) -> None:
        """Cancel a downtime now; a cancelled one does not change."""
        if body["canceled"] is None:
            now = self.now()
            changed = body | {"canceled": now, "disabled": True, "modified": now}
            self._documents.put(KIND, str(body["id"]), changed)


class Downtimes(Family):
    """The routes over one store."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._stored = Stored(context)

    def routes(self) -> list[Route]:
        """Return the routes."""
        table = [
            ("POST", "", self._create),
            ("GET", "", self._list),
            ("POST", "/cancel/by_scope", self._cancel_by_scope),
            ("GET", "/{id}", self._get),
            ("PUT", "/{id}", self._update),
            ("DELETE", "/{id}", self._cancel),
        ]
        routes = mounted("/api/v1/downtime", table)
        of_monitor = Route("/api/v1/monitor/{id}/downtimes", self._of_monitor, methods=["GET"])
        return [*routes, of_monitor]

    async def _create(self, request: Request) -> Response:
        body = _own(as_object(await read_json(request)))
        _refuse(body, creating=True)
        return reply(self._shown(await self._stored.put(body)))

    async def _update(self, request: Request) -> Response:
        body = _own(as_object(await read_json(request)))
        previous = self._find(request)
        _refuse(body, creating=False)
        replaced = {"scope": "scope_query", "recurrence": "recurrences"}
        kept = {key: value for key, value in previous.items() if key not in {replaced.get(k) for k in body}}
        return reply(self._shown(await self._stored.put(kept | body, previous)))

    async def _get(self, request: Request) -> Response:
        return reply(self._shown(self._find(request)))

    async def _list(self, request: Request) -> Response:
        shown = [self._shown(body) for body in self._stored.all()]
        return reply([body for body in shown if body["active"] or not flag(request, "current_only")])

    async def _of_monitor(self, request: Request) -> Response:
        ident = request.path_params["id"]
        monitor = self._context.find("monitor", ident, "Monitor not found")
        matching = matches(self._documents, monitor, self._stored.now())
        return reply([self._shown(match.downtime) for match in matching])

    async def _cancel(self, request: Request) -> Response:
        self._stored.cancel(self._find(request))
        return Response(status_code=204)

    async def _cancel_by_scope(self, request: Request) -> Response:
        scopes = sorted(_scopes(as_object(await read_json(request)).get("scope")))
        matching = [body for body in self._stored.all() if sorted(body["scope"]) == scopes]
        matching = [body for body in matching if body["canceled"] is None]
        if not matching:
            raise ApiError(404, "No downtimes found")
        for body in matching:
            self._stored.cancel(body)
        return reply({"cancelled_ids": [body["id"] for body in matching]})

    def _shown(self, body: Body) -> Body:
        """Return the downtime in version 1's format: the current window, and the first of several rules."""
        now = self._stored.now()
        shown = {key: value for key, value in body.items() if key not in _OF_VERSION_2}
        if rules := body.get("recurrences"):
            start, end = downtimes.current(body, now) or (body["start"], body["end"])
            recurrence = {"type": "rrule", "rrule": rules[0]["rrule"]}
            shown |= {"start": start, "end": end, "recurrence": recurrence}
        return shown | {"active": downtimes.status(body, now) == "active"}

    def _find(self, request: Request) -> Body:
        ident = request.path_params["id"]
        return self._context.find(KIND, ident, f"Downtime {ident} not found")


def mutes_of(documents: Documents, monitor: Mapping[str, Any], since: int, until: int) -> list[Mute]:
    """Return the mutes of a monitor in [since, until): downtimes, and the global mute."""
    mutes = downtimes.mutes(documents.all(KIND), monitor, since, until)
    if muted := documents.get("mute_all", "all"):
        mutes.append(Mute("*", int(muted["start"]), None, "mute_all"))
    return mutes


class Match(NamedTuple):
    """A downtime that is active for groups of a monitor; `*` is the group of a monitor without groups."""

    downtime: Body
    window: downtimes.Window
    groups: list[str]


def matches(documents: Documents, monitor: Mapping[str, Any], now: int) -> list[Match]:
    """Return the downtimes that are active for a monitor now."""
    states = documents.get("monitor_state", str(monitor.get("id"))) or {"groups": {}}
    names = list(states["groups"]) or ["*"]
    around = _fixed_tags(monitor)
    result = []
    for body in documents.all(KIND):
        if downtimes.is_about(body, monitor) and (on := downtimes.windows(body, now, now + 1)):
            test = scope_test(downtimes.scope_of(body))
            groups = [name for name in names if test({*around, *name.split(",")})]
            result += [Match(body, on[0], groups)] if groups else []
    return result


def _fixed_tags(monitor: Mapping[str, Any]) -> frozenset[str]:
    try:
        return fixed_tags(Monitor.from_body(monitor))
    except InputError:
        return frozenset()


def public_id(body: Body) -> str:
    """Return the id of version 2, which is derived from version 1's."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"downtime/{body['id']}"))


def _check(stored: Body) -> None:
    try:
        scope_test(downtimes.scope_of(stored))
        for recurrence in downtimes.recurrences(stored):
            recurrence.check()
    except (InputError, KeyError, ValueError, TypeError) as error:
        text = error.message if isinstance(error, InputError) else str(error)
        raise ApiError(400, f"Invalid downtime: {text}") from error


def _own(body: Body) -> Body:
    """Return the keys that clients of version 1 may set."""
    own = {key: value for key, value in body.items() if key in _WRITABLE}
    own |= {key: int(own[key]) for key in _TIMES if str(own.get(key) or "").isdecimal()}
    return own | ({"scope": _scopes(own["scope"])} if "scope" in own else {})


def _refuse(body: Body, *, creating: bool) -> None:
    scope, tags = body.get("scope"), body.get("monitor_tags") or []
    if (
        (creating and not scope)
        or not _is_texts(_scopes(scope))
        or not isinstance(tags, list)
        or len(tags) > _MOST_TAGS
    ):
        raise ApiError(400, "Invalid scope parameter")
    recurrence = body.get("recurrence")
    if isinstance(recurrence, dict) and recurrence.get("type") not in _RECURRENCES:
        raise ApiError(400, "Invalid recurrence type")
    start, end = body.get("start"), body.get("end")
    if isinstance(start, (int, float)) and isinstance(end, (int, float)) and end <= start:
        raise ApiError(400, "Downtime end must be after its start")


def _scopes(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return value if isinstance(value, list) else [value]


def _is_texts(values: list[Any]) -> bool:
    return all(isinstance(part, str) and part for part in values)


def _downtime_type(body: Body) -> int:
    """Return Datadog's code of a scope: 0 for all groups, 1 for hosts, 2 for any other."""
    if body["scope"] == ["*"]:
        return 0
    return 1 if all(str(scope).startswith("host:") for scope in body["scope"]) else 2
