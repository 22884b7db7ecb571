"""The routes of events, version 1."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.local_datadog.body import read_json
from monitoring.local_datadog.context import Body, Family, as_object, number, words
from monitoring.local_datadog.replies import TEXT_JSON, ApiError, reply

KIND = "event"
OLDEST = 18 * 3600
_LONGEST_TEXT = 4000
_LONGEST_KEY = 100
_MOST = 1000
_ALERT_TYPES = ("error", "warning", "info", "success", "user_update", "recommendation", "snapshot")


class Events(Family):
    """The routes over one store."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/v1/events", self._create, methods=["POST"]),
            Route("/api/v1/events", self._list, methods=["GET"]),
            Route("/api/v1/events/{id}", self._get, methods=["GET"]),
        ]

    async def _create(self, request: Request) -> Response:
        body = as_object(await read_json(request))
        now = int(self._context.clock())
        _refuse(body, now)
        ident = self._context.next_id(KIND)
        event: Body = {
            "id": ident,
            "id_str": str(ident),
            "title": body["title"],
            "text": body.get("text") or "",
            "date_happened": int(body.get("date_happened") or now),
            "handle": None,
            "priority": body.get("priority"),
            "related_event_id": body.get("related_event_id"),
            "tags": body.get("tags") or [],
            "url": f"/event/event?id={ident}",
        }
        more = {key: body.get(key) for key in ("alert_type", "aggregation_key", "host", "device_name")}
        more["source"] = body.get("source_type_name") or ""
        self._documents.put(KIND, str(ident), event | more)
        return reply({"status": "ok", "event": event}, 202, TEXT_JSON)

    async def _get(self, request: Request) -> Response:
        return reply(
            {"event": self._context.find(KIND, request.path_params["id"], "No event matches that id")}
        )

    async def _list(self, request: Request) -> Response:
        parameters = request.query_params
        start, end = number(parameters, "start", 0), number(parameters, "end", 0)
        if not start or not end:
            raise ApiError(400, "The parameters 'start' and 'end' are required")
        if start >= end:
            raise ApiError(400, "start param must be greater than end param")
        tags, sources = set(words(request, "tags")), words(request, "sources")
        events = [
            event
            for event in self._documents.all(KIND)
            if start <= event["date_happened"] <= end
            and tags <= set(event["tags"])
            and (not sources or event["source"] in sources)
            and parameters.get("priority") in {None, event["priority"] or "normal"}
        ]
        events.sort(key=lambda event: event["date_happened"], reverse=True)
        first = number(parameters, "page", 0) * _MOST
        return reply({"events": events[first : first + _MOST]})


def _refuse(body: Body, now: int) -> None:
    for name in ("title", "text"):
        if not isinstance(body.get(name), str) or (name == "title" and not body[name]):
            raise ApiError(400, f"'{name}' is a required field for events")
    if len(body["text"]) > _LONGEST_TEXT:
        raise ApiError(400, f"The text of an event is limited to {_LONGEST_TEXT} characters")
    if len(str(body.get("aggregation_key") or "")) > _LONGEST_KEY:
        raise ApiError(400, f"The aggregation key of an event is limited to {_LONGEST_KEY} characters")
    happened: Any = body.get("date_happened") or now
    if not isinstance(happened, (int, float)):
        raise ApiError(400, "'date_happened' is not a number of seconds")
    if happened < now - OLDEST:
        raise ApiError(400, "Event too far in the past")
    if body.get("alert_type") not in (None, *_ALERT_TYPES):
        raise ApiError(400, f"'alert_type' must be one of {', '.join(sorted(_ALERT_TYPES))}")
