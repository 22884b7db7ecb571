"""The routes of service level objectives."""

import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.local_datadog.body import read_json
from monitoring.local_datadog.context import Body, Family, as_object, flag, mounted, number, words
from monitoring.local_datadog.replies import ApiError, reply

KIND = "slo"
_KINDS = {"metric", "monitor", "time_slice"}
_TIMEFRAMES = {"7d", "30d", "90d", "custom"}
_CREATOR = {"name": "stepscope", "handle": "stepscope@localhost", "email": "stepscope@localhost"}
_WRITABLE = (
    "name",
    "description",
    "type",
    "tags",
    "thresholds",
    "query",
    "monitor_ids",
    "groups",
    "sli_specification",
)
_WRITABLE_TOO = ("timeframe", "target_threshold", "warning_threshold")


class Slos(Family):
    """The routes over one store."""

    def routes(self) -> list[Route]:
        """What the application mounts."""
        table = [
            ("POST", "", self._create),
            ("GET", "", self._list),
            ("GET", "/can_delete", self._can_delete),
            ("GET", "/correction/{id}", self._correction),
            ("GET", "/{id}", self._get),
            ("PUT", "/{id}", self._update),
            ("DELETE", "/{id}", self._delete),
        ]
        return mounted("/api/v1/slo", table)

    async def _create(self, request: Request) -> Response:
        body = as_object(await read_json(request))
        _refuse(body, body.get("type"))
        now = int(self._context.clock())
        return self._put(body, secrets.token_hex(16), now)

    async def _update(self, request: Request) -> Response:
        body = as_object(await read_json(request))
        previous = self._find(request)
        _refuse(body, previous["type"])
        return self._put(previous | body, previous["id"], previous["created_at"])

    def _put(self, body: Body, ident: str, created: int) -> Response:
        stored = {key: body[key] for key in (*_WRITABLE, *_WRITABLE_TOO) if key in body}
        stored |= {"id": ident, "tags": body.get("tags") or [], "description": body.get("description")}
        stored |= {"creator": _CREATOR, "created_at": created, "modified_at": int(self._context.clock())}
        stored["thresholds"] = [_displayed(threshold) for threshold in body["thresholds"]]
        stored["monitor_tags"] = self._monitor_tags(body) if body["type"] == "monitor" else []
        self._documents.put(KIND, ident, stored)
        return reply({"data": [stored], "error": None})

    async def _get(self, request: Request) -> Response:
        return reply({"data": self._find(request)})

    async def _list(self, request: Request) -> Response:
        given = request.query_params
        idents, query = words(request, "ids"), given.get("query", "").lower()
        tags = given.get("tags_query", "")
        found = [
            body
            for body in self._documents.all(KIND)
            if (not idents or body["id"] in idents)
            and query in body["name"].lower()
            and (not tags or tags in body["tags"])
        ]
        offset, limit = number(given, "offset", 0), number(given, "limit", 1000)
        page = {"total_count": len(found), "total_filtered_count": len(found)}
        return reply({"data": found[offset : offset + limit], "error": None, "metadata": {"page": page}})

    async def _delete(self, request: Request) -> Response:
        body = self._find(request)
        used = self._dashboards_with(body["id"])
        if used and not flag(request, "force"):
            text = f"slo {body['id']} is referenced in dashboards: {', '.join(used)}"
            return reply({"errors": {body["id"]: text}, "data": None}, 409)
        self._documents.delete(KIND, body["id"])
        return reply({"data": [body["id"]], "error": None})

    async def _can_delete(self, request: Request) -> Response:
        ok: list[str] = []
        errors = {}
        for ident in words(request, "ids"):
            self._context.find(KIND, ident, f"SLO not found: {ident} not found")
            if used := self._dashboards_with(ident):
                errors[ident] = f"slo {ident} is referenced in dashboards: {', '.join(used)}"
            else:
                ok.append(ident)
        return reply({"data": {"ok": ok}, "errors": errors or None}, 409 if errors else 200)

    async def _correction(self, request: Request) -> Response:
        raise ApiError(404, f"slo correction public id {request.path_params['id']} not found")

    def _find(self, request: Request) -> Body:
        ident = request.path_params["id"]
        return self._context.find(KIND, ident, f"SLO not found: {ident} not found")

    def _dashboards_with(self, ident: str) -> list[str]:
        return [body["id"] for body in self._documents.all("dashboard") if _mentions(body["widgets"], ident)]

    def _monitor_tags(self, body: Body) -> list[str]:
        found = [self._documents.get("monitor", str(ident)) or {} for ident in body.get("monitor_ids") or ()]
        return sorted({tag for monitor in found for tag in monitor.get("tags", ())})


def _refuse(body: Body, kind: object) -> None:
    if not isinstance(body.get("name"), str) or not body["name"].strip():
        raise ApiError(400, "Invalid payload: must specify name")
    if kind not in _KINDS:
        raise ApiError(400, "Invalid payload: type must be one of metric, monitor, time_slice")
    if kind == "monitor" and not body.get("monitor_ids"):
        raise ApiError(400, "Invalid payload: must specify monitor_ids")
    query = body.get("query")
    if kind == "metric" and not (
        isinstance(query, dict) and query.get("numerator") and query.get("denominator")
    ):
        raise ApiError(400, "Invalid payload: must specify the query for count types")
    _refuse_thresholds(body.get("thresholds"))


def _refuse_thresholds(thresholds: Any) -> None:
    if not isinstance(thresholds, list) or not thresholds:
        raise ApiError(400, "Invalid payload: must specify thresholds")
    for threshold in thresholds:
        target = threshold.get("target") if isinstance(threshold, dict) else None
        if not isinstance(target, (int, float)) or not 0 < target < 100:
            raise ApiError(400, "Invalid payload: target must be between 0 and 100")
        if threshold.get("timeframe") not in _TIMEFRAMES:
            raise ApiError(400, f"Invalid payload: timeframe must be one of {', '.join(sorted(_TIMEFRAMES))}")


def _displayed(threshold: Body) -> Body:
    """Targets with the text that Datadog shows, which keeps the digits of the number."""
    shown = dict(threshold)
    for name in ("target", "warning"):
        if shown.get(name) is not None:
            shown[name] = float(shown[name])
            shown.setdefault(f"{name}_display", str(shown[name]))
    return shown


def _mentions(value: Any, ident: str) -> bool:
    if isinstance(value, dict):
        return value.get("slo_id") == ident or any(_mentions(inner, ident) for inner in value.values())
    return isinstance(value, list) and any(_mentions(inner, ident) for inner in value)
