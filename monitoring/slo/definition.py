"""Parse the API body of a service level objective into a value."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from monitoring.errors import InputError

Kind = Literal["metric", "monitor", "time_slice"]

DAY = 86_400
REFERENCE = re.compile(r"\$\{monitor:([\w.-]+(?:\[[\w.-]+\])?)\}")
TIMEFRAMES = {"7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY}
"""The rolling windows of an SLO, in seconds."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """The target of a rolling window, in percent, and an optional, stricter `warning` target."""

    timeframe: str
    target: float
    warning: float | None = None


@dataclass(frozen=True, slots=True)
class Count:
    """Formulas over `queries` of good events, and of total or bad events (`other_is`)."""

    good: str
    other: str
    other_is: Literal["total", "bad"]
    queries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TimeSlice:
    """A condition on a formula over `queries`: a slice of `seconds` that meets it is uptime."""

    formula: str
    comparator: str
    threshold: float
    seconds: int = 300
    queries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Slo:
    """A service level objective.

    An SLO of type monitor has `monitor_ids` and `groups`, a metric SLO `count`, a time slice SLO `slice`.
    `members`: id -> key of each monitor that the body references as `${monitor:KEY}`.
    """

    name: str
    type: Kind
    thresholds: tuple[Threshold, ...]
    count: Count | None = None
    slice: TimeSlice | None = None
    monitor_ids: tuple[int, ...] = ()
    groups: tuple[str, ...] = ()
    id: str = ""
    tags: tuple[str, ...] = ()
    members: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def from_body(cls, body: Mapping[str, Any], key: str = "") -> "Slo":
        """Parse an API body.

        Raises:
            InputError: the type is unknown, or a field that the type needs is missing or not valid.
        """
        kind = body.get("type")
        if kind not in {"metric", "monitor", "time_slice"}:
            hint = "the type is metric, monitor or time_slice"
            raise InputError(f"an SLO cannot be of type {kind!r}", where=key, hint=hint)
        numbers = dict(_numbered(body.get("monitor_ids") or (), key))
        return cls(
            name=str(body.get("name") or key or "SLO"),
            type=kind,
            thresholds=tuple(_threshold(item, key) for item in body.get("thresholds") or ()),
            count=_count(body, key) if kind == "metric" else None,
            slice=_slice(body, key) if kind == "time_slice" else None,
            monitor_ids=tuple(numbers),
            groups=tuple(str(item) for item in body.get("groups") or ()),
            id=str(body.get("id") or ""),
            tags=tuple(str(item) for item in body.get("tags") or ()),
            members={number: name for number, name in numbers.items() if name},
        )

    def threshold(self, timeframe: str) -> Threshold | None:
        """Return the threshold of a rolling window, or None if the SLO has none for it."""
        return next((target for target in self.thresholds if target.timeframe == timeframe), None)

    @property
    def primary(self) -> Threshold | None:
        """The threshold of the shortest window, which lists show by default."""
        candidates = [threshold for threshold in self.thresholds if threshold.timeframe in TIMEFRAMES]
        return min(candidates, key=lambda threshold: TIMEFRAMES[threshold.timeframe], default=None)


OURS = 900_000_001
"""The first of the ids that are assigned to monitors to which Datadog has not assigned one yet."""


def _numbered(texts: Sequence[Any], key: str) -> Iterator[tuple[int, str]]:
    """Yield (id, key) of each monitor; the key is empty if the body has the id."""
    for index, text in enumerate(texts):
        if reference := REFERENCE.fullmatch(str(text)):
            yield OURS + index, reference[1]
        else:
            yield int(_number(text, "monitor id", key)), ""


def _threshold(body: Any, key: str) -> Threshold:
    if not isinstance(body, Mapping):
        raise InputError("a threshold of the SLO is not an object", where=key)
    target, warning = _number(body.get("target"), "target", key), body.get("warning")
    if not 0 < target < 100:
        raise InputError(f"the target {target:g} is not between 0 and 100", where=key)
    return Threshold(
        str(body.get("timeframe")), target, None if warning is None else _number(warning, "warning", key)
    )


def _count(body: Mapping[str, Any], key: str) -> Count:
    spec = _mapping(body.get("sli_specification")).get("count")
    if isinstance(spec, Mapping):
        other_is: Literal["total", "bad"] = "total" if spec.get("total_events_formula") else "bad"
        good, other = (
            _formula(spec.get("good_events_formula")),
            _formula(spec.get(f"{other_is}_events_formula")),
        )
        queries = _queries(spec.get("queries"), key)
    else:
        query = _mapping(body.get("query"))
        other_is, queries = "total", {}
        good, other = str(query.get("numerator") or ""), str(query.get("denominator") or "")
    if not good or not other:
        hint = 'write "query": {"numerator": "…", "denominator": "…"}'
        raise InputError("a metric SLO needs two queries, of good and of total events", where=key, hint=hint)
    return Count(good, other, other_is, queries)


def _slice(body: Mapping[str, Any], key: str) -> TimeSlice:
    spec = _mapping(_mapping(body.get("sli_specification")).get("time_slice"))
    query = _mapping(spec.get("query"))
    formulas = [formula for formula in query.get("formulas") or [] if isinstance(formula, Mapping)]
    if len(formulas) != 1 or spec.get("comparator") not in {">", ">=", "<", "<="}:
        hint = "write one formula, a comparator (> >= < <=) and a threshold to sli_specification.time_slice"
        raise InputError("a time slice SLO needs a condition", where=key, hint=hint)
    (formula,) = formulas
    seconds = int(spec.get("query_interval_seconds") or 300)
    if seconds not in {60, 300}:
        raise InputError(f"a time slice is 60 or 300 seconds long, not {seconds}", where=key)
    return TimeSlice(
        str(formula.get("formula")),
        str(spec["comparator"]),
        _number(spec.get("threshold"), "threshold", key),
        seconds,
        _queries(query.get("queries"), key),
    )


def _queries(queries: Any, key: str) -> dict[str, str]:
    texts = {}
    for query in queries if isinstance(queries, Sequence) else ():
        if not isinstance(query, Mapping) or query.get("data_source") != "metrics":
            raise InputError("an SLO can only be evaluated with metric queries", where=key)
        texts[str(query.get("name"))] = str(query.get("query"))
    return texts


def _formula(formula: Any) -> str:
    return str(_mapping(formula).get("formula") or "")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any, name: str, key: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InputError(f"the {name} of the SLO is {value!r}, which is not a number", where=key) from None
