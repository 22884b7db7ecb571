"""Export resources as Terraform configuration, with references between them.

`datadog_dashboard_json` and `datadog_monitor_json` take the API's own shape, so nothing is lost or renamed.
SLOs and downtimes have no such resource: they become `datadog_service_level_objective` and
`datadog_downtime_schedule`.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from monitoring.deploy.canonical import normalise
from monitoring.deploy.references import NUMBER_FIELDS
from monitoring.resources.resource import ID_REFERENCE, Resource

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
    """Return a configuration with all resources, in their order."""
    return "\n".join([HEAD, *(_block(resource) for resource in resources)])


def _block(resource: Resource) -> str:
    body = normalise(resource.kind, resource.body)
    lines = "\n".join(f"  {line}" for line in WRITERS[resource.kind](body))
    return f'resource "{TYPES[resource.kind]}" "{label(resource.key)}" {{\n{lines}\n}}\n'


def label(key: str) -> str:
    """Return a Terraform name for a key."""
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
    yield from _attributes(body, ("name", "type", "description", "tags", "groups", "monitor_ids"))
    yield from _attributes(body, ("timeframe", "target_threshold", "warning_threshold"))
    if "query" in body:
        yield from _nested("query", body["query"])
    if "sli_specification" in body:
        yield from _block_of("sli_specification", _specification(body["sli_specification"]))
    for threshold in body.get("thresholds", []):
        yield from _nested("thresholds", threshold)


def _specification(specification: Mapping[str, Any]) -> Iterator[str]:
    """Convert the API's lists of queries and formulas into the provider's repeated blocks."""
    for kind, inner in specification.items():  # time_slice or count
        yield from _block_of(kind, _measured(inner))


def _measured(measured: Mapping[str, Any]) -> Iterator[str]:
    for key, value in measured.items():
        if key == "query":
            yield from _block_of("query", _measured(value))
        elif key == "queries":
            for item in value:
                yield from _block_of("query", _nested("metric_query", item))
        elif key == "formulas":
            for item in value:
                yield from _nested("formula", {"formula_expression": item["formula"]})
        elif key.endswith("_formula"):
            yield from _nested(key, {"formula_expression": value["formula"]})
        else:
            yield f"{key} = {_value(value, key)}"


def _downtime(body: Mapping[str, Any]) -> Iterator[str]:
    yield f"scope = {_value(body.get('scope', '*'))}"
    yield from _attributes(body, ("message", "display_timezone", "mute_first_recovery_notification"))
    yield from _attributes(body, ("notify_end_states", "notify_end_types"))
    yield from _nested("monitor_identifier", body.get("monitor_identifier", {"monitor_tags": ["*"]}))
    schedule = body.get("schedule", {})
    if "recurrences" in schedule:
        yield from _block_of("recurring_schedule", _recurring(schedule))
    elif schedule:
        yield from _nested("one_time_schedule", schedule)


def _recurring(schedule: Mapping[str, Any]) -> Iterator[str]:
    yield from _attributes(schedule, ("timezone",))
    for recurrence in schedule["recurrences"]:
        yield from _nested("recurrence", recurrence)


def _attributes(body: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    yield from (f"{name} = {_value(body[name], name)}" for name in names if name in body)


def _block_of(name: str, lines: Iterator[str]) -> Iterator[str]:
    yield f"{name} {{"
    yield from (f"  {line}" for line in lines)
    yield "}"


def _nested(name: str, body: Mapping[str, Any]) -> Iterator[str]:
    yield from _block_of(name, _attributes(body, tuple(body)))


def _value(value: Any, field: str = "", indent: str = "") -> str:
    """Return a value as HCL; strings contain references, and nothing else that Terraform interpolates."""
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
    alone = ID_REFERENCE.fullmatch(text)
    if alone and field in NUMBER_FIELDS:
        return f"tonumber({_address(alone)})"
    escaped, last = [], 0
    for match in ID_REFERENCE.finditer(text):
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
