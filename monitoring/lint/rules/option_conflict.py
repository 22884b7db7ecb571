"""option-conflict: options of a monitor that Datadog refuses together, or for this type of monitor."""

from collections.abc import Iterator

from monitoring.lint.alerting import calls, metric_query
from monitoring.lint.model import Problem, Rule, Subject
from monitoring.query import CheckMonitor, grouped_by

RULE = Rule("option-conflict", "error", "Options that Datadog refuses together.", ("monitor",))

_NO_MISSING_DATA = ("composite", "service check", "slo alert")


def check(subject: Subject) -> Iterator[Problem]:
    """Each pair of options of which only one may stand."""
    yield from _missing_data(subject)
    yield from _group_delays(subject)
    yield from _check_count(subject)
    yield from _notify_by(subject)


def _missing_data(subject: Subject) -> Iterator[Problem]:
    options, where = subject.options, ("options", "on_missing_data")
    choice = options.get("on_missing_data")
    if not choice:
        return
    if subject.body.get("type") in _NO_MISSING_DATA:
        yield Problem(where, f"a {subject.body['type']} has no on_missing_data. Remove it")
    if options.get("notify_no_data"):
        yield Problem(where, "on_missing_data excludes notify_no_data. Remove one of the two")
    query = metric_query(subject)
    if query and choice != "default" and any(calls(query.query, "default_zero")):
        yield Problem(where, f"with default_zero in the query, {choice} is refused. Use default")
    if choice == "resolve" and options.get("timeout_h"):
        yield Problem(where, "resolve excludes timeout_h. Remove timeout_h")


def _group_delays(subject: Subject) -> Iterator[Problem]:
    options = subject.options
    if options.get("new_group_delay") and options.get("new_host_delay") not in (None, 0, 300):
        text = "new_group_delay replaces new_host_delay. Remove new_host_delay"
        yield Problem(("options", "new_host_delay"), text, severity="warning")


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
