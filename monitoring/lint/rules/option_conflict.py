"""option-conflict: options of a monitor that Datadog refuses together, or for this type of monitor."""

from collections.abc import Iterator

from monitoring.lint.alerting import calls, metric_query
from monitoring.lint.model import TERRAFORM, Problem, Refusal, Rule, Subject
from monitoring.query import CheckMonitor, grouped_by

RULE = Rule(
    "option-conflict",
    "error",
    "Options that exclude each other, or that this type of monitor does not have.",
    ("monitor",),
    (
        Refusal("Invalid monitor option: on_missing_data", f"{TERRAFORM}2291"),
        Refusal("Invalid on_missing_data value: …; valid value is: default", f"{TERRAFORM}2815"),
        Refusal(
            "Last field should be larger than or equal to max threshold defined in monitor options",
            f"{TERRAFORM}1202",
        ),
    ),
)

_NO_MISSING_DATA = ("composite", "service check", "slo alert")


def check(subject: Subject) -> Iterator[Problem]:
    """Find options that exclude each other; they are errors if the API's refusal is recorded."""
    yield from _without_missing_data(subject)
    yield from _with_default_zero(subject)
    yield from _check_count(subject)
    for documented in (_missing_data, _group_delays, _notify_by):
        for problem in documented(subject):
            yield problem._replace(severity="warning")


def _without_missing_data(subject: Subject) -> Iterator[Problem]:
    kind = subject.body.get("type")
    if kind in _NO_MISSING_DATA and subject.options.get("on_missing_data"):
        yield Problem(("options", "on_missing_data"), f"a {kind} has no on_missing_data. Remove it")


def _with_default_zero(subject: Subject) -> Iterator[Problem]:
    query, choice = metric_query(subject), subject.options.get("on_missing_data")
    if query and choice and choice != "default" and any(calls(query.query, "default_zero")):
        text = f"with default_zero in the query, {choice} is refused. Use default"
        yield Problem(("options", "on_missing_data"), text)


def _missing_data(subject: Subject) -> Iterator[Problem]:
    options, where = subject.options, ("options", "on_missing_data")
    choice = options.get("on_missing_data")
    if not choice:
        return
    if options.get("notify_no_data"):
        yield Problem(where, "on_missing_data excludes notify_no_data. Remove one of the two")
    if choice == "resolve" and options.get("timeout_h"):
        yield Problem(where, "resolve excludes timeout_h. Remove timeout_h")


def _group_delays(subject: Subject) -> Iterator[Problem]:
    options = subject.options
    if options.get("new_group_delay") and options.get("new_host_delay") not in (None, 0, 300):
        text = "new_group_delay replaces new_host_delay. Remove new_host_delay"
        yield Problem(("options", "new_host_delay"), text)


def _check_count(subject: Subject) -> Iterator[Problem]:
    query = subject.monitor[0]
    if isinstance(query, CheckMonitor) and query.last is not None:
        most = max(subject.thresholds.values(), default=0)
        if query.function == "count_by_status" and query.last < most:
            text = f".last({query.last}) sees fewer results than the threshold {most:g} needs"
            yield Problem(("query",), f"{text}. Write .last({most:g})")


def _notify_by(subject: Subject) -> Iterator[Problem]:
    keys = subject.options.get("notify_by")
    query = subject.monitor[0]
    if not isinstance(keys, list) or query is None or keys == ["*"]:
        return
    groups = grouped_by(query)
    for index, key in enumerate(keys):
        if isinstance(key, str) and key not in groups:
            text = f"notify_by has {key}, but the query groups by {', '.join(groups) or 'nothing'}"
            yield Problem(("options", "notify_by", index), f"{text}. Group by it, or leave it out")
