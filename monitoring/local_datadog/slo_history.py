"""The history of service level objectives in the API's response format."""

import contextlib
import functools
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.errors import InputError
from monitoring.monitor.definition import Monitor
from monitoring.monitor.evaluation import Data, Objective, Setting, evaluate_monitor
from monitoring.monitor.history import History
from monitoring.monitor.windows import Times
from monitoring.query import SloMonitor
from monitoring.slo import Inputs, Part, Slo, SloHistory, budget_remaining, evaluate_slo, slo_state
from monitoring.slo.alerts import alert_values
from monitoring.slo.definition import Count
from monitoring.store import Store
from monitoring.store.facts import monitor_data
from monitoring.store.joined import source_of
from monitoring.store.states import recorded

Body = dict[str, Any]
CORRECTION = "slo_correction"
TYPE_IDS = {"monitor": 0, "metric": 1, "time_slice": 2}
LONGEST = 31 * 86_400
"""The longest time range in seconds for which a monitor without recorded states is evaluated."""
_ZERO = {"error_message": "The denominator is zero valued", "error_type": "ZERO_VALUED_DENOMINATOR"}


def evaluated(store: Store, slo: Slo, start: int, end: int, *, corrected: bool = True) -> SloHistory:
    """Evaluate the SLO over the stored points, or over the recorded states of its monitors.

    Raises:
        InputError: the SLO cannot be evaluated.
    """
    corrections = corrections_of(store, slo) if corrected else []
    inputs = Inputs(source_of(store), lambda *arguments: _history(store, *arguments))
    return evaluate_slo(slo, inputs, start, end, corrections)


def corrections_of(store: Store, slo: Slo) -> list[Body]:
    """Return the attributes of the SLO's corrections."""
    corrections = [correction["attributes"] for correction in store.documents.all(CORRECTION)]
    return [correction for correction in corrections if correction.get("slo_id") == slo.id]


def objectives_of(store: Store) -> dict[str, Objective]:
    """Return id -> evaluation of the alerts on each stored SLO; invalid SLOs are left out."""
    histories: dict[str, Objective] = {}
    for body in store.documents.all("slo"):
        with contextlib.suppress(InputError):
            histories[str(body["id"])] = _objective(store, Slo.from_body(body, str(body["id"])))
    return histories


def _objective(store: Store, slo: Slo) -> Objective:
    history = functools.partial(_history, store)

    def evaluated(
        node: SloMonitor, data: Data, times: Times
    ) -> Mapping[tuple[str, ...], NDArray[np.float64]]:
        return alert_values(slo, node, data.series, times, history)

    return evaluated


def _history(store: Store, ident: int, start: int, end: int) -> History | None:
    body = store.documents.get("monitor", str(ident))
    if body is None:
        return None
    monitor = Monitor.from_body(body, str(ident))
    if (states := recorded(store, monitor, start, end)) is not None:
        return states
    bodies = store.documents.all("monitor")
    members = {stored["id"]: Monitor.from_body(stored, str(stored["id"])) for stored in bodies}
    setting = Setting(members=members, texts=False)
    first = -(-max(start, end - LONGEST) // 60) * 60
    return evaluate_monitor(monitor, monitor_data(store, monitor.type, first), first, end // 60 * 60, setting)


def answer(store: Store, body: Body, history: SloHistory, target: float | None) -> Body:
    """Return the `data` of /api/v1/slo/{id}/history.

    Args:
        store: contains the names of monitors.
        body: the stored SLO.
        history: its history over the window.
        target: an additional target with the name `custom`.
    """
    targets = {threshold["timeframe"]: threshold["target"] for threshold in body["thresholds"]}
    targets |= {} if target is None else {"custom": target}
    data: Body = {
        "thresholds": {threshold["timeframe"]: threshold for threshold in body["thresholds"]},
        "from_ts": history.start,
        "to_ts": history.end,
        "type": body["type"],
        "type_id": TYPE_IDS[body["type"]],
        "slo": body,
        "group_by": list(history.group_by),
        "overall": _overall(history, body, targets),
    }
    if (count := Slo.from_body(body).count) is not None:
        data["series"] = _series(history, count)
    if history.groups:
        names = "groups" if history.type != "monitor" or history.group_by else "monitors"
        data[names] = [_group(store, history, part, targets) for part in history.groups]
    return data


def _overall(history: SloHistory, body: Body, targets: Mapping[str, float]) -> Body:
    part = history.overall
    primary = body["thresholds"][0]
    data = _sli(history, part, targets) | {
        "name": body["name"],
        "precision": dict.fromkeys(targets, history.precision(part)),
        "corrections": [{"start": start, "end": end} for start, end in history.corrections],
        "state": slo_state(part.sli, primary["target"], primary.get("warning")),
    }
    return data if part.sli is not None else data | {"errors": [_ZERO]}


def _group(store: Store, history: SloHistory, part: Part, targets: Mapping[str, float]) -> Body:
    data = _sli(history, part, targets) | {"group": part.name, "name": part.name}
    data["precision"] = history.precision(part)
    if history.group_by or history.type != "monitor":
        return data
    monitor = store.documents.get("monitor", part.name) or {}
    kind = {"name": str(monitor.get("name", part.name)), "monitor_type": str(monitor.get("type", ""))}
    return data | kind


def _sli(history: SloHistory, part: Part, targets: Mapping[str, float]) -> Body:
    sli = None if part.sli is None else round(part.sli, 4)
    left = {name: budget_remaining(part.sli, target) for name, target in targets.items()}
    data: Body = {"sli_value": sli, "span_precision": history.precision(part), "preview": False}
    data["error_budget_remaining"] = {name: value for name, value in left.items() if value is not None}
    if history.type != "metric":
        data["history"] = [[time, state] for time, state in part.transitions]
        data |= {} if sli is None else {"uptime": sli}
    return data


def _series(history: SloHistory, count: Count) -> Body:
    part, total_key = history.overall, "denominator" if count.other_is == "total" else "total"
    return {
        "res_type": "time_series",
        "resp_version": 2,
        "query": f"{count.good}, {count.other}",
        "from_date": history.start * 1000,
        "to_date": history.end * 1000,
        "message": "",
        "interval": history.interval,
        "times": [float(time * 1000) for time in history.times.tolist()],
        "numerator": _side(part.numerator, count.good, 0),
        "denominator": _side(part.denominator, count.other if total_key == "denominator" else total_key, 1),
        "numerator_query": count.good,
        "denominator_query": count.other,
    }


def _side(values: NDArray[np.float64], text: str, index: int) -> Body:
    metrics = re.findall(r"\w+:([\w.]+)\{([^}]*)\}", text)
    name, scope = metrics[0] if metrics else ("", "")
    about: Body = {"unit": None, "query_index": index, "aggr": "sum", "tag_set": [], "expression": text}
    about |= {"metric": name, "scope": scope}
    return {
        "values": values.tolist(),
        "count": len(values),
        "sum": float(values.sum()),
        "metadata": about,
    }
