"""Monitors, their tests, a dashboard and an SLO for exactly what was found, thresholds taken from it."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from monitoring.discovery.found import Activity, Found, LambdaFunction, StateMachine

Files = dict[str, str]
NEAR_TIMEOUT = (90, 75)
"""Percent of a function's own time-out at which its longest call alerts and warns."""

ITERATOR_AGE = 300_000
"""Milliseconds that a stream may lag behind before somebody should look."""

ACCOUNT = "arn:aws:states:eu-west-1:123456789012:"


def files_for(found: Found) -> Files:
    """Path -> text of every file."""
    made: Files = {}
    if found.state_machines:
        made["slos/executions-succeed.json"] = _json(_objective(found.state_machines))
    for key, body, test in _monitors(found):
        made[f"monitors/{key}.json"] = _json(body)
        made[f"monitors/{key}.test.yaml"] = test
    made["dashboards/pipeline.json"] = _json(_dashboard(found))
    return made


def _json(body: Any) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


Made = tuple[str, dict[str, Any], str]


def _monitors(found: Found) -> Iterator[Made]:
    functions, machines = found.functions, found.state_machines
    if machines:
        yield _counted("executions-failed", "Executions fail", "aws.states.executions_failed", machines)
        yield _counted(
            "executions-timed-out", "Executions time out", "aws.states.executions_timed_out", machines
        )
    for machine in machines:
        if machine.timeout:
            yield _slow(machine)
    if found.activities:
        name = "Activities time out"
        yield _counted("activities-timed-out", name, "aws.states.activities_timed_out", found.activities)
    if functions:
        yield _counted("functions-fail", "Functions fail", "aws.lambda.errors", functions)
        yield _counted("functions-throttled", "Functions are throttled", "aws.lambda.throttles", functions)
    yield from map(_near_timeout, (one for one in functions if one.timeout))
    streams = [one for one in functions if one.streams]
    if streams:
        yield _behind(streams)
    asynchronous = [one for one in functions if one.asynchronous]
    if asynchronous:
        dropped = "aws.lambda.async_events_dropped"
        yield _counted("async-events-dropped", "Asynchronous events are dropped", dropped, asynchronous)
    letters = [one for one in functions if one.dead_letters]
    if letters:
        yield _counted(
            "dead-letters-fail", "Dead letters cannot be written", "aws.lambda.dead_letter_errors", letters
        )


Watched = Sequence[LambdaFunction] | Sequence[StateMachine] | Sequence[Activity]
KEYS: dict[type, tuple[str, str, str]] = {
    LambdaFunction: ("functionname", "", "pipeline:lambda"),
    StateMachine: ("statemachinearn", f"{ACCOUNT}statemachine:", "pipeline:executions"),
    Activity: ("activityarn", f"{ACCOUNT}activity:", "pipeline:tasks"),
}
"""What is watched -> the tag that names it, what stands before the name in it, and the monitor's own tag."""


def _key_of(watched: Watched) -> str:
    return KEYS[type(watched[0])][0]


def scope_of(watched: Watched) -> str:
    """Return the scope that matches all of these resources and nothing else."""
    scopes = list(dict.fromkeys(one.scope for one in watched))
    return scopes[0] if len(scopes) == 1 else " OR ".join(scopes)


def _example(one: LambdaFunction | StateMachine | Activity) -> str:
    """Return a tag that the scope of one of these resources matches."""
    key, before, _ = KEYS[type(one)]
    return f"{key}:{before}{one.name.replace('*', 'x').lower()}"


MESSAGE = """{{#is_alert}}
WORDS
{{/is_alert}}
{{#is_recovery}}
It is over.
{{/is_recovery}}

**Look at** [the dashboard](${var:app|https://app.datadoghq.com}/dashboard/${dashboard:pipeline}).

${var:notify|@slack-pipelines}"""


def _body(name: str, query: str, words: str, options: dict[str, Any], kind: type) -> dict[str, Any]:
    fixed = {"on_missing_data": "default", "evaluation_delay": 900, "new_group_delay": 0}
    fixed |= {"require_full_window": False, "notify_audit": False, "include_tags": True}
    return {
        "name": name,
        "type": "query alert",
        "query": query,
        "message": MESSAGE.replace("WORDS", words),
        "tags": ["made-by:stepscope", KEYS[kind][2]],
        "priority": 3,
        "options": {**options, **fixed},
    }


def _counted(key: str, name: str, metric: str, watched: Watched) -> Made:
    """More than none within a quarter of an hour; silence is none."""
    group = _key_of(watched)
    query = f"sum(last_15m):sum:{metric}{{{scope_of(watched)}}} by {{{group}}}.as_count() > 0"
    words = f"{name}: {{{{value}}}} within 15 minutes, at {{{{{group}.name}}}}."
    body = _body(
        f"{name} ({{{{{group}.name}}}})", query, words, {"thresholds": {"critical": 0}}, type(watched[0])
    )
    return key, body, _test(metric, "count", _example(watched[0]), "0x39 3 0x80", "0x120", "0x39 3 _x80")


def _slow(machine: StateMachine) -> Made:
    limit = machine.timeout * 1000 * 8 // 10
    metric = "aws.states.execution_time.maximum"
    query = f"max(last_30m):max:{metric}{{{machine.scope}}} by {{statemachinearn}} > {limit}"
    words = f"An execution took {{{{value}}}} ms; the state machine gives up at {machine.timeout * 1000} ms."
    thresholds = {"critical": limit, "critical_recovery": limit * 3 // 4}
    name = f"{_plain(machine.name)}: nearly at its time-out"
    body = _body(name, query, words, {"thresholds": thresholds}, StateMachine)
    short, long = limit // 4, limit + limit // 10
    test = _test(metric, "gauge", _example(machine), f"{short}x39 {long} {short}x80", f"{short}x120", "")
    return f"{_slug(machine.name)}-near-timeout", body, test


def _near_timeout(function: LambdaFunction) -> Made:
    critical, warning = (function.timeout * 10 * share for share in NEAR_TIMEOUT)
    metric = "aws.lambda.duration.maximum"
    query = f"max(last_30m):max:{metric}{{{function.scope}}} by {{functionname}} > {critical}"
    words = f"A call took {{{{value}}}} ms; the function is killed at {function.timeout * 1000} ms."
    thresholds = {"critical": critical, "critical_recovery": critical // 2, "warning": warning}
    name = f"{_plain(function.name)}: nearly at its time-out"
    body = _body(name, query, words, {"thresholds": thresholds}, LambdaFunction)
    short, long = critical // 4, critical + max(critical // 20, 1)
    test = _test(metric, "gauge", _example(function), f"{short}x39 {long} {short}x80", f"{short}x120", "")
    return f"{_slug(function.name)}-near-timeout", body, test


def _behind(watched: Sequence[LambdaFunction]) -> Made:
    metric = "aws.lambda.iterator_age.maximum"
    query = f"max(last_15m):max:{metric}{{{scope_of(watched)}}} by {{functionname}} > {ITERATOR_AGE}"
    words = "{{functionname.name}} reads records that are {{value}} ms old: it is slower than its stream."
    thresholds = {"critical": ITERATOR_AGE, "critical_recovery": ITERATOR_AGE // 5}
    name = "A stream is read too slowly ({{functionname.name}})"
    body = _body(name, query, words, {"thresholds": thresholds}, LambdaFunction)
    short, long = 1000, ITERATOR_AGE * 2
    test = _test(metric, "gauge", _example(watched[0]), f"{short}x39 {long} {short}x80", f"{short}x120", "")
    return "streams-behind", body, test


def _test(metric: str, kind: str, tag: str, burst: str, quiet: str, silence: str) -> str:
    """Return a test of alert, no alert, recovery and missing data, in the notation of monitor tests."""

    def case(name: str, values: str, *expect: str) -> str:
        lines = [f"  - name: {name}", "    series:", f"      - metric: {metric}", f"        type: {kind}"]
        lines += [f"        tags: ['{tag}']", f"        values: {values}", "    expect:"]
        return "\n".join([*lines, *(f"      - {one}" for one in expect)])

    fires = "alerts_within: 20m\n        of: 40m"
    cases = [
        case("it fires, and recovers when it is over", burst, fires, "recovers_by: 100m"),
        case("the usual is fine", quiet, "never: Alert"),
    ]
    missing = silence or burst.rsplit(" ", 1)[0] + " _x80"
    cases.append(case("silence pages nobody", missing, "never: No Data"))
    return "start: 2026-03-02T08:00:00Z\nuntil: 110m\ntests:\n" + "\n".join(cases) + "\n"


def _plain(name: str) -> str:
    return name.replace("*", "").strip("-") or name


def _slug(name: str) -> str:
    kept = "".join(char if char.isalnum() else "-" for char in _plain(name).lower())
    return "-".join(part for part in kept.split("-") if part)


def _objective(machines: Sequence[StateMachine]) -> dict[str, Any]:
    scope = f"{{{scope_of(machines)}}}.as_count()"
    ends = ("succeeded", "failed", "timed_out", "aborted")
    good, *bad = (f"sum:aws.states.executions_{one}{scope}" for one in ends)
    thresholds = [{"timeframe": days, "target": 99.0, "warning": 99.5} for days in ("7d", "30d")]
    return {
        "name": "Executions succeed",
        "description": "Of all executions that ended, those that succeeded.",
        "type": "metric",
        "query": {"numerator": good, "denominator": " + ".join([good, *bad])},
        "thresholds": thresholds,
        "tags": ["made-by:stepscope", "pipeline:executions"],
    }


# --- the dashboard


def _dashboard(found: Found) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    if found.state_machines:
        rows.append(_group("State machines", "vivid_blue", list(_machine_widgets(found.state_machines))))
    if found.functions:
        rows.append(_group("Functions", "vivid_green", list(_function_widgets(found.functions))))
    streams = [one for one in found.functions if one.streams]
    if streams:
        age = f"max:aws.lambda.iterator_age.maximum{{{scope_of(streams)}}} by {{functionname}}"
        rows.append(
            _group("Streams", "vivid_orange", [_graph("Age of what is read", age, limits=[ITERATOR_AGE])])
        )
    top = 0
    for row in rows:
        row["layout"] = {"x": 0, "y": top, "width": 12, "height": 1 + row.pop("rows")}
        top += row["layout"]["height"]
    return {"title": "Pipeline", "layout_type": "ordered", "widgets": rows}


def _machine_widgets(machines: Sequence[StateMachine]) -> Iterator[dict[str, Any]]:
    scope = scope_of(machines)
    states = ("succeeded", "failed", "timed_out", "aborted")
    counts = [f"sum:aws.states.executions_{one}{{{scope}}}.as_count()" for one in states]
    yield _graph("Executions by how they ended", *counts, display="bars")
    time = f"max:aws.states.execution_time.p95{{{scope}}} by {{statemachinearn}}"
    limits = sorted({one.timeout * 1000 for one in machines if one.timeout})
    yield _graph("p95 execution time, and the time-outs", time, limits=limits)


def _function_widgets(functions: Sequence[LambdaFunction]) -> Iterator[dict[str, Any]]:
    scope = f"{{{scope_of(functions)}}} by {{functionname}}"
    for title, metric in (("Calls", "invocations"), ("Errors", "errors"), ("Throttles", "throttles")):
        yield _graph(title, f"sum:aws.lambda.{metric}{scope}.as_count()", display="bars")
    limits = sorted({one.timeout * 1000 for one in functions if one.timeout})
    longest = f"max:aws.lambda.duration.maximum{scope}"
    yield _graph("Longest call, and the time-outs", longest, limits=limits)


def _graph(title: str, *queries: str, display: str = "line", limits: Sequence[int] = ()) -> dict[str, Any]:
    requests = [
        {
            "response_format": "timeseries",
            "queries": [{"data_source": "metrics", "name": "query1", "query": query}],
            "formulas": [{"formula": "query1"}],
            "display_type": display,
        }
        for query in queries
    ]
    markers = [
        {"value": f"y = {limit}", "display_type": "error dashed", "label": "time-out"} for limit in limits
    ]
    shown = {"markers": markers} if markers else {}
    return {"definition": {"type": "timeseries", "title": title, "requests": requests, **shown}}


def _group(title: str, colour: str, widgets: list[dict[str, Any]]) -> dict[str, Any]:
    wide = 6 if len(widgets) > 1 else 12
    for index, widget in enumerate(widgets):
        x, y = index % (12 // wide) * wide, index // (12 // wide) * 3
        widget["layout"] = {"x": x, "y": y, "width": wide, "height": 3}
    rows = 3 * -(-len(widgets) // (12 // wide))
    definition = {"type": "group", "title": title, "background_color": colour, "layout_type": "ordered"}
    return {"definition": {**definition, "widgets": widgets}, "rows": rows}
