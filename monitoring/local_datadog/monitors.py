"""The routes of monitors: create, read, change, delete, validate, mute and can_delete."""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.local_datadog import monitor_search
from monitoring.local_datadog.body import read_json
from monitoring.local_datadog.context import Body, Context, Family, as_object, flag, mounted, number, words
from monitoring.local_datadog.downtimes import matches
from monitoring.local_datadog.replies import ApiError, not_found, reply
from monitoring.resources import monitor_errors, normalise

KIND = "monitor"
STATES = "monitor_state"
"""Documents by monitor id, written by the evaluation: `{"groups": {name: {"status", …}}}`."""
_GROUP_STATES = frozenset({"all", "alert", "warn", "no data"})
_PAGE = 100


class Monitors(Family):
    """The routes over one store."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._search = monitor_search.MonitorSearch(self.all, context.clock)

    def routes(self) -> list[Route]:
        """Return the routes; fixed paths come before those with an id."""
        table = [
            ("POST", "", self._create),
            ("GET", "", self._list),
            ("POST", "/validate", self._validate),
            ("GET", "/can_delete", self._can_delete),
            ("GET", "/search", self._search.monitors),
            ("GET", "/groups/search", self._search.groups),
            ("POST", "/mute_all", self._mute_all),
            ("POST", "/unmute_all", self._unmute_all),
            ("GET", "/{id}", self._get),
            ("PUT", "/{id}", self._update),
            ("DELETE", "/{id}", self._delete),
            ("POST", "/{id}/validate", self._validate_existing),
            ("POST", "/{id}/mute", self._mute),
            ("POST", "/{id}/unmute", self._unmute),
        ]
        return mounted("/api/v1/monitor", table)

    def all(self) -> list[Body]:
        """Return every monitor with its states, in the order of creation."""
        return [self._with_state(body, group_states=["all"]) for body in self._documents.all(KIND)]

    async def _create(self, request: Request) -> Response:
        body = await read_json(request)
        _refuse(monitor_errors.errors(body))
        ident = self._context.next_id(KIND)
        stored = normalise.monitor(body, ident, self._context.clock())
        self._documents.put(KIND, str(ident), stored)
        return reply(stored)

    async def _update(self, request: Request) -> Response:
        body = as_object(await read_json(request))
        with self._context.lock:
            previous = self._find(request)
            laid = {**{key: previous[key] for key in ("type", "query", "options")}, **body}
            _refuse(monitor_errors.errors(laid, previous["type"]))
            stored = normalise.monitor(body, previous["id"], self._context.clock(), previous)
            self._documents.put(KIND, str(previous["id"]), stored)
        return reply(stored)

    async def _validate(self, request: Request) -> Response:
        _refuse(monitor_errors.errors(await read_json(request)))
        return reply({})

    async def _validate_existing(self, request: Request) -> Response:
        body = as_object(await read_json(request))
        previous = self._find(request)
        laid = {**{key: previous[key] for key in ("type", "query", "options")}, **body}
        _refuse(monitor_errors.errors(laid, previous["type"]))
        return reply({})

    async def _get(self, request: Request) -> Response:
        states = _group_states(request)
        body = self._documents.get(KIND, request.path_params["id"])
        if body is None:
            return not_found()
        return reply(self._with_state(body, states) | {"matching_downtimes": self._downtimes(body)})

    async def _list(self, request: Request) -> Response:
        parameters = request.query_params
        states = _group_states(request)
        bodies = [body for body in self._documents.all(KIND) if _matches(body, request)]
        if "id_offset" in parameters:
            bodies = [body for body in bodies if body["id"] > number(parameters, "id_offset", 0)]
        if "page" in parameters or "page_size" in parameters:
            size = max(1, min(1000, number(parameters, "page_size", _PAGE)))
            first = max(0, number(parameters, "page", 0)) * size
            bodies = bodies[first : first + size]
        shown = [self._with_state(body, states) for body in bodies]
        if flag(request, "with_downtimes"):
            shown = [body | {"matching_downtimes": self._downtimes(body)} for body in shown]
        return reply(shown)

    async def _delete(self, request: Request) -> Response:
        with self._context.lock:
            body = self._find(request)
            references = self._references(body)
            if references and not flag(request, "force"):
                raise ApiError(400, references)
            self._documents.delete(KIND, str(body["id"]))
            self._documents.delete(STATES, str(body["id"]))
        return reply({"deleted_monitor_id": body["id"]})

    async def _can_delete(self, request: Request) -> Response:
        idents = words(request, "monitor_ids")
        if not idents:
            raise ApiError(400, "monitor_ids are required")
        ok, errors = [], {}
        for ident in idents:
            body = self._context.find(KIND, ident, "Monitor not found")
            references = self._references(body)
            if references:
                errors[ident] = [references]
            else:
                ok.append(body["id"])
        if errors:
            return reply({"data": {"ok": ok}, "errors": errors}, 409)
        return reply({"data": {"ok": ok}, "errors": None})

    async def _mute(self, request: Request) -> Response:
        parameters = await _parameters(request)
        with self._context.lock:
            body = self._find(request)
            end = parameters.get("end")
            body["options"]["silenced"][str(parameters.get("scope") or "*")] = int(end) if end else None
            return self._changed(body)

    async def _unmute(self, request: Request) -> Response:
        parameters = await _parameters(request)
        with self._context.lock:
            body = self._find(request)
            silenced = body["options"]["silenced"]
            scope = str(parameters.get("scope") or "*")
            if str(parameters.get("all_scopes", "")).lower() == "true":
                silenced.clear()
            elif scope in silenced:
                del silenced[scope]
            else:
                raise ApiError(400, f'{body["type"]} "{body["name"]}" is already unmuted')
            return self._changed(body)

    async def _mute_all(self, _request: Request) -> Response:
        muted = {"active": True, "id": 1, "scope": ["*"], "start": int(self._context.clock()), "end": None}
        self._documents.put("mute_all", "all", muted)
        return reply(muted)

    async def _unmute_all(self, _request: Request) -> Response:
        if not self._documents.delete("mute_all", "all"):
            raise ApiError(400, "Monitoring is not currently globally muted")
        return Response(status_code=204)

    def _find(self, request: Request) -> Body:
        return self._context.find(KIND, request.path_params["id"], "Monitor not found")

    def _changed(self, body: Body) -> Response:
        body["modified"] = self._context.moment()
        self._documents.put(KIND, str(body["id"]), body)
        return reply(body)

    def _with_state(self, body: Body, group_states: list[str]) -> Body:
        stored = self._documents.get(STATES, str(body["id"])) or {"groups": {}}
        body["overall_state"] = stored.get("overall_state", body["overall_state"])
        body["overall_state_modified"] = stored.get("overall_state_modified", body["overall_state_modified"])
        if group_states:
            groups = {
                name: group
                for name, group in stored["groups"].items()
                if "all" in group_states or str(group.get("status", "")).lower() in group_states
            }
            body["state"] = {"groups": groups}
        return body

    def _downtimes(self, body: Body) -> list[Body]:
        return [
            {"id": downtime["id"], "scope": downtime["scope"], "start": start, "end": end, "groups": groups}
            for downtime, (start, end), groups in matches(self._documents, body, int(self._context.clock()))
        ]

    def _references(self, body: Body) -> str:
        """Return the references to the monitor in Datadog's words, or ""."""
        ident = str(body["id"])
        composites = [
            f"[{other['id']},{other['name']}]"
            for other in self._documents.all(KIND)
            if other["type"] == "composite" and ident in re.findall(r"\d+", other["query"])
        ]
        slos = [
            f"[{slo['id']},{slo['name']}]"
            for slo in self._documents.all("slo")
            if body["id"] in (slo.get("monitor_ids") or [])
        ]
        where, names = ("composite monitors", composites) if composites else ("slos", slos)
        return (
            f"monitor [{ident},{body['name']}] is referenced in {where}: {', '.join(names)}" if names else ""
        )


def _refuse(errors: list[str]) -> None:
    if errors:
        raise ApiError(400, *errors)


def _group_states(request: Request) -> list[str]:
    states = [state.lower() for state in words(request, "group_states")]
    if not set(states) <= _GROUP_STATES:
        raise ApiError(400, "Invalid group_state filters.")
    return states


def _matches(body: Body, request: Request) -> bool:
    name = request.query_params.get("name", "")
    scopes = body["query"].lower()
    return (
        name.lower() in body["name"].lower()
        and all(tag in body["tags"] for tag in words(request, "monitor_tags"))
        and all(tag.lower() in scopes for tag in words(request, "tags"))
    )


async def _parameters(request: Request) -> dict[str, Any]:
    """Return the parameters, which clients send in the query string, in the body, or in both."""
    sent = await request.body()
    body = as_object(await read_json(request)) if sent else {}
    return dict(request.query_params) | body
