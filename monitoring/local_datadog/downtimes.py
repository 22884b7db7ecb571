"""The routes of downtimes (version 1)."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.local_datadog.body import read_json
from monitoring.local_datadog.context import Body, Family, as_object, flag, mounted
from monitoring.local_datadog.replies import ApiError, reply

KIND = "downtime"
_RECURRENCES = {"days", "weeks", "months", "years", "rrule"}
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


class Downtimes(Family):
    """The routes over one store."""

    def routes(self) -> list[Route]:
        """What the application mounts."""
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
        body = as_object(await read_json(request))
        _refuse(body, creating=True)
        return self._put(body, self._context.next_id(KIND), {})

    async def _update(self, request: Request) -> Response:
        body = as_object(await read_json(request))
        previous = self._find(request)
        _refuse(body, creating=False)
        return self._put(previous | body, previous["id"], previous)

    def _put(self, body: Body, ident: int, previous: Body) -> Response:
        now = int(self._context.clock())
        stored: Body = {
            key: body.get(key) if body.get(key) is not None else default for key, default in _WRITABLE.items()
        }
        stored["scope"] = _scopes(stored["scope"])
        stored["start"] = stored["start"] if stored["start"] is not None else now
        stored |= {"id": ident, "org_id": 1, "creator_id": 1, "updater_id": 1 if previous else None}
        stored |= {
            "canceled": previous.get("canceled"),
            "disabled": False,
            "created": previous.get("created", now),
        }
        stored |= {"modified": now, "parent_id": None, "downtime_type": _downtime_type(stored)}
        self._documents.put(KIND, str(ident), stored)
        return reply(self._shown(stored))

    async def _get(self, request: Request) -> Response:
        return reply(self._shown(self._find(request)))

    async def _list(self, request: Request) -> Response:
        shown = [self._shown(body) for body in self._documents.all(KIND)]
        return reply([body for body in shown if body["active"] or not flag(request, "current_only")])

    async def _of_monitor(self, request: Request) -> Response:
        ident = int(request.path_params["id"]) if request.path_params["id"].isdecimal() else -1
        found = [
            self._shown(body) for body in self._documents.all(KIND) if body["monitor_id"] in {None, ident}
        ]
        return reply([body for body in found if body["active"]])

    async def _cancel(self, request: Request) -> Response:
        self._cancelled(self._find(request))
        return Response(status_code=204)

    async def _cancel_by_scope(self, request: Request) -> Response:
        wanted = sorted(_scopes(as_object(await read_json(request)).get("scope")))
        found = [body for body in self._documents.all(KIND) if sorted(body["scope"]) == wanted]
        found = [body for body in found if not body["canceled"]]
        if not found:
            raise ApiError(404, "No downtimes found")
        for body in found:
            self._cancelled(body)
        return reply({"cancelled_ids": [body["id"] for body in found]})

    def _cancelled(self, body: Body) -> None:
        now = int(self._context.clock())
        self._documents.put(
            KIND, str(body["id"]), body | {"canceled": now, "disabled": True, "modified": now}
        )

    def _shown(self, body: Body) -> Body:
        return body | {"active": is_active(body, self._context.clock())}

    def _find(self, request: Request) -> Body:
        ident = request.path_params["id"]
        return self._context.find(KIND, ident, f"Downtime {ident} not found")


def is_about(downtime: Mapping[str, Any], monitor: Mapping[str, Any]) -> bool:
    """Whether the downtime names the monitor, or tags that it carries."""
    if downtime["monitor_id"] is not None:
        return bool(downtime["monitor_id"] == monitor["id"])
    return set(downtime["monitor_tags"]) - {"*"} <= set(monitor["tags"])


def is_active(downtime: Mapping[str, Any], now: float) -> bool:
    """Whether it holds notifications back now."""
    running = downtime["start"] <= now and (downtime["end"] is None or now < downtime["end"])
    return bool(running and not downtime["canceled"])


def _refuse(body: Body, *, creating: bool) -> None:
    scope = body.get("scope")
    if (
        (creating and not scope)
        or not _is_texts(_scopes(scope))
        or len(body.get("monitor_tags") or ()) > _MOST_TAGS
    ):
        raise ApiError(400, "Invalid scope parameter")
    recurrence = body.get("recurrence")
    if isinstance(recurrence, dict) and recurrence.get("type") not in _RECURRENCES:
        raise ApiError(400, "Invalid recurrence type")
    start, end = body.get("start"), body.get("end")
    if isinstance(start, (int, float)) and isinstance(end, (int, float)) and end <= start:
        raise ApiError(400, "Downtime end must be after its start")


def _scopes(given: Any) -> list[Any]:
    if given is None:
        return []
    return [part.strip() for part in given.split(",")] if isinstance(given, str) else list(given)


def _is_texts(given: list[Any]) -> bool:
    return all(isinstance(part, str) and part for part in given)


def _downtime_type(body: Body) -> int:
    """Datadog's code: 0 by scope, 1 by one monitor, 2 by tags of monitors."""
    if body["monitor_id"] is not None:
        return 1
    return 0 if body["monitor_tags"] == ["*"] else 2
