"""Generate monitors, their tests and an SLO for the resources of an application, with its thresholds."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from monitoring.discovery.found import Activity, DiscoveredResources, LambdaFunction, StateMachine
from monitoring.discovery.watches import ACTIVITIES, ENDS, FUNCTIONS, MACHINES, WATCHES, Watch

Files = dict[str, str]
Further = Mapping[str, Mapping[str, int | bool]]
"""Name of a function or state machine -> measured or recorded values for its entry."""
NEAR_TIMEOUT = 90
"""The share of a time-out, in percent, at which the longest invocation alerts."""

LISTS = "application.toml"
"""The generated file of the lists, which `init` writes again; stepscope.toml is the user's file."""

_HEAD = """# What `stepscope init --from` read in {source}: the entries that monitors/ go through.
# Run init again after a change of the template. To change a value, write the same table into stepscope.toml:
# it takes precedence over this one.
"""

Watched = LambdaFunction | StateMachine | Activity


def files_for(application: DiscoveredResources, measured: Further | None = None) -> Files:
    """Return path -> text of every generated file.

    Args:
        application: the application's resources.
        measured: measured values of entries.
    """
    lists = {
        FUNCTIONS: _entries(application.functions, measured or {}),
        MACHINES: _entries(application.state_machines, measured or {}),
        ACTIVITIES: _entries(application.activities, {}),
    }
    made: Files = {LISTS: _toml(application.source, lists)}
    if application.state_machines:
        made["slos/executions-succeed.json"] = json_text(_objective())
    for watch in WATCHES:
        entries = [values for values in lists[watch.list].values() if watch.holds(values)]
        if entries:
            made[f"monitors/{watch.key}.json"] = json_text(_monitor(watch))
            made[f"monitors/{watch.key}.test.yaml"] = _test(watch, entries[0])
    if lists[FUNCTIONS]:
        made |= _unseen()
    return made


def json_text(body: Any) -> str:
    """Return a body as the text of a JSON file."""
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


Values = dict[str, str | int | bool]


def _entries(watched: Sequence[Watched], measured: Further) -> dict[str, Values]:
    entries: dict[str, Values] = {}
    for item in watched:
        name = slug(item.name)
        while name in entries:
            name += "-2"
        entries[name] = {"scope": item.scope, **_facts(item), **_measured(item.name, measured)}
    return entries


def _measured(name: str, measured: Further) -> Mapping[str, int | bool]:
    """Return the measured values of the only resource whose name matches, with any values of variables."""
    parts = re.split(r"\$\{[^}]*\}|\*", name.lower())
    pattern = ".*".join(map(re.escape, parts))
    alike = [own for key, own in measured.items() if re.fullmatch(pattern, key.lower())]
    return alike[0] if len(alike) == 1 else {}


def _facts(item: Watched) -> Values:
    """Return the values of a resource from the template, for its monitors."""
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
    return text + "".join(list_text(name, entries) for name, entries in lists.items())


def list_text(name: str, entries: Mapping[str, Values]) -> str:
    """Return the TOML tables of a list's entries for application.toml."""
    text = ""
    for key, values in entries.items():
        rows = "".join(f"{field} = {json.dumps(value)}\n" for field, value in values.items())
        text += f"\n[defaults.{name}.{key}]\n{rows}"
    return text


KEYS = {FUNCTIONS: "functionname", MACHINES: "statemachinearn", ACTIVITIES: "activityarn"}
"""List -> the tag with the names of its resources."""

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
        **monitor_rest(watch.list, watch.words, pages=watch.pages),
        "options": {"thresholds": {"critical": threshold}, **monitor_options(delay=watch.delay)},
    }


def _scoped(watch: Watch) -> str:
    key = KEYS[watch.list]
    return watch.query.replace("SCOPE", f"${{var:scope|{key}:*}}").replace("BY", f"by {{{key}}}")


def monitor_rest(watched: str, words: str, *, pages: bool) -> dict[str, Any]:
    """Return message, tags and priority of a monitor over the entries of a list."""
    message = MESSAGE.replace("WORDS", words).replace("BOARD", _BOARDS[watched])
    return {
        "message": message.replace("PAGE", _PAGE if pages else ""),
        "tags": ["made-by:stepscope", _TAGS[watched]],
        "priority": f"${{var:priority|{2 if pages else 3}}}",
    }


def monitor_options(*, delay: bool) -> dict[str, Any]:
    """Return the options other than thresholds; `delay` adds the evaluation delay of CloudWatch's metrics."""
    late = {"evaluation_delay": "${var:cloudwatch_delay|900}"} if delay else {}
    fixed = {"on_missing_data": "default", "new_group_delay": 0, "require_full_window": False}
    return {**fixed, **late, "notify_audit": False, "include_tags": True}


def _unseen() -> Files:
    """Return the monitor of a lost subscription: a function is invoked, but its log does not arrive."""
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
        **monitor_rest(FUNCTIONS, words, pages=False),
        "options": {"thresholds": {"critical": "${var:unseen_calls|10}"}, **monitor_options(delay=True)},
    }
    calls = [("aws.lambda.invocations", "1x120"), ("aws.lambda.enhanced.invocations", "1x39 _x40 1x41")]
    steady = [("aws.lambda.invocations", "1x120"), ("aws.lambda.enhanced.invocations", "1x120")]
    cases = [
        case_text(
            "it fires where no line arrives, and recovers", calls, "alerts_within: 35m\n        of: 40m"
        ),
        case_text("calls whose lines arrive are fine", steady, "never: Alert"),
        case_text(
            "a function that nobody calls pages nobody",
            [("aws.lambda.invocations", "1x39 _x80")],
            "never: No Data",
        ),
    ]
    return {
        f"monitors/{key}.json": json_text(body),
        f"monitors/{key}.test.yaml": tests_text({"scope": "functionname:x"}, cases),
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
        case_text(
            "it fires, and recovers when it is over",
            series(burst),
            wait,
            "recovers_by: 119m",
            kind=watch.kind,
        ),
        case_text("the usual is fine", series(quiet), "never: Alert", kind=watch.kind),
        case_text("silence pages nobody", series(none), "never: No Data", kind=watch.kind),
    ]
    own: Values = {"scope": _example(watch.list), "each": "x"}
    own |= {name: values[name] for name in (watch.value, "timeout_ms") if name in values}
    return tests_text(own, cases)


def _example(watched: str) -> str:
    return f"{KEYS[watched]}:x"


def tests_text(variables: Mapping[str, Any], cases: Sequence[str]) -> str:
    """Return a file of monitor tests; `TAG` in a case is the scope of `variables`."""
    variables_text = json.dumps({"each": "x", **variables})
    tag = str(variables["scope"])
    head = f"start: 2026-03-02T08:00:00Z\nuntil: 120m\nvariables: {variables_text}\ntests:\n"
    return head + "\n".join(cases).replace("TAG", tag) + "\n"


def case_text(name: str, series: Sequence[tuple[str, str]], *expect: str, kind: str = "count") -> str:
    """Return a case of a monitor test: series as (metric, values), and the expectations."""
    lines = [f"  - name: {name}", "    series:"]
    for metric, values in series:
        lines += [f"      - metric: {metric}", f"        type: {'gauge' if kind == 'gauge' else 'count'}"]
        lines += ["        tags: ['TAG']", f"        values: {values}"]
    return "\n".join([*lines, "    expect:", *(f"      - {item}" for item in expect)])


def _objective() -> dict[str, Any]:
    scope = "{${var:scope|statemachinearn:*}}.as_count()"
    good, *bad = (f"sum:{metric}{scope}" for metric in ENDS)
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
    """Return a name in the form of an entry's key."""
    return re.sub(r"[^a-z0-9]+", "-", plain(name).lower()).strip("-") or "x"


def narrowed(dashboard: Mapping[str, Any], application: DiscoveredResources) -> dict[str, Any]:
    """Return a shipped dashboard whose variables offer only these resources."""
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
