"""The routes of service level objectives."""

import secrets
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.errors import InputError
from monitoring.local_datadog import slo_history, slo_search
from monitoring.local_datadog.body import read_json
from monitoring.local_datadog.context import Body, Family, as_object, flag, mounted, number, words
from monitoring.local_datadog.replies import ApiError, reply
from monitoring.slo import Slo

KIND = "slo"
_KINDS = ("metric", "monitor", "time_slice")
_TIMEFRAMES = ("7d", "30d", "90d", "custom")
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
        """Return the routes."""
        table = [
            ("POST", "", self._create),
            ("GET", "", self._list),
            ("GET", "/can_delete", self._can_delete),
            ("GET", "/search", self._search),
            ("POST", "/bulk_delete", self._delete_timeframes),
            ("DELETE", "", self._delete_many),
            ("GET", "/{id}/history", self._history),
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
        parameters = request.query_params
        idents, query = words(request, "ids"), parameters.get("query", "").lower()
        tags = parameters.get("tags_query", "")
        bodies = [
            body
            for body in self._documents.all(KIND)
            if (not idents or body["id"] in idents)
            and query in body["name"].lower()
            and (not tags or tags in body["tags"])
        ]
        offset, limit = number(parameters, "offset", 0), number(parameters, "limit", 1000)
        page = {"total_count": len(bodies), "total_filtered_count": len(bodies)}
        return reply({"data": bodies[offset : offset + limit], "error": None, "metadata": {"page": page}})

    async def _delete(self, request: Request) -> Response:
        body = self._find(request)
        used = self._dashboards_with(body["id"])
        if used and not flag(request, "force"):
            text = f"slo {body['id']} is referenced in dashboards: {', '.join(used)}"
            return reply({"errors": {body["id"]: text}, "data": None}, 409)
        self._forget(body["id"])
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
        # datadogpy treats any response with `errors` as a failure.
        return reply({"data": {"ok": ok}} | ({"errors": errors} if errors else {}), 409 if errors else 200)

    async def _history(self, request: Request) -> Response:
        body, parameters = self._find(request), request.query_params
        start, end = number(parameters, "from_ts", -1), number(parameters, "to_ts", -1)
        if not 0 <= start < end:
            raise ApiError(400, "from_ts and to_ts are seconds, from_ts the earlier one")
        target = _target(parameters.get("target"))
        corrected = flag(request, "apply_correction", default=True)
        store = self._context.store

        def history() -> Body:
            slo = Slo.from_body(body)
            return slo_history.answer(
                store, body, slo_history.evaluated(store, slo, start, end, corrected=corrected), target
            )

        try:
            return reply({"data": await run_in_threadpool(history)})
        except InputError as error:
            raise ApiError(400, error.message) from error

    async def _delete_many(self, request: Request) -> Response:
        idents = as_object(await read_json(request)).get("ids")
        if not isinstance(idents, list) or not idents:
            raise ApiError(400, "Invalid payload: must specify ids")
        for ident in idents:
            self._context.find(KIND, str(ident), f"SLO not found: {ident} not found")
        for ident in idents:
            self._forget(str(ident))
        return reply({"data": [str(ident) for ident in idents], "error": None})

    async def _delete_timeframes(self, request: Request) -> Response:
        """Delete thresholds by their windows; an SLO without any threshold is deleted."""
        request_body = as_object(await read_json(request))
        done: dict[str, list[str]] = {"deleted": [], "updated": []}
        errors = []
        for ident, timeframes in request_body.items():
            body = self._documents.get(KIND, ident)
            if body is None or not isinstance(timeframes, list):
                text = f"SLO not found: {ident} not found"
                errors.append({"id": ident, "message": text, "timeframe": "all"})
                continue
            body["thresholds"] = [
                threshold for threshold in body["thresholds"] if threshold["timeframe"] not in timeframes
            ]
            if body["thresholds"]:
                self._documents.put(KIND, ident, body | {"modified_at": int(self._context.clock())})
            else:
                self._forget(ident)
            done["updated" if body["thresholds"] else "deleted"].append(ident)
        return reply({"data": done} | ({"errors": errors} if errors else {}))

    async def _search(self, request: Request) -> Response:
        now = int(self._context.clock())
        bodies = [body for body in self._documents.all(KIND) if slo_search.fits(body, request.query_params)]
        page = await run_in_threadpool(slo_search.answer, self._context.store, bodies, request, now)
        return reply(page)

    def _forget(self, ident: str) -> None:
        """Delete the SLO and its corrections."""
        self._documents.delete(KIND, ident)
        for correction in self._documents.all(slo_history.CORRECTION):
            if correction["attributes"]["slo_id"] == ident:
                self._documents.delete(slo_history.CORRECTION, correction["id"])

    def _find(self, request: Request) -> Body:
        ident = request.path_params["id"]
        return self._context.find(KIND, ident, f"SLO not found: {ident} not found")

    def _dashboards_with(self, ident: str) -> list[str]:
        return [body["id"] for body in self._documents.all("dashboard") if _mentions(body["widgets"], ident)]

    def _monitor_tags(self, body: Body) -> list[str]:
        monitors = [
            self._documents.get("monitor", str(ident)) or {} for ident in body.get("monitor_ids") or ()
        ]
        return sorted({tag for monitor in monitors for tag in monitor.get("tags", ())})


def _target(text: str | None) -> float | None:
    if not text:
        return None
    try:
        target = float(text)
    except ValueError:
        target = 0.0
    if not 0 < target < 100:
        raise ApiError(400, "The target is a number between 0 and 100")
    return target


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
    """Add the displayed text of targets, which keeps the digits of the number."""
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
