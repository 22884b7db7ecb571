"""Validate a definition: each fault with its place, in AWS's words where they are known."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from monitoring.local_aws.states import fields as known
from monitoring.local_aws.states.choice import OPERATORS, PATH_OPERATORS
from monitoring.local_aws.states.expressions import ExpressionSyntaxError, compile_expression, expression_of
from monitoring.local_aws.states.intrinsics import IntrinsicSyntaxError, parse_intrinsic, references
from monitoring.local_aws.states.jsonpath import PathSyntaxError, compile_path
from monitoring.local_aws.states.resources import ELSEWHERE, TOKEN, TaskResource, parse_resource
from monitoring.local_aws.states.sdk import boto_name, call_of

MAX_DEFINITION_BYTES = 1_048_576
MAX_NAME = 80
_SCHEMA = "SCHEMA_VALIDATION_FAILED"
_TRANSITION = "MISSING_TRANSITION_TARGET"
_VARIABLE = re.compile(r"\$[A-Za-z_][A-Za-z0-9_]*(.*)", re.DOTALL)

Place = tuple[str | int, ...]


class Problem(NamedTuple):
    """One fault: the code and words of AWS, where AWS says it is, and the field itself."""

    code: str
    message: str
    location: str
    place: Place
    severity: str = "ERROR"

    def where(self) -> str:
        """Return the field as a path: `$.States.Wait.Secnods`."""
        return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.place)


Problems = Iterator[Problem]


def _problem(message: str, place: Place, *, at: Place | None = None, code: str = _SCHEMA) -> Problem:
    location = "".join(
        f"[{part}]" if isinstance(part, int) else f"/{part}" for part in (place if at is None else at)
    )
    return Problem(code, message, location, place)


def errors_of(problems: list[Problem]) -> list[Problem]:
    """Return the problems that keep a definition from being deployed."""
    return [problem for problem in problems if problem.severity == "ERROR"]


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
        return [_problem("The definition is empty", (), code="MISSING_DESCRIPTION")]
    if len(definition.encode()) > MAX_DEFINITION_BYTES:
        return [
            _problem(
                f"The definition is larger than {MAX_DEFINITION_BYTES} bytes",
                (),
                code="INVALID_JSON_DESCRIPTION",
            )
        ]
    try:
        parsed = json.loads(definition, object_pairs_hook=_unique)
    except _RepeatedKeyError as repeated:
        return [_problem(f"Duplicate field '{repeated}'", (), code="INVALID_JSON_DESCRIPTION")]
    except (ValueError, RecursionError) as failed:
        return [_problem(str(failed), (), code="INVALID_JSON_DESCRIPTION")]
    if not isinstance(parsed, dict):
        return [_problem("Expected a JSON object", (), code="INVALID_JSON_DESCRIPTION")]
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
            yield _problem("Expected a JSON object", place)
            return
        yield from _supported(machine, allowed, place)
        yield from _enums(machine, place)
        yield from _numbers(machine, place, jsonata=False)
        language = machine.get("QueryLanguage", language)
        states = machine.get("States")
        if not isinstance(states, dict) or not states:
            yield _problem(
                "The field 'States' is required, an object with at least one state",
                (*place, "States"),
                at=place,
            )
            return
        if machine.get("StartAt") not in states:
            yield _problem(
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
            yield _problem("Expected a JSON object", place)
            return
        kind = state.get("Type")
        if not isinstance(kind, str) or kind not in known.JSONPATH:
            yield _problem(
                f"Value is not one of {sorted(known.JSONPATH)}: {kind!r}".replace("'", ""), (*place, "Type")
            )
            return
        if not 0 < len(name) <= MAX_NAME:
            yield _problem(
                f"The state name has more than {MAX_NAME} characters", place, code="INVALID_STATE_NAME"
            )
        if language == "JSONata" and state.get("QueryLanguage") == "JSONPath":
            yield _problem(
                "QueryLanguage can not be 'JSONPath' if set to 'JSONata' for whole state machine",
                (*place, "QueryLanguage"),
            )
        jsonata = state.get("QueryLanguage", language) == "JSONata"
        yield from _supported(state, (known.JSONATA if jsonata else known.JSONPATH)[kind], place)
        yield from _enums(state, place)
        yield from _numbers(state, place, jsonata=jsonata)
        yield from _required(state, kind, place)
        yield from _moves(state, kind, states, place)
        yield from self._values(state, place, jsonata=jsonata)
        for shadowing in _assigned(state) & scope[0]:
            yield _problem(
                f"Variable '{shadowing}' is already assigned in an outer scope",
                (*place, "Assign", shadowing),
                at=(*place, "Assign"),
            )
        yield from self._inner(state, kind, place, language, scope[1])

    def _values(self, state: dict[str, Any], place: Place, *, jsonata: bool) -> Problems:
        for number, retrier in enumerate(_list(state, "Retry")):
            yield from _error_rule(retrier, known.RETRIER, (*place, f"Retry[{number}]"))
        for number, catcher in enumerate(_list(state, "Catch")):
            inner = (*place, f"Catch[{number}]")
            yield from _error_rule(catcher, known.CATCHER[jsonata], inner)
            yield from _expressions(catcher, inner) if jsonata else _paths(catcher, inner)
        yield from _expressions(state, place) if jsonata else _paths(state, place)
        if state["Type"] == "Choice":
            yield from _rules(_list(state, "Choices"), place, jsonata=jsonata)
        if state["Type"] == "Task":
            yield from self._resource(state.get("Resource"), (*place, "Resource"))

    # -- what is within a state

    def _inner(
        self, state: dict[str, Any], kind: str, place: Place, language: str, assigned: frozenset[str]
    ) -> Problems:
        if kind == "Parallel":
            for number, branch in enumerate(_list(state, "Branches")):
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
            yield from _supported(config, frozenset(("Mode", "ExecutionType")), inner)
            yield from _enums(config, inner)
            if distributed and "ExecutionType" not in config:
                yield _problem(
                    "The field 'ExecutionType' is required in DISTRIBUTED mode",
                    (*inner, "ExecutionType"),
                    at=inner,
                )
        if distributed and self.kind == "EXPRESS":
            yield _problem("Express state machine does not support Map state in DISTRIBUTED mode", inner)
        for field in known.DISTRIBUTED_ONLY:
            if field in state and not distributed:
                yield _problem(
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
            yield _problem(
                f"The label '{label}' is not valid: at most 40 characters, no spaces or special characters",
                (*place, "Label"),
                code="INVALID_LABEL_NAME",
            )
        elif label is not None and label in self.labels:
            yield _problem(
                f"The label '{label}' appears more than once", (*place, "Label"), code="DUPLICATE_LABEL_NAME"
            )
        self.labels.add(str(label))
        reader, writer = state.get("ItemReader"), state.get("ResultWriter")
        if isinstance(reader, dict):
            inner = (*place, "ItemReader")
            yield from _supported(
                reader, frozenset(("Resource", "Parameters", "Arguments", "ReaderConfig")), inner
            )
            yield from _data_resource(reader, ("getObject", "listObjectsV2"), inner)
            config = reader.get("ReaderConfig")
            yield from _enums(config if isinstance(config, dict) else {}, (*inner, "ReaderConfig"))
        if isinstance(writer, dict):
            inner = (*place, "ResultWriter")
            yield from _supported(
                writer, frozenset(("Resource", "Parameters", "Arguments", "WriterConfig")), inner
            )
            if "Resource" in writer:
                yield from _data_resource(writer, ("putObject",), inner)
            config = writer.get("WriterConfig")
            yield from _enums(config if isinstance(config, dict) else {}, (*inner, "WriterConfig"))

    # -- resources

    def _resource(self, arn: Any, place: Place) -> Problems:
        resource = parse_resource(arn) if isinstance(arn, str) else None
        if resource is None:
            yield _unrecognized(arn, place)
            return
        if self.kind == "EXPRESS":
            if resource.kind == "activity":
                yield _problem("Express state machine does not support Activity ARN", place)
            elif resource.pattern:
                yield _problem(
                    f"Express state machine does not support '.{resource.pattern[:4]}' service integration"
                    if resource.pattern != TOKEN
                    else f"Express state machine does not support '.{TOKEN}' service integration",
                    place,
                )
        if resource.kind in {"service", "sdk"}:
            reason = _missing(resource)
            if reason is None:
                yield _unrecognized(arn, place)
            elif reason:
                yield _problem(
                    f"The embedded AWS does not support {resource.arn}: {reason}",
                    place,
                    code="INVALID_RESOURCE",
                )


def _unrecognized(arn: Any, place: Place) -> Problem:
    return _problem(
        f"The resource provided {arn} is not recognized. The value is not a valid resource ARN, or the "
        "resource is not available in this region.",
        place,
    )


def unavailable(arn: str) -> str:
    """Return why this AWS cannot run what a Task names although AWS does; "" if it can, or AWS cannot."""
    resource = parse_resource(arn)
    return (_missing(resource) or "") if resource is not None and resource.kind in {"sdk", "service"} else ""


def _missing(resource: TaskResource) -> str | None:
    """Return why this AWS cannot run an integration, "" if it can, None if AWS has no such integration."""
    if resource.kind == "sdk":
        if (
            resource.pattern not in {"", TOKEN}
            or boto_name(resource.service.lower()) is None
            or call_of(resource) is None
        ):
            return None
        from moto.backends import list_of_moto_modules

        name = boto_name(resource.service.lower())
        modules = {module.replace("_", "-") for module in list_of_moto_modules()} | {"lambda"}
        return (
            ""
            if name in modules or str(name).replace("-", "") in {known.replace("-", "") for known in modules}
            else f"moto has no service {name}"
        )
    integration = resource.integration
    if integration is None:
        actions = ELSEWHERE.get(resource.service, "").split()
        return f"it does not run {resource.service}" if resource.action in actions else None
    if resource.pattern in integration.patterns or not resource.pattern:
        return ""
    if resource.pattern in integration.missing:
        return f"it has no containers, so that what {resource.action} starts never ends"
    return None


def _data_resource(source: dict[str, Any], actions: tuple[str, ...], place: Place) -> Problems:
    arn = source.get("Resource")
    resource = parse_resource(arn) if isinstance(arn, str) else None
    if resource is None or resource.service != "s3" or resource.action not in actions:
        yield _unrecognized(arn, (*place, "Resource"))


# -- fields


def _list(state: dict[str, Any], name: str) -> list[Any]:
    value = state.get(name)
    return value if isinstance(value, list) else []


def _supported(value: dict[str, Any], allowed: frozenset[str], place: Place) -> Problems:
    for name in value:
        if name not in allowed:
            yield _problem(f"Field '{name}' is not supported", (*place, name), at=place)


def _enums(value: dict[str, Any], place: Place) -> Problems:
    for name, unsupported in known.UNSUPPORTED.items():
        if value.get(name) == unsupported:
            yield _problem(f"The embedded AWS does not support {name} {unsupported}", (*place, name))
    for name, values in known.ENUMS.items():
        if name in value and value[name] not in values:
            yield _problem(f"Value is not one of [{', '.join(values)}]: {value[name]}", (*place, name))


def _numbers(value: dict[str, Any], place: Place, *, jsonata: bool) -> Problems:
    for name, (least, most, whole) in known.NUMBERS.items():
        text = value.get(name)
        if name not in value or (jsonata and expression_of(text) is not None):
            continue
        kind = "integer" if whole else "number"
        if (
            not isinstance(text, int if whole else int | float)
            or isinstance(text, bool)
            or not least <= text <= most
        ):
            limits = f"at least {least}" if most == float("inf") else f"from {least} to {most}"
            yield _problem(f"Expected a value of type {kind}, {limits}: {json.dumps(text)}", (*place, name))


def _required(state: dict[str, Any], kind: str, place: Place) -> Problems:
    name = known.REQUIRED.get(kind)
    if name is not None and not state.get(name):
        yield _problem(f"The field '{name}' is required", (*place, name), at=place)
    options = known.EXACTLY_ONE.get(kind)
    if options and sum(option in state for option in options) != 1:
        yield _problem(f"Exactly one of these fields is required: [{', '.join(options)}]", place)
    for pair in known.AT_MOST_ONE:
        if all(key in state for key in pair):
            yield _problem(f"Only one of these fields is allowed: [{', '.join(pair)}]", (*place, pair[0]))


def _moves(state: dict[str, Any], kind: str, states: dict[str, Any], place: Place) -> Problems:
    if kind not in known.TERMINAL:
        if "Next" in state and "End" in state:
            yield _problem("Only one of these fields is allowed: [Next, End]", place)
        elif "Next" not in state and state.get("End") is not True:
            yield _problem("Exactly one of these fields is required: [Next, End]", place)
    for field, target in _targets(state):
        if target not in states:
            name = field[-1]
            yield _problem(f"Missing '{name}' target: {target}", (*place, *field), code=_TRANSITION)


def _targets(state: Any) -> Iterator[tuple[Place, Any]]:
    """Return where a state may go on, with the fields that say so."""
    if not isinstance(state, dict):
        return
    for name in ("Next", "Default"):
        if name in state:
            yield (name,), state[name]
    for name in ("Choices", "Catch"):
        for number, rule in enumerate(_list(state, name)):
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
            yield _problem(f'State "{name}" is not reachable.', (*place, "States", name), code=_TRANSITION)


def _assigned(state: Any) -> frozenset[str]:
    """Return the names of the variables that a state assigns."""
    if not isinstance(state, dict):
        return frozenset()
    sources = [state, *_list(state, "Choices"), *_list(state, "Catch")]
    return frozenset(
        name.removesuffix(".$")
        for source in sources
        if isinstance(source, dict) and isinstance(source.get("Assign"), dict)
        for name in source["Assign"]
    )


def _error_rule(rule: Any, allowed: frozenset[str], place: Place) -> Problems:
    if not isinstance(rule, dict):
        yield _problem("Expected a JSON object", place)
        return
    yield from _supported(rule, allowed, place)
    yield from _enums(rule, place)
    yield from _numbers(rule, place, jsonata=False)
    names = rule.get("ErrorEquals")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        yield _problem(
            "The field 'ErrorEquals' is required, an array of error names", (*place, "ErrorEquals"), at=place
        )
    if "Next" in allowed and "Next" not in rule:
        yield _problem("The field 'Next' is required", (*place, "Next"), at=place)


# -- JSONPath


def _paths(state: dict[str, Any], place: Place) -> Problems:
    for name in known.PATH_FIELDS & state.keys():
        path = state[name]
        if path is None and name in known.NULLABLE:
            continue
        if not _is_path(path) and not (name in known.CALLABLE and _is_call(path)):
            yield _problem("Value is not a valid JSONPath", (*place, name))
    if state.get("ResultPath") is not None and not _is_reference(state["ResultPath"]):
        yield _problem("Value is not a Reference Path", (*place, "ResultPath"))
    for name in known.TEMPLATES & state.keys():
        yield from _template(state[name], (*place, name))
    for holder, name in (
        ("ItemReader", "Parameters"),
        ("ResultWriter", "Parameters"),
        ("ItemBatcher", "BatchInput"),
    ):
        inner = state.get(holder)
        if isinstance(inner, dict) and name in inner:
            yield from _template(inner[name], (*place, holder, name))


def _is_path(path: Any) -> bool:
    if not isinstance(path, str) or not path.startswith("$"):
        return False
    variable = _VARIABLE.fullmatch(path)
    try:
        compile_path(path[1:] if path.startswith("$$") else f"${variable[1]}" if variable else path)
    except PathSyntaxError:
        return False
    return True


def _is_reference(path: Any) -> bool:
    try:
        return isinstance(path, str) and compile_path(path).reference
    except PathSyntaxError:
        return False


def _is_call(call: Any) -> bool:
    try:
        return isinstance(call, str) and all(_is_path(path) for path in references(parse_intrinsic(call)))
    except IntrinsicSyntaxError:
        return False


def _template(value: Any, place: Place) -> Problems:
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _template(inner, (*place, number))
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if not key.endswith(".$"):
            yield from _template(inner, (*place, key))
        elif not _is_path(inner) and not _is_call(inner):
            yield _problem(
                f"The value for the field '{key}' must be a valid JSONPath or a valid intrinsic function "
                "call",
                (*place, key),
                at=place,
            )


# -- JSONata


def _expressions(state: dict[str, Any], place: Place) -> Problems:
    for name in known.EXPRESSIONS & state.keys():
        yield from _expression(state[name], (*place, name))


def _expression(value: Any, place: Place) -> Problems:
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _expression(inner, (*place, key))
    expression = expression_of(value)
    if expression is None:
        return
    try:
        compile_expression(expression)
    except ExpressionSyntaxError as failed:
        yield _problem(f"The JSONata expression '{expression}' is not valid: {failed}", place)


# -- Choice


def _rules(rules: list[Any], place: Place, *, jsonata: bool) -> Problems:
    for number, rule in enumerate(rules):
        inner = (*place, f"Choices[{number}]")
        if not isinstance(rule, dict):
            yield _problem("Expected a JSON object", inner)
            continue
        if "Next" not in rule:
            yield _problem("The field 'Next' is required", (*inner, "Next"), at=inner)
        if jsonata:
            yield from _supported(rule, known.RULE[True], inner)
            if expression_of(rule.get("Condition")) is None and not isinstance(rule.get("Condition"), bool):
                yield _problem(
                    "The field 'Condition' is required, a JSONata expression", (*inner, "Condition"), at=inner
                )
            yield from _expression(
                {key: rule[key] for key in ("Condition", "Output", "Assign") if key in rule}, inner
            )
        else:
            yield from _rule(rule, inner, top=True)
            yield from _template(rule.get("Assign"), (*inner, "Assign"))


def _rule(rule: Any, place: Place, *, top: bool = False) -> Problems:
    if not isinstance(rule, dict):
        yield _problem("Expected a JSON object", place)
        return
    extra = known.RULE[False] if top else frozenset(("Comment",))
    operators = [name for name in rule if name not in extra and name != "Variable"]
    if len(operators) != 1:
        yield _problem(
            f"Exactly one comparison operator is required, but found: [{', '.join(operators)}]", place
        )
        return
    name = operators[0]
    operand = rule[name]
    if name in {"And", "Or"}:
        if not isinstance(operand, list) or not operand:
            yield _problem(f"The field '{name}' takes an array of rules", (*place, name))
        for number, inner in enumerate(operand if isinstance(operand, list) else ()):
            yield from _rule(inner, (*place, name, number))
    elif name == "Not":
        yield from _rule(operand, (*place, name))
    elif name not in OPERATORS and name not in PATH_OPERATORS:
        yield _problem(f"Field '{name}' is not supported", (*place, name), at=place)
    elif not _is_path(rule.get("Variable")):
        yield _problem("Value is not a valid JSONPath", (*place, "Variable"))
    elif name in PATH_OPERATORS and not _is_path(operand):
        yield _problem("Value is not a valid JSONPath", (*place, name))
