"""The routes of events, version 2 (JSON:API): post changes and alerts, and search events of both versions."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.errors import InputError
from monitoring.local_datadog import event_payload
from monitoring.local_datadog.body import read_json
from monitoring.local_datadog.context import Body, Family, as_object
from monitoring.local_datadog.events import KIND
from monitoring.local_datadog.replies import ApiError, reply
from monitoring.monitor.search import compile_search
from monitoring.query.times import moment
from monitoring.store.facts import event_record

_PAGE = 10
_MOST = 1000
_ATTRIBUTES = {
    "title": "title",
    "date_happened": "date_happened",
    "aggregation_key": "aggregation_key",
    "device_name": "device_name",
    "host": "hostname",
    "related_event_id": "related_event_id",
    "priority": "priority",
    "source": "source_type_name",
}
"""Version 1's name -> version 2's; missing values are left out, because clients do not accept null."""


class EventsV2(Family):
    """The routes over one store."""

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/v2/events", self._create, methods=["POST"]),
            Route("/api/v2/events", self._list, methods=["GET"]),
            Route("/api/v2/events/search", self._search, methods=["POST"]),
            Route("/api/v2/events/{id}", self._get, methods=["GET"]),
        ]

    async def _create(self, request: Request) -> Response:
        body, now = await read_json(request), int(self._context.clock())
        if text := event_payload.problem(body, now):
            raise ApiError(400, text, json_api=True)
        ident = self._context.next_id(KIND)
        url = f"/event/event?id={ident}"
        made: Body = dict.fromkeys(("handle", "priority", "related_event_id", "device_name"))
        made |= {"id": ident, "id_str": str(ident), "url": url, "source": ""}
        self._documents.put(KIND, str(ident), made | event_payload.event_of(body, now))
        details = {"attributes": {"evt": {"id": str(ident), "uid": str(ident)}}}
        data = {"type": "event", "id": "_", "attributes": details}
        return reply({"data": data, "links": {"self": url}}, 202)

    async def _get(self, request: Request) -> Response:
        event = self._documents.get(KIND, request.path_params["id"])
        if event is None:
            raise ApiError(404, "No event matches that id", json_api=True)
        return reply({"data": _shown(event)})

    async def _list(self, request: Request) -> Response:
        parameters = request.query_params
        filters = {name: parameters.get(f"filter[{name}]") for name in ("query", "from", "to")}
        page = {name: parameters.get(f"page[{name}]") for name in ("cursor", "limit")}
        return self._found(filters, page, parameters.get("sort"))

    async def _search(self, request: Request) -> Response:
        body = as_object(await read_json(request))
        parts = [body.get(name) or {} for name in ("filter", "page")]
        return self._found(as_object(parts[0]), as_object(parts[1]), body.get("sort"))

    def _found(self, filters: Mapping[str, Any], page: Mapping[str, Any], sort: Any) -> Response:
        if sort not in (None, "timestamp", "-timestamp"):
            raise ApiError(400, "sort is timestamp or -timestamp", json_api=True)
        now = self._context.clock()
        try:
            test = compile_search(str(filters.get("query") or "*"))
            start = moment(_relative(filters.get("from") or "now-15m"), now)
            end = moment(_relative(filters.get("to") or "now"), now)
            first, size = int(page.get("cursor") or 0), int(page.get("limit") or _PAGE)
        except (InputError, ValueError, TypeError) as error:
            text = error.message if isinstance(error, InputError) else str(error)
            raise ApiError(400, text, json_api=True) from error
        events = [
            event
            for event in self._documents.all(KIND)
            if start <= event["date_happened"] <= end and test(event_record(event))
        ]
        events.sort(key=lambda event: event["date_happened"], reverse=sort != "timestamp")
        first, size = max(0, first), max(1, min(_MOST, size))
        meta: Body = {"status": "done", "elapsed": 0, "request_id": ""}
        if first + size < len(events):
            meta["page"] = {"after": str(first + size)}
        return reply({"data": [_shown(event) for event in events[first : first + size]], "meta": meta})


def _relative(value: Any) -> str:
    """Convert Datadog's `now-15m` to `-15m`."""
    text = str(value)
    return text.removeprefix("now") or text if text.startswith("now") else text


def _shown(event: Body) -> Body:
    happened = datetime.fromtimestamp(event["date_happened"], UTC)
    attributes: Body = {new: event[old] for old, new in _ATTRIBUTES.items() if event.get(old) is not None}
    attributes |= {"status": event["alert_type"] or "info", "tags": event["tags"]}
    custom = {key: value for key, value in event.get("custom", {}).items() if key not in _ATTRIBUTES.values()}
    evt = {"id": event["id_str"], "uid": event["id_str"]}
    evt |= {"category": event["category"]} if "category" in event else {}
    attributes |= custom | {"timestamp": event["date_happened"] * 1000, "evt": evt}
    details = {"message": event["text"], "tags": event["tags"], "attributes": attributes}
    shown = details | {"timestamp": happened.isoformat(timespec="milliseconds")}
    return {"type": "event", "id": event["id_str"], "attributes": shown}
