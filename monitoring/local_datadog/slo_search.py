"""Search service level objectives, with their current status."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from monitoring.errors import InputError
from monitoring.local_datadog.context import Body, flag, number
from monitoring.local_datadog.slo_history import evaluated
from monitoring.slo import Slo, budget_remaining, slo_state
from monitoring.slo.definition import TIMEFRAMES
from monitoring.store import Store

_TERM = re.compile(r'(-?)(?:([\w.]+):)?(?:"([^"]*)"|(\S+))')
_MOST = 100


def fits(body: Body, parameters: Mapping[str, str]) -> bool:
    """Return whether an SLO matches the query: words of its name, `type:metric`, or a tag."""
    for negation, key, quoted, plain in _TERM.findall(parameters.get("query", "")):
        value = (quoted or plain).lower()
        if plain == "AND" and not key:
            continue
        if key in {"type", "slo_type"}:
            fitting = value == body["type"]
        elif key:
            fitting = f"{key}:{value}".lower() in {tag.lower() for tag in body["tags"]}
        else:
            fitting = value.strip("*") in body["name"].lower()
        if fitting is bool(negation):
            return False
    return True


def answer(store: Store, bodies: list[Body], request: Request, now: int) -> Body:
    """Return the body of /api/v1/slo/search."""
    size = max(1, min(_MOST, number(request.query_params, "page[size]", 10)))
    page = max(0, number(request.query_params, "page[number]", 0))
    last = max(0, (len(bodies) - 1) // size)
    attributes: Body = {
        "slos": [_shown(store, body, now) for body in bodies[page * size : (page + 1) * size]]
    }
    if flag(request, "include_facets"):
        attributes["facets"] = _facets(bodies)
    numbers = {"number": page, "first_number": 0, "prev_number": max(0, page - 1), "next_number": page + 1}
    numbers |= {"last_number": last, "size": size, "total": len(bodies)}
    url = request.url

    def link(at: int) -> str:
        return str(url.include_query_params(**{"page[number]": at, "page[size]": size}))

    return {
        "data": {"type": "service_level_objective_search_results", "attributes": attributes},
        "meta": {"pagination": {"type": "number_size", **numbers}},
        "links": {
            "self": str(url),
            "first": link(0),
            "last": None,
            "next": link(page + 1),
            "prev": link(page - 1) if page else None,
        },
    }


def _shown(store: Store, body: Body, now: int) -> Body:
    thresholds = [threshold for threshold in body["thresholds"] if threshold["timeframe"] in TIMEFRAMES]
    statuses = [_status(store, body, threshold, now) for threshold in thresholds]
    query = body.get("query") or {}
    attributes: Body = {
        "name": body["name"],
        "description": body["description"] or None,
        "slo_type": body["type"],
        "all_tags": body["tags"],
        **{f"{key}_tags": _values(body, key) for key in ("env", "service", "team")},
        "creator": body["creator"],
        "created_at": body["created_at"],
        "modified_at": body["modified_at"],
        "groups": body.get("groups"),
        "monitor_ids": body.get("monitor_ids"),
        "thresholds": thresholds,
        "overall_status": statuses,
    }
    if query:
        attributes["query"] = query | {"metrics": None}
    if statuses:
        first = statuses[0]
        same = (
            "state",
            "error_budget_remaining",
            "indexed_at",
            "span_precision",
            "raw_error_budget_remaining",
        )
        status = {key: first[key] for key in same if key in first}
        attributes["status"] = status | {"sli": first["status"], "calculation_error": first["error"]}
    return {"data": {"type": "slo", "id": body["id"], "attributes": attributes}}


def _status(store: Store, body: Body, threshold: Body, now: int) -> Body:
    """Return the status of one window of an SLO, or the error if it cannot be evaluated."""
    status: Body = {"timeframe": threshold["timeframe"], "target": threshold["target"], "indexed_at": now}
    try:
        slo = Slo.from_body(body)
        history = evaluated(store, slo, now - TIMEFRAMES[threshold["timeframe"]], now)
    except InputError as error:
        nothing = {"status": None, "error_budget_remaining": None, "state": "no_data"}
        return status | nothing | {"error": error.message, "span_precision": None}
    part = history.overall
    left = part.total * (100 - threshold["target"]) / 100 - (part.total - part.good)
    unit = "requests" if history.type == "metric" else "seconds"
    return status | {
        "status": part.sli,
        "error": None,
        "error_budget_remaining": budget_remaining(part.sli, threshold["target"]),
        "raw_error_budget_remaining": {"value": left, "unit": unit},
        "span_precision": history.precision(part),
        "state": slo_state(part.sli, threshold["target"], threshold.get("warning")),
    }


def _values(body: Body, key: str) -> list[str]:
    return [tag.partition(":")[2] for tag in body["tags"] if tag.startswith(f"{key}:")]


def _facets(bodies: list[Body]) -> Body:
    facets: Body = {"all_tags": _counted(tag for body in bodies for tag in body["tags"])}
    for key in ("env", "service", "team"):
        facets[f"{key}_tags"] = _counted(value for body in bodies for value in _values(body, key))
    facets["creator_name"] = _counted(body["creator"]["name"] for body in bodies)
    facets["timeframe"] = _counted(
        threshold["timeframe"] for body in bodies for threshold in body["thresholds"]
    )
    return facets


def _counted(values: Any) -> list[Body]:
    return [{"name": name, "count": count} for name, count in Counter(values).most_common()]
