"""The same definitions for Terraform: the provider's JSON resources, references kept as references.

`datadog_dashboard_json` and `datadog_monitor_json` take the API's own shape, so nothing is lost or renamed.
SLOs and downtimes have no such resource: they become `datadog_service_level_objective` and
`datadog_downtime_schedule`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from monitoring.plan import Resource, normalise
from monitoring.plan.references import NUMBER_FIELDS, REFERENCE

TYPES = {
    "monitor": "datadog_monitor_json",
    "dashboard": "datadog_dashboard_json",
    "slo": "datadog_service_level_objective",
    "downtime": "datadog_downtime_schedule",
}
HEAD = """terraform {
  required_providers {
    datadog = {
      source = "DataDog/datadog"
    }
  }
}
"""


def as_terraform(resources: Sequence[Resource]) -> str:
    """One configuration with every resource, in the order given."""
    return "\n".join([HEAD, *(_block(one) for one in resources)])


def _block(one: Resource) -> str:
    body = normalise(one.kind, one.body)
    lines = "\n".join(f"  {line}".rstrip() for line in WRITERS[one.kind](body))
    return f'resource "{TYPES[one.kind]}" "{label(one.key)}" {{\n{lines}\n}}\n'


def label(key: str) -> str:
    """A Terraform name for a key."""
    name = re.sub(r"\W", "_", key)
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


def _json(argument: str) -> Callable[[Mapping[str, Any]], Iterator[str]]:
    def write(body: Mapping[str, Any]) -> Iterator[str]:
        rendered = _value(dict(body)).splitlines()
        yield f"{argument} = jsonencode({rendered[0]}"
        yield from rendered[1:-1]
        yield f"{rendered[-1]})"

    return write


def _slo(body: Mapping[str, Any]) -> Iterator[str]:
    for name in ("name", "type", "description", "tags", "groups", "monitor_ids"):
        if name in body:
            yield f"{name} = {_value(body[name], name)}"
    if "query" in body:
        yield from _nested("query", body["query"])
    for threshold in body.get("thresholds", []):
        yield from _nested("thresholds", threshold)


def _downtime(body: Mapping[str, Any]) -> Iterator[str]:
    yield f"scope = {_value(' AND '.join(body.get('scope', ['*'])))}"
    for name, theirs in (("message", "message"), ("timezone", "display_timezone")):
        if name in body:
            yield f"{theirs} = {_value(body[name])}"
    name = "monitor_id" if "monitor_id" in body else "monitor_tags"
    yield from _nested("monitor_identifier", {name: body.get(name, ["*"])})
    if "recurrence" in body:
        yield from _recurring(body)
    else:
        times = {name: _iso(body[name]) for name in ("start", "end") if name in body}
        yield from _nested("one_time_schedule", times)


def _recurring(body: Mapping[str, Any]) -> Iterator[str]:
    """A v1 recurrence as the iCalendar rule that the schedule takes."""
    rule = body["recurrence"]
    seconds = body.get("end", 0) - body.get("start", 0)
    parts = [f"FREQ={FREQUENCIES[rule['type']]}", f"INTERVAL={rule.get('period', 1)}"]
    if rule.get("week_days"):
        parts.append("BYDAY=" + ",".join(day[:2].upper() for day in rule["week_days"]))
    yield "recurring_schedule {"
    if "timezone" in body:
        yield f"  timezone = {_value(body['timezone'])}"
    recurrence = {"duration": f"{seconds}s", "rrule": rule.get("rrule") or ";".join(parts)}
    if "start" in body:
        recurrence["start"] = _iso(body["start"]).removesuffix("Z")
    yield from (f"  {line}" for line in _nested("recurrence", recurrence))
    yield "}"


FREQUENCIES = {"days": "DAILY", "weeks": "WEEKLY", "months": "MONTHLY", "years": "YEARLY", "rrule": ""}


def _iso(seconds: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _nested(name: str, body: Mapping[str, Any]) -> Iterator[str]:
    yield f"{name} {{"
    for key, value in body.items():
        yield f"  {key} = {_value(value, key)}"
    yield "}"


def _value(value: Any, field: str = "", indent: str = "") -> str:
    """A value as HCL; strings hold references, and nothing else that Terraform would interpret."""
    inner = indent + "  "
    if isinstance(value, Mapping):
        rows = [f"{inner}{json.dumps(key)} = {_value(item, key, inner)}" for key, item in value.items()]
        return "{\n" + "\n".join(rows) + f"\n{indent}}}" if rows else "{}"
    if isinstance(value, list):
        rows = [f"{inner}{_value(item, field, inner)}," for item in value]
        return "[\n" + "\n".join(rows) + f"\n{indent}]" if rows else "[]"
    if isinstance(value, str):
        return _text(value, field)
    return json.dumps(value)


def _text(text: str, field: str) -> str:
    alone = REFERENCE.fullmatch(text)
    if alone and field in NUMBER_FIELDS:
        return f"tonumber({_address(alone)})"
    escaped, last = [], 0
    for match in REFERENCE.finditer(text):
        escaped += [_escape(text[last : match.start()]), f"${{{_address(match)}}}"]
        last = match.end()
    return '"' + "".join([*escaped, _escape(text[last:])]) + '"'


def _address(match: re.Match[str]) -> str:
    return f"{TYPES[match[1]]}.{label(match[2])}.id"


def _escape(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)[1:-1]
    return quoted.replace("${", "$${").replace("%{", "%%{")


WRITERS: dict[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "monitor": _json("monitor"),
    "dashboard": _json("dashboard"),
    "slo": _slo,
    "downtime": _downtime,
}
