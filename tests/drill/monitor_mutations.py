"""Mutations of a monitor: one harmful edit of its file at a time, as a slip of a hand would make it."""

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Body = dict[str, Any]
Edit = Callable[[Body], Body | None]
"""From a monitor to its mutation; None where there is nothing of the kind to edit."""

_THRESHOLD = re.compile(r"(?P<comparison>>=|<=|>|<) (?P<value>-?[\d.]+)$")
_WINDOW = re.compile(r"(?<=\(last_)(?P<length>\d+)(?P<unit>[mhd])(?=\))")
_TIME_AGGREGATOR = re.compile(r"^(sum|avg|max|min)(?=\(last_)")
_SPACE_AGGREGATOR = re.compile(r"\b(sum|avg|max|min):(?=[a-z])")
_METRIC = re.compile(r"(?<=:)[a-z_]+(?:\.[a-z0-9_]+)+(?=\{)")
_SCOPE = re.compile(r"(?<=[a-z0-9_])\{([^}]*)\}")
_GROUPS = re.compile(r" by \{([^}]*)\}")
_HANDLE = re.compile(r"\$\{var:(?P<name>\w+)\|(?P<handle>@[\w-]+)\}")
_MINUTES = {"m": 1, "h": 60, "d": 1440}
_OTHER_AGGREGATOR = {"sum": "avg", "avg": "max", "max": "min", "min": "max"}
_MISSING_DATA = ("default", "resolve", "show_no_data", "show_and_notify_no_data")


class Mutation(NamedTuple):
    """A monitor after one edit: `kind` names the edit, `body` is the file's new content."""

    kind: str
    body: Body


def mutations(body: Body) -> Iterator[Mutation]:
    """Yield every mutation of a monitor, without those that change nothing."""
    for kind, edit in EDITS.items():
        mutated = edit(copy.deepcopy(body))
        if mutated is not None and mutated != body:
            yield Mutation(kind, mutated)


def _query(
    pattern: re.Pattern[str], replacement: str | Callable[[re.Match[str]], str], times: int = 0
) -> Edit:
    """Return an edit of the query: each match of the pattern, or the first ones."""

    def edit(body: Body) -> Body:
        return body | {"query": pattern.sub(replacement, body["query"], count=times)}

    return edit


def _message(pattern: str, replacement: str, times: int = 0) -> Edit:
    def edit(body: Body) -> Body:
        return body | {"message": re.sub(pattern, replacement, body["message"], count=times)}

    return edit


def _option(name: str, value: Any) -> Edit:
    """Return an edit that sets an option; None deletes it."""

    def edit(body: Body) -> Body | None:
        options = body["options"]
        if value is None:
            options.pop(name, None)
        else:
            options[name] = value
        return body

    return edit


def _critical(move: Callable[[float], float], in_options: bool = True) -> Edit:
    """Return an edit of the critical threshold, in the query and (or not) in the options."""

    def edit(body: Body) -> Body | None:
        threshold = _THRESHOLD.search(body["query"])
        if threshold is None:
            return None
        value = move(float(threshold["value"]))
        body["query"] = _THRESHOLD.sub(rf"\g<comparison> {value:g}", body["query"])
        if in_options:
            body["options"]["thresholds"]["critical"] = value
        return body

    return edit


def _threshold(name: str, move: Callable[[float], float] | None) -> Edit:
    """Return an edit of one threshold of the options; None deletes it, with its recovery threshold."""

    def edit(body: Body) -> Body | None:
        thresholds = body["options"].get("thresholds", {})
        if name not in thresholds:
            return None
        if move is not None:
            thresholds[name] = move(thresholds[name])
            return body
        equal = name.endswith("_recovery") and thresholds[name] == thresholds[name.removesuffix("_recovery")]
        del thresholds[name]
        thresholds.pop(f"{name}_recovery", None)
        return None if equal else body  # a recovery threshold that equals its threshold is the default

    return edit


def _compared(turned: dict[str, str]) -> Edit:
    return _query(_THRESHOLD, lambda found: f"{turned[found['comparison']]} {found['value']}")


def _window(factor: float) -> Edit:
    def length(found: re.Match[str]) -> str:
        return f"{max(1, int(int(found['length']) * _MINUTES[found['unit']] * factor))}m"

    return _query(_WINDOW, length)


def _delay(body: Body) -> Body:
    body["options"]["evaluation_delay"] = 2 * body["options"].get("evaluation_delay", 450)
    return body


def _scope(added: str) -> Edit:
    return _query(_SCOPE, lambda found: "{%s}" % (added if found[1] == "*" else f"{found[1]},{added}"))


def _without_key(at: int) -> Edit:
    """Return an edit that deletes one key of each `by {…}`."""

    def edit(body: Body) -> Body | None:
        groups = _GROUPS.search(body["query"])
        keys = groups[1].split(",") if groups else []
        if len(keys) <= at or len(keys) < 2:
            return None
        kept = ",".join(keys[:at] + keys[at + 1 :])
        return body | {"query": _GROUPS.sub(f" by {{{kept}}}", body["query"])}

    return edit


def _other_metric(found: re.Match[str]) -> str:
    """Return another metric of the same family, one that exists."""
    metric = found[0]
    return next(
        (other for start, other in SIBLINGS.items() if metric.startswith(start) and metric != other),
        metric + ".total",
    )


SIBLINGS = {
    "aws.lambda.enhanced.": "aws.lambda.enhanced.init_duration",
    "aws.lambda.": "aws.lambda.async_events_received",
    "aws.states.enhanced.execution.": "aws.states.enhanced.execution.started",
    "aws.states.enhanced.state.": "aws.states.enhanced.state.succeeded",
    "aws.states.enhanced.task.": "aws.states.enhanced.task.execution.task_scheduled",
    "aws.states.activities_": "aws.states.activities_started",
    "aws.states.service_integrations_": "aws.states.service_integrations_started",
    "aws.states.lambda_functions_": "aws.states.lambda_functions_started",
    "aws.states.": "aws.states.executions_redriven",
    "stepscope.forwarder.": "stepscope.forwarder.bytes",
    "stepscope.": "stepscope.cold_starts",
    "claims.": "claims.checked",
}


def _composite(pattern: str, replacement: str) -> Edit:
    def edit(body: Body) -> Body | None:
        if body["type"] != "composite":
            return None
        return body | {"query": re.sub(pattern, replacement, body["query"], count=1)}

    return edit


EDITS: dict[str, Edit] = {
    "threshold one higher": _critical(lambda value: value + 1),
    "threshold one lower": _critical(lambda value: value - 1),
    "threshold doubled": _critical(lambda value: 2 * value or 1),
    "threshold of the query alone": _critical(lambda value: value + 1, in_options=False),
    "comparison turned round": _compared({">": "<", "<": ">"}),
    "comparison includes the threshold": _compared({">": ">=", "<": "<="}),
    "critical_recovery left out": _threshold("critical_recovery", None),
    "warning left out": _threshold("warning", None),
    "warning one higher": _threshold("warning", lambda value: value + 1),
    "warning_recovery left out": _threshold("warning_recovery", None),
    "window doubled": _window(2),
    "window a third": _window(1 / 3),
    "delay left out": _option("evaluation_delay", None),
    "delay doubled, or 15 minutes": _delay,
    "new_group_delay left out": _option("new_group_delay", None),
    "new_group_delay of a day": _option("new_group_delay", 86_400),
    "scope of another environment": _scope("env:staging"),
    "scope of everything": _query(_SCOPE, lambda found: "{*}"),
    "groups left out": _query(_GROUPS, ""),
    "first group key left out": _without_key(0),
    "second group key left out": _without_key(1),
    "group key misspelt": _query(_GROUPS, lambda found: f" by {{{found[1][:-2]}{found[1][:-3:-1]}}}"),
    "group key of the host": _query(_GROUPS, " by {host}"),
    "metric misspelt": _query(_METRIC, lambda found: found[0][:-2] + found[0][:-3:-1]),
    "metric of the same family": _query(_METRIC, _other_metric),
    "aggregator over time": _query(_TIME_AGGREGATOR, lambda found: _OTHER_AGGREGATOR[found[1]]),
    "aggregator over sources": _query(_SPACE_AGGREGATOR, lambda found: f"{_OTHER_AGGREGATOR[found[1]]}:"),
    "as_count left out": _query(re.compile(r"\.as_count\(\)"), ""),
    "handles left out": _message(_HANDLE.pattern, ""),
    "handle of the page left out": _message(r"\$\{var:page\|[^}]*\}", ""),
    "handle of the channel left out": _message(r"\$\{var:notify\|[^}]*\}", ""),
    "handles without @": _message(r"\|@", "|"),
    "handle's variable misspelt": _message(r"\$\{var:notify\|[^}]*\}", "${var:notfy}"),
    **{f"missing data: {value}": _option("on_missing_data", value) for value in _MISSING_DATA},
    "missing data left out": _option("on_missing_data", None),
    "alert's text for the recovery": _message(r"\{\{([#/])is_alert\}\}", r"{{\1is_recovery}}"),
    "alert's text for the warning": _message(r"\{\{([#/])is_alert\}\}", r"{{\1is_warning}}"),
    "condition not closed": _message(r"\{\{/is_alert\}\}", "", 1),
    "conditions left out": _message(r"\{\{[#/]is_\w+\}\}", ""),
    "page for warnings too": _message(r"\{\{#is_alert\}\}(\$\{var:page[^}]*\})\{\{/is_alert\}\}", r"\1"),
    "variable of the message misspelt": _message(r"\{\{(\w+)\.name\}\}", r"{{\1x.name}}"),
    "composite: and becomes or": _composite("&&", "||"),
    "composite: first member negated": _composite(r"^", "!"),
    "composite: first member alone": _composite(r" && .*", ""),
    "composite: second member alone": _composite(r".* && ", ""),
}
"""What is edited -> the edit. `missing data: X` is left out where the monitor says X already."""
