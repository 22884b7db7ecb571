"""Validate a definition: each fault with its place, in AWS's words where they are known."""

import json
import re
from collections.abc import Iterator
from typing import Any

from monitoring.local_aws.states import fields as known
from monitoring.local_aws.states.availability import missing_integration
from monitoring.local_aws.states.field_checks import enums, error_rule, listed, numbers, required, supported
from monitoring.local_aws.states.problems import Place, Problem, Problems, problem
from monitoring.local_aws.states.resources import TOKEN, parse_resource
from monitoring.local_aws.states.value_checks import choice_rules, jsonata_fields, jsonpath_fields

MAX_DEFINITION_BYTES = 1_048_576
MAX_NAME = 80
_TRANSITION = "MISSING_TRANSITION_TARGET"


class _RepeatedKeyError(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    repeated = next((key for number, key in enumerate(keys) if key in keys[:number]), None)
    if repeated is not None:
        raise _RepeatedKeyError(repeated)
    return dict(pairs)


def problems_of(definition: str, kind: str = "STANDARD") -> list[Problem]:
    """Return everything that is wrong with a definition."""
    if not definition.strip():
        return [problem("The definition is empty", (), code="MISSING_DESCRIPTION")]
    if len(definition.encode()) > MAX_DEFINITION_BYTES:
        return [
            problem(
                f"The definition is larger than {MAX_DEFINITION_BYTES} bytes",
                (),
                code="INVALID_JSON_DESCRIPTION",
            )
        ]
    try:
        parsed = json.loads(definition, object_pairs_hook=_unique)
    except _RepeatedKeyError as repeated:
        return [problem(f"Duplicate field '{repeated}'", (), code="INVALID_JSON_DESCRIPTION")]
    except (ValueError, RecursionError) as failed:
        return [problem(str(failed), (), code="INVALID_JSON_DESCRIPTION")]
    if not isinstance(parsed, dict):
        return [problem("Expected a JSON object", (), code="INVALID_JSON_DESCRIPTION")]
    return list(_Checker(kind).machine(parsed, (), known.MACHINE, "JSONPath", frozenset()))


class _Checker:
    """Checks the states of one definition."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.labels: set[str] = set()

    # -- machines and transitions

    def machine(
        self, machine: Any, place: Place, allowed: frozenset[str], language: str, outer: frozenset[str]
    ) -> Problems:
        """Check a machine, branch or item processor; `outer` are the variables that it sees."""
        if not isinstance(machine, dict):
            yield problem("Expected a JSON object", place)
            return
        yield from supported(machine, allowed, place)
        yield from enums(machine, place)
        yield from numbers(machine, place, jsonata=False)
        language = machine.get("QueryLanguage", language)
        states = machine.get("States")
        if not isinstance(states, dict) or not states:
            yield problem(
                "The field 'States' is required, an object with at least one state",
                (*place, "States"),
                at=place,
            )
            return
        if machine.get("StartAt") not in states:
            yield problem(
                f"Missing 'StartAt' target: {machine.get('StartAt')}", (*place, "StartAt"), code=_TRANSITION
            )
        assigned = outer | {name for state in states.values() for name in _assigned(state)}
        for name, state in states.items():
            yield from self.state(name, state, states, (*place, "States", name), language, (outer, assigned))
        yield from _unreachable(machine, states, place)

    def state(
        self,
        name: str,
        state: Any,
        states: dict[str, Any],
        place: Place,
        language: str,
        scope: tuple[frozenset[str], Any],
    ) -> Problems:
        """Check one state."""
        if not isinstance(state, dict):
            yield problem("Expected a JSON object", place)
            return
        kind = state.get("Type")
        if not isinstance(kind, str) or kind not in known.JSONPATH:
            yield problem(
                f"Value is not one of {sorted(known.JSONPATH)}: {kind!r}".replace("'", ""), (*place, "Type")
            )
            return
        if not 0 < len(name) <= MAX_NAME:
            yield problem(
                f"The state name has more than {MAX_NAME} characters", place, code="INVALID_STATE_NAME"
            )
        if language == "JSONata" and state.get("QueryLanguage") == "JSONPath":
            yield problem(
                "QueryLanguage can not be 'JSONPath' if set to 'JSONata' for whole state machine",
                (*place, "QueryLanguage"),
            )
        jsonata = state.get("QueryLanguage", language) == "JSONata"
        yield from supported(state, (known.JSONATA if jsonata else known.JSONPATH)[kind], place)
        yield from enums(state, place)
        yield from numbers(state, place, jsonata=jsonata)
        yield from required(state, kind, place)
        yield from _moves(state, kind, states, place)
        yield from self._values(state, place, jsonata=jsonata)
        for shadowing in _assigned(state) & scope[0]:
            yield problem(
                f"Variable '{shadowing}' is already assigned in an outer scope",
                (*place, "Assign", shadowing),
                at=(*place, "Assign"),
            )
        yield from self._inner(state, kind, place, language, scope[1])

    def _values(self, state: dict[str, Any], place: Place, *, jsonata: bool) -> Problems:
        for number, retrier in enumerate(listed(state, "Retry")):
            yield from error_rule(retrier, known.RETRIER, (*place, f"Retry[{number}]"))
        for number, catcher in enumerate(listed(state, "Catch")):
            inner = (*place, f"Catch[{number}]")
            yield from error_rule(catcher, known.CATCHER[jsonata], inner)
            yield from jsonata_fields(catcher, inner) if jsonata else jsonpath_fields(catcher, inner)
        yield from jsonata_fields(state, place) if jsonata else jsonpath_fields(state, place)
        if state["Type"] == "Choice":
            yield from choice_rules(listed(state, "Choices"), place, jsonata=jsonata)
        if state["Type"] == "Task":
            yield from self._resource(state.get("Resource"), (*place, "Resource"))

    # -- what is within a state

    def _inner(
        self, state: dict[str, Any], kind: str, place: Place, language: str, assigned: frozenset[str]
    ) -> Problems:
        if kind == "Parallel":
            for number, branch in enumerate(listed(state, "Branches")):
                yield from self.machine(
                    branch,
                    (*place, "Branches", number),
                    known.BRANCH - {"ProcessorConfig"},
                    language,
                    assigned,
                )
        if kind != "Map":
            return
        name = "ItemProcessor" if "ItemProcessor" in state else "Iterator"
        processor = state.get(name)
        config = processor.get("ProcessorConfig", {}) if isinstance(processor, dict) else {}
        inner = (*place, name, "ProcessorConfig")
        distributed = isinstance(config, dict) and config.get("Mode") == "DISTRIBUTED"
        if isinstance(config, dict):
            yield from supported(config, frozenset(("Mode", "ExecutionType")), inner)
            yield from enums(config, inner)
            if distributed and "ExecutionType" not in config:
                yield problem(
                    "The field 'ExecutionType' is required in DISTRIBUTED mode",
                    (*inner, "ExecutionType"),
                    at=inner,
                )
        if distributed and self.kind == "EXPRESS":
            yield problem("Express state machine does not support Map state in DISTRIBUTED mode", inner)
        for field in known.DISTRIBUTED_ONLY:
            if field in state and not distributed:
                yield problem(
                    f"Field '{field}' is supported in DISTRIBUTED mode only", (*place, field), at=place
                )
        yield from self._distributed(state, place)
        yield from self.machine(
            processor, (*place, name), known.BRANCH, language, frozenset() if distributed else assigned
        )

    def _distributed(self, state: dict[str, Any], place: Place) -> Problems:
        label = state.get("Label")
        if label is not None and (
            not isinstance(label, str)
            or not 0 < len(label) <= 40
            or re.search(r'[\s?*<>{}\[\]:;,|^~$#%&`"\x00-\x1f]', label)
        ):
            yield problem(
                f"The label '{label}' is not valid: at most 40 characters, no spaces or special characters",
                (*place, "Label"),
                code="INVALID_LABEL_NAME",
            )
        elif label is not None and label in self.labels:
            yield problem(
                f"The label '{label}' appears more than once", (*place, "Label"), code="DUPLICATE_LABEL_NAME"
            )
        self.labels.add(str(label))
        reader, writer = state.get("ItemReader"), state.get("ResultWriter")
        if isinstance(reader, dict):
            inner = (*place, "ItemReader")
            yield from supported(
                reader, frozenset(("Resource", "Parameters", "Arguments", "ReaderConfig")), inner
            )
            yield from _data_resource(reader, ("getObject", "listObjectsV2"), inner)
            config = reader.get("ReaderConfig")
            yield from enums(config if isinstance(config, dict) else {}, (*inner, "ReaderConfig"))
        if isinstance(writer, dict):
            inner = (*place, "ResultWriter")
            yield from supported(
                writer, frozenset(("Resource", "Parameters", "Arguments", "WriterConfig")), inner
            )
            if "Resource" in writer:
                yield from _data_resource(writer, ("putObject",), inner)
            config = writer.get("WriterConfig")
            yield from enums(config if isinstance(config, dict) else {}, (*inner, "WriterConfig"))

    # -- resources

    def _resource(self, arn: Any, place: Place) -> Problems:
        resource = parse_resource(arn) if isinstance(arn, str) else None
        if resource is None:
            yield _unrecognized(arn, place)
            return
        if self.kind == "EXPRESS":
            if resource.kind == "activity":
                yield problem("Express state machine does not support Activity ARN", place)
            elif resource.pattern:
                yield problem(
                    f"Express state machine does not support '.{resource.pattern[:4]}' service integration"
                    if resource.pattern != TOKEN
                    else f"Express state machine does not support '.{TOKEN}' service integration",
                    place,
                )
        if resource.kind in {"service", "sdk"}:
            reason = missing_integration(resource)
            if reason is None:
                yield _unrecognized(arn, place)
            elif reason:
                yield problem(
                    f"The embedded AWS does not support {resource.arn}: {reason}",
                    place,
                    code="INVALID_RESOURCE",
                )


def _unrecognized(arn: Any, place: Place) -> Problem:
    return problem(
        f"The resource provided {arn} is not recognized. The value is not a valid resource ARN, or the "
        "resource is not available in this region.",
        place,
    )


def _data_resource(source: dict[str, Any], actions: tuple[str, ...], place: Place) -> Problems:
    arn = source.get("Resource")
    resource = parse_resource(arn) if isinstance(arn, str) else None
    if resource is None or resource.service != "s3" or resource.action not in actions:
        yield _unrecognized(arn, (*place, "Resource"))


# -- transitions and variables


def _moves(state: dict[str, Any], kind: str, states: dict[str, Any], place: Place) -> Problems:
    if kind not in known.TERMINAL:
        if "Next" in state and "End" in state:
            yield problem("Only one of these fields is allowed: [Next, End]", place)
        elif "Next" not in state and state.get("End") is not True:
            yield problem("Exactly one of these fields is required: [Next, End]", place)
    for field, target in _targets(state):
        if target not in states:
            name = field[-1]
            yield problem(f"Missing '{name}' target: {target}", (*place, *field), code=_TRANSITION)


def _targets(state: Any) -> Iterator[tuple[Place, Any]]:
    """Return where a state may go on, with the fields that say so."""
    if not isinstance(state, dict):
        return
    for name in ("Next", "Default"):
        if name in state:
            yield (name,), state[name]
    for name in ("Choices", "Catch"):
        for number, rule in enumerate(listed(state, name)):
            if isinstance(rule, dict) and "Next" in rule:
                yield (name, number, "Next"), rule["Next"]


def _unreachable(machine: dict[str, Any], states: dict[str, Any], place: Place) -> Problems:
    reached, waiting = set(), [machine.get("StartAt")]
    while waiting:
        name = waiting.pop()
        if name in states and name not in reached:
            reached.add(name)
            waiting += [target for _, target in _targets(states[name]) if isinstance(target, str)]
    for name in states:
        if name not in reached and machine.get("StartAt") in states:
            yield problem(f'State "{name}" is not reachable.', (*place, "States", name), code=_TRANSITION)


def _assigned(state: Any) -> frozenset[str]:
    """Return the names of the variables that a state assigns."""
    if not isinstance(state, dict):
        return frozenset()
    sources = [state, *listed(state, "Choices"), *listed(state, "Catch")]
    return frozenset(
        name.removesuffix(".$")
        for source in sources
        if isinstance(source, dict) and isinstance(source.get("Assign"), dict)
        for name in source["Assign"]
    )
