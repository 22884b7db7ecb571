"""schema: a body whose shape Datadog's API refuses."""

from collections.abc import Iterator, Mapping

from monitoring.lint.model import RECORDED, TERRAFORM, Problem, Refusal, Rule, Severity, Subject
from monitoring.lint.rules.read_only_key import KEYS
from monitoring.resources.schema import Fault

RULE = Rule(
    "schema",
    "error",
    "The shape is not what Datadog's API takes: a missing key, a wrong type or word.",
    refusals=(
        Refusal("Value of parameter 'layout_type' should be any of these ['ordered', 'free']", RECORDED),
        Refusal("'widgets' should be array", RECORDED),
        Refusal("Invalid widget definition at position … of type …", f"{TERRAFORM}1969 and {TERRAFORM}2243"),
        Refusal("'template_variables' value … is invalid", RECORDED),
        Refusal("The parameter 'type' is required", RECORDED),
        Refusal("Non-numeric threshold value.", f"{TERRAFORM}372"),
        Refusal("Invalid payload: must specify monitor_ids", RECORDED),
        Refusal("Invalid payload: must specify the query for count types", RECORDED),
        Refusal("Invalid scope parameter", RECORDED),
    ),
)

REFUSED: Mapping[str, frozenset[str]] = {
    "dashboard": frozenset({"layout_type", "widgets", "template_variables", "template_variable_presets"}),
    "monitor": frozenset({"type", "query", "options"}),
    "slo": frozenset({"type", "monitor_ids", "query", "sli_specification"}),
    "downtime": frozenset({"scope"}),
}
"""Kind -> the keys about whose value, or absence, the API's refusal is recorded."""


def check(subject: Subject) -> Iterator[Problem]:
    """Yield what the schema refuses, with its exact path; keys that Datadog sets itself may hold anything."""
    kind = subject.resource.kind
    for fault in subject.faults:
        if not fault.unverified and not set(fault.pointer[:1]) & set(KEYS.get(kind, ())):
            text = f"{fault.message}. {fault.hint}".rstrip(". ").rstrip()
            yield Problem(fault.pointer, text, severity=_severity(kind, fault))
    if kind == "slo":
        yield from _parts(subject)


def _severity(kind: str, fault: Fault) -> Severity:
    """Return error where the refusal of this key of the body is recorded."""
    key = fault.missing if fault.pointer == () else fault.pointer[0]
    return "error" if key in REFUSED.get(kind, ()) or fault.message.startswith("the file is") else "warning"


_PARTS: Mapping[object, tuple[str, ...]] = {
    "monitor": ("monitor_ids",),
    "metric": ("query", "sli_specification"),
}
"""Type of an SLO -> the keys of which it needs one."""


def _parts(subject: Subject) -> Iterator[Problem]:
    """Find SLOs without what their type is computed from."""
    kind = subject.body.get("type")
    keys = _PARTS.get(kind, ()) if isinstance(kind, str) else ()
    if keys and not any(subject.body.get(key) for key in keys):
        yield Problem((), f"an SLO of type {kind} has no {keys[0]}. Add {keys[0]}")
