"""Monitors, their tests and an SLO for exactly what an application has, thresholds taken from it."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from monitoring.discovery.found import Activity, Found, LambdaFunction, StateMachine

Files = dict[str, str]
NEAR_TIMEOUT = 90
"""Percent of a time-out at which the longest call alerts."""

ITERATOR_AGE = 300_000
"""Milliseconds that a stream may lag behind before somebody should look."""

FUNCTIONS, MACHINES, ACTIVITIES = "functions", "state_machines", "activities"
LISTS = "application.toml"
"""The file of the lists: written anew when the template changes, while stepscope.toml is the user's."""

_HEAD = """# What `stepscope init --from` read in {source}: the entries that monitors/ go through.
# Run init again after a change of the template. To change a value, write the same table into stepscope.toml:
# it stands before this one. docs/deploy.md
"""

Watched = LambdaFunction | StateMachine | Activity


def files_for(application: Found, measured: Mapping[str, Mapping[str, int]] | None = None) -> Files:
    """Return path -> text of every file.

    Args:
        found: what the application has.
        measured: name of a function or state machine -> values that were measured, by variable.
    """
    lists = {
        FUNCTIONS: _entries(application.functions, measured or {}),
        MACHINES: _entries(application.state_machines, measured or {}),
        ACTIVITIES: _entries(application.activities, {}),
    }
    made: Files = {LISTS: _toml(application.source, lists)}
    if application.state_machines:
        made["slos/executions-succeed.json"] = _json(_objective())
    for watch in WATCHES:
        entries = [values for values in lists[watch.list].values() if watch.holds(values)]
        if entries:
            made[f"monitors/{watch.key}.json"] = _json(_monitor(watch))
            made[f"monitors/{watch.key}.test.yaml"] = _test(watch, entries[0])
    if lists[FUNCTIONS]:
        made |= _unseen()
    return made


def _json(body: Any) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


Values = dict[str, str | int | bool]


def _entries(watched: Sequence[Watched], measured: Mapping[str, Mapping[str, int]]) -> dict[str, Values]:
    entries: dict[str, Values] = {}
    for item in watched:
        name = slug(item.name)
        while name in entries:
            name += "-2"
        entries[name] = {"scope": item.scope, **_facts(item), **_measured(item.name, measured)}
    return entries


def _measured(name: str, measured: Mapping[str, Mapping[str, int]]) -> Mapping[str, int]:
    """Return what was measured of the only resource whose name fits, whatever its variables are."""
    parts = re.split(r"\$\{[^}]*\}|\*", name.lower())
    pattern = ".*".join(map(re.escape, parts))
    alike = [own for key, own in measured.items() if re.fullmatch(pattern, key.lower())]
    return alike[0] if len(alike) == 1 else {}


def _facts(item: Watched) -> Values:
    """Return what the template says of a resource, as values for its monitors."""
    if isinstance(item, Activity):
        return {}
    values: Values = {"busy": True} if item.busy else {}
    if item.timeout:
        values["near_timeout_ms"] = item.timeout * 10 * NEAR_TIMEOUT
        values["timeout_ms"] = item.timeout * 1000
    if isinstance(item, LambdaFunction):
        values |= {"near_memory_mb": item.memory * 9 // 10} if item.memory else {}
        values |= {"stream": True} if item.streams else {}
        values |= {"asynchronous": True} if item.asynchronous else {}
        values |= {"dead_letters": True} if item.dead_letters else {}
    return values


def _toml(source: str, lists: Mapping[str, Mapping[str, Values]]) -> str:
    text = _HEAD.format(source=source.rpartition("/")[2])
    for name, entries in lists.items():
        for key, values in entries.items():
            rows = "".join(f"{field} = {json.dumps(value)}\n" for field, value in values.items())
            text += f"\n[defaults.{name}.{key}]\n{rows}"
    return text


class Watch(NamedTuple):
    """One monitor over the entries of a list.

    `query` has `SCOPE` where the entry's scope goes, and ends with the comparison; `value` is the variable of
    the threshold and `limit` its default, "" where each entry has its own. `where` is a value that entries
    have to have, `not …` one that they must not have.
    """

    key: str
    list: str
    name: str
    query: str
    value: str
    limit: str
    words: str
    where: str = ""
    pages: bool = False
    delay: bool = True
    kind: str = "count"

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Return whether an entry is among those that the monitor is made for."""
        wanted = self.where.removeprefix("not ")
        return not wanted or bool(values.get(wanted)) is not self.where.startswith("not ")


def _count(metric: str, minutes: int = 15) -> str:
    return f"sum(last_{minutes}m):sum:{metric}{{SCOPE}} BY.as_count() >"


def _share(bad: str, every: Sequence[str]) -> str:
    whole = " + ".join(f"sum:{metric}{{SCOPE}} BY.as_count()" for metric in every)
    return f"sum(last_15m):100 * sum:{bad}{{SCOPE}} BY.as_count() / ({whole} + {FEW_CALLS}) >"


FEW_CALLS = 1000
"""Calls that a share adds to those that there were, so that one failure of a quiet hour pages nobody."""

_ENDS = [f"aws.states.executions_{end}" for end in ("succeeded", "failed", "timed_out", "aborted")]

WATCHES = (
    Watch(
        "executions-failed",
        MACHINES,
        "executions fail",
        _count("aws.states.executions_failed"),
        "executions_failed",
        "0",
        "{{value}} executions failed within 15 minutes.",
        "not busy",
        pages=True,
    ),
    Watch(
        "executions-failing",
        MACHINES,
        "too many executions fail",
        _share("aws.states.executions_failed", _ENDS),
        "executions_failed_percent",
        "0.1",
        "{{value}} % of the executions of 15 minutes failed.",
        "busy",
        pages=True,
        kind="share",
    ),
    Watch(
        "executions-timed-out",
        MACHINES,
        "executions time out",
        _count("aws.states.executions_timed_out"),
        "executions_timed_out",
        "0",
        "{{value}} executions timed out within 15 minutes.",
        pages=True,
    ),
    Watch(
        "executions-near-timeout",
        MACHINES,
        "an execution is nearly at its time-out",
        "max(last_30m):max:aws.states.execution_time.maximum{SCOPE} BY >",
        "near_timeout_ms",
        "",
        "An execution took {{value}} ms; it is ended at ${var:timeout_ms} ms.",
        "timeout_ms",
        kind="gauge",
    ),
    Watch(
        "executions-slow",
        MACHINES,
        "executions are slower than measured",
        "avg(last_1h):avg:aws.states.execution_time.p95{SCOPE} BY >",
        "slow_ms",
        "",
        "Executions take {{value}} ms (p95 of an hour).",
        "slow_ms",
        kind="gauge",
    ),
    Watch(
        "activities-timed-out",
        ACTIVITIES,
        "activities time out",
        _count("aws.states.activities_timed_out"),
        "activities_timed_out",
        "0",
        "{{value}} activities timed out within 15 minutes.",
    ),
    Watch(
        "functions-fail",
        FUNCTIONS,
        "calls fail",
        _count("aws.lambda.errors"),
        "errors",
        "0",
        "{{value}} calls failed within 15 minutes.",
        "not busy",
    ),
    Watch(
        "functions-failing",
        FUNCTIONS,
        "too many calls fail",
        _share("aws.lambda.errors", ["aws.lambda.invocations"]),
        "errors_percent",
        "0.1",
        "{{value}} % of the calls of 15 minutes failed.",
        "busy",
        pages=True,
        kind="share",
    ),
    Watch(
        "functions-throttled",
        FUNCTIONS,
        "calls are throttled",
        _count("aws.lambda.throttles"),
        "throttles",
        "0",
        "{{value}} calls were throttled within 15 minutes.",
    ),
    Watch(
        "functions-near-timeout",
        FUNCTIONS,
        "a call is nearly at its time-out",
        "max(last_30m):max:aws.lambda.duration.maximum{SCOPE} BY >",
        "near_timeout_ms",
        "",
        "A call took {{value}} ms; it is killed at ${var:timeout_ms} ms.",
        "timeout_ms",
        kind="gauge",
    ),
    Watch(
        "functions-near-memory",
        FUNCTIONS,
        "nearly out of memory",
        "max(last_30m):max:aws.lambda.enhanced.max_memory_used{SCOPE} BY >",
        "near_memory_mb",
        "",
        "A call used {{value}} MB, nine tenths of what it has.",
        "near_memory_mb",
        delay=False,
        kind="gauge",
    ),
    Watch(
        "functions-slow",
        FUNCTIONS,
        "calls are slower than measured",
        "avg(last_1h):avg:aws.lambda.duration.p95{SCOPE} BY >",
        "slow_ms",
        "",
        "Calls take {{value}} ms (p95 of an hour).",
        "slow_ms",
        kind="gauge",
    ),
    Watch(
        "streams-behind",
        FUNCTIONS,
        "a stream is read too slowly",
        "max(last_15m):max:aws.lambda.iterator_age.maximum{SCOPE} BY >",
        "iterator_age_ms",
        str(ITERATOR_AGE),
        "It reads records that are {{value}} ms old.",
        "stream",
        kind="gauge",
    ),
    Watch(
        "async-events-dropped",
        FUNCTIONS,
        "asynchronous events are dropped",
        _count("aws.lambda.async_events_dropped"),
        "async_events_dropped",
        "0",
        "{{value}} events were dropped within 15 minutes.",
        "asynchronous",
        pages=True,
    ),
    Watch(
        "dead-letters-fail",
        FUNCTIONS,
        "dead letters cannot be written",
        _count("aws.lambda.dead_letter_errors"),
        "dead_letter_errors",
        "0",
        "{{value}} dead letters were lost within 15 minutes.",
        "dead_letters",
        pages=True,
    ),
)
"""Every monitor: thresholds are from the template, from what was measured, or at one failure."""

KEYS = {FUNCTIONS: "functionname", MACHINES: "statemachinearn", ACTIVITIES: "activityarn"}
"""List -> the tag that names its resources."""

_TAGS = {FUNCTIONS: "pipeline:lambda", MACHINES: "pipeline:executions", ACTIVITIES: "pipeline:tasks"}
_BOARDS = {FUNCTIONS: "lambda-function", MACHINES: "state-machine", ACTIVITIES: "pipeline-overview"}

MESSAGE = """{{#is_alert}}
${var:each}: WORDS
{{/is_alert}}
{{#is_recovery}}
${var:each}: it is over.
{{/is_recovery}}

**Look at** [the dashboard](${var:app|https://app.datadoghq.com}/dashboard/${dashboard:BOARD}).

PAGE${var:notify|@slack-pipelines}"""
_PAGE = "{{#is_alert}}${var:page|@oncall-pipelines}{{/is_alert}} "


def _monitor(watch: Watch) -> dict[str, Any]:
    threshold = f"${{var:{watch.value}|{watch.limit}}}" if watch.limit else f"${{var:{watch.value}}}"
    entries = f"{watch.list} where {watch.where}" if watch.where else watch.list
    return {
        "for_each": entries,
        "name": f"${{var:each}}: {watch.name}",
        "type": "query alert",
        "query": f"{_scoped(watch)} {threshold}",
        **_rest(watch.list, watch.words, pages=watch.pages),
        "options": {"thresholds": {"critical": threshold}, **_options(delay=watch.delay)},
    }


def _scoped(watch: Watch) -> str:
    key = KEYS[watch.list]
    return watch.query.replace("SCOPE", f"${{var:scope|{key}:*}}").replace("BY", f"by {{{key}}}")


def _rest(watched: str, words: str, *, pages: bool) -> dict[str, Any]:
    message = MESSAGE.replace("WORDS", words).replace("BOARD", _BOARDS[watched])
    return {
        "message": message.replace("PAGE", _PAGE if pages else ""),
        "tags": ["made-by:stepscope", _TAGS[watched]],
        "priority": f"${{var:priority|{2 if pages else 3}}}",
    }


def _options(*, delay: bool) -> dict[str, Any]:
    late = {"evaluation_delay": "${var:cloudwatch_delay|900}"} if delay else {}
    fixed = {"on_missing_data": "default", "new_group_delay": 0, "require_full_window": False}
    return {**fixed, **late, "notify_audit": False, "include_tags": True}


def _unseen() -> Files:
    """Return the monitor of a lost subscription: a function is called, and no line of its log arrives."""
    key = "functions-unseen"
    query = (
        "sum(last_30m):sum:aws.lambda.invocations{${var:scope|functionname:*}}.as_count()"
        " - sum:aws.lambda.enhanced.invocations{${var:scope|functionname:*}}.as_count()"
        " > ${var:unseen_calls|10}"
    )
    words = "{{value}} calls more than the log tells of: is its log group still subscribed to the forwarder?"
    body = {
        "for_each": FUNCTIONS,
        "name": "${var:each}: is called, and its log does not arrive",
        "type": "query alert",
        "query": query,
        **_rest(FUNCTIONS, words, pages=False),
        "options": {"thresholds": {"critical": "${var:unseen_calls|10}"}, **_options(delay=True)},
    }
    calls = [("aws.lambda.invocations", "1x120"), ("aws.lambda.enhanced.invocations", "1x39 _x40 1x41")]
    steady = [("aws.lambda.invocations", "1x120"), ("aws.lambda.enhanced.invocations", "1x120")]
    cases = [
        _case("it fires where no line arrives, and recovers", calls, "alerts_within: 35m\n        of: 40m"),
        _case("calls whose lines arrive are fine", steady, "never: Alert"),
        _case(
            "a function that nobody calls pages nobody",
            [("aws.lambda.invocations", "1x39 _x80")],
            "never: No Data",
        ),
    ]
    return {
        f"monitors/{key}.json": _json(body),
        f"monitors/{key}.test.yaml": _document({"scope": "functionname:x"}, cases),
    }


def _test(watch: Watch, values: Values) -> str:
    """Return a test of alert, no alert, recovery and missing data, with the values of one entry."""
    limit = float(values.get(watch.value, watch.limit or 0))
    metrics = re.findall(r"(?:sum|max|avg):([\w.]+)\{SCOPE\}", watch.query)
    if watch.kind == "gauge":
        short, long = int(limit) // 4, int(limit) * 13 // 10 + 1
        burst, quiet, none = f"{short}x39 {long} {short}x80", f"{short}x120", f"{short}x39 {long} _x80"
        if watch.query.startswith("avg(last_1h)"):
            burst, none = f"{short}x39 {long * 60}x2 {short}x79", f"{short}x39 {long * 60} _x80"
    else:
        burst, quiet, none = "0x39 9 0x80", "0x120", "0x39 9 _x80"
    rest = [(metric, "9x120") for metric in dict.fromkeys(metrics[1:]) if metric != metrics[0]]

    def series(values: str) -> list[tuple[str, str]]:
        return [(metrics[0], values), *rest]

    wait = "alerts_within: 20m\n        of: 40m"
    cases = [
        _case(
            "it fires, and recovers when it is over",
            series(burst),
            wait,
            "recovers_by: 119m",
            kind=watch.kind,
        ),
        _case("the usual is fine", series(quiet), "never: Alert", kind=watch.kind),
        _case("silence pages nobody", series(none), "never: No Data", kind=watch.kind),
    ]
    own: Values = {"scope": _example(watch.list), "each": "x"}
    own |= {name: values[name] for name in (watch.value, "timeout_ms") if name in values}
    return _document(own, cases)


def _example(watched: str) -> str:
    return f"{KEYS[watched]}:x"


def _document(variables: Mapping[str, Any], cases: Sequence[str]) -> str:
    variables_text = json.dumps({"each": "x", **variables})
    tag = str(variables["scope"])
    head = f"start: 2026-03-02T08:00:00Z\nuntil: 120m\nvariables: {variables_text}\ntests:\n"
    return head + "\n".join(cases).replace("TAG", tag) + "\n"


def _case(name: str, series: Sequence[tuple[str, str]], *expect: str, kind: str = "count") -> str:
    lines = [f"  - name: {name}", "    series:"]
    for metric, values in series:
        lines += [f"      - metric: {metric}", f"        type: {'gauge' if kind == 'gauge' else 'count'}"]
        lines += ["        tags: ['TAG']", f"        values: {values}"]
    return "\n".join([*lines, "    expect:", *(f"      - {item}" for item in expect)])


def _objective() -> dict[str, Any]:
    scope = "{${var:scope|statemachinearn:*}}.as_count()"
    good, *bad = (f"sum:{metric}{scope}" for metric in _ENDS)
    thresholds = [{"timeframe": days, "target": 99.0, "warning": 99.5} for days in ("7d", "30d")]
    return {
        "for_each": MACHINES,
        "name": "${var:each}: executions succeed",
        "description": "Of all executions that ended, those that succeeded.",
        "type": "metric",
        "query": {"numerator": good, "denominator": " + ".join([good, *bad])},
        "thresholds": thresholds,
        "tags": ["made-by:stepscope", "pipeline:executions"],
    }


def plain(name: str) -> str:
    """Return a name without its variables and wildcards: `shop-${var:stage|dev}-pay` is `shop-pay`."""
    text = re.sub(r"\$\{[^}]*\}|\*", "", name)
    return re.sub(r"-{2,}", "-", text).strip("-_") or name


def slug(name: str) -> str:
    """Return a name as the name of an entry."""
    return re.sub(r"[^a-z0-9]+", "-", plain(name).lower()).strip("-") or "x"


def narrowed(dashboard: Mapping[str, Any], application: Found) -> dict[str, Any]:
    """Return a shipped dashboard that shows exactly these resources: its variables offer no others."""
    offered = {
        "functionname": [item.scope.partition(":")[2] for item in application.functions],
        "statemachinearn": [item.scope.partition(":")[2] for item in application.state_machines],
        "statemachine": [item.scope.rpartition(":statemachine:")[2] for item in application.state_machines],
    }
    rows = []
    for row in dashboard.get("template_variables", []):
        values = list(dict.fromkeys(offered.get(row.get("prefix"), ())))
        rows.append({**row, "available_values": values, "defaults": values} if values else row)
    return {**dashboard, "template_variables": rows}
