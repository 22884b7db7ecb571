"""Executions on the pages: searched, in order, none cut without a word; those that run, and their logs."""

import json
import re

import pytest
from asgi import Client

from monitoring.local_datadog import create_app
from monitoring.local_datadog.log_status import status_of
from monitoring.serve.executions import (
    Search,
    ended_by_machine,
    milliseconds,
    running,
    search_ended,
    spans_of,
)
from monitoring.serve.logs import in_order, lines_of
from monitoring.serve.pages import page_routes
from monitoring.serve.pages.waterfall import Choice, failures, tree, waterfall
from monitoring.store import Store

NOW = 1_795_740_000
ARN = "arn:aws:states:us-east-1:123456789012:execution:{}:{}"


def root(number, *, machine="etl", at=-60.0, seconds=5.0, status="SUCCEEDED", **meta):
    error = int(status != "SUCCEEDED")
    arn = ARN.format(machine, f"run-{number}")
    return span(
        number, 1, "aws.stepfunctions", machine, at, seconds, error, executionarn=arn, status=status, **meta
    )


def span(trace, number, name, resource, at, seconds, error=0, parent=0, event=0, **meta):
    return {
        "trace_id": f"{trace:016x}",
        "span_id": f"{trace:08x}{number:08x}",
        "parent_id": f"{trace:08x}{parent:08x}" if parent else "0" * 16,
        "name": name,
        "service": "orders",
        "resource": resource,
        "start": NOW * 10**9 + round(at * 10**9),
        "duration": round(seconds * 10**9),
        "error": error,
        "meta": meta,
        "metrics": {"event_id": float(event)} if event else {},
    }


def state(trace, number, resource, at, seconds, error=0, event=0, **meta):
    kind = "aws.stepfunctions.state"
    return span(trace, number, kind, resource, at, seconds, error, 1, event, state=resource, **meta)


def event(arn, number, kind, at=0.0, **details):
    body = {"id": str(number), "type": kind, "details": details, "previous_event_id": str(number - 1)}
    body |= {"event_timestamp": str(round((NOW + at) * 1000)), "execution_arn": arn, "redrive_count": "0"}
    return {"message": json.dumps(body), "timestamp": round((NOW + at) * 1000), "ddsource": "stepfunction"}


@pytest.fixture
def store():
    with Store.open() as store:
        yield store


def get(store, path):
    app = create_app(store, routes=page_routes(store, clock=lambda: NOW))
    return Client(app, base_url="http://127.0.0.1").get(path)


def found(store, **search):
    return [row.name for row in search_ended(store, Search(0, NOW + 1, **search), 100)[0]]


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ({}, ["run-3", "run-2", "run-1"]),
        ({"order": "oldest"}, ["run-1", "run-2", "run-3"]),
        ({"order": "longest"}, ["run-2", "run-1", "run-3"]),
        ({"machine": "billing"}, ["run-2"]),
        ({"machine": "bill"}, []),
        ({"status": "FAILED"}, ["run-2"]),
        ({"status": "succeeded"}, ["run-3", "run-1"]),
        ({"text": "OutOfStock"}, ["run-2"]),
        ({"text": "run-3"}, ["run-3"]),
        ({"text": "photo-17"}, ["run-1"]),
        ({"text": "nothing has this"}, []),
        ({"tag": "env:prod"}, ["run-1"]),
        ({"tag": "env:pro"}, []),
        ({"tag": "service:orders"}, ["run-3", "run-2", "run-1"]),
        ({"shortest": 5000}, ["run-2", "run-1"]),
        ({"longest": 4999}, ["run-3"]),
        ({"shortest": 5001, "longest": 9000}, ["run-2"]),
        ({"start": NOW - 55}, ["run-3", "run-2"]),
        ({"end": NOW - 55}, ["run-1"]),
    ],
)
def test_executions_are_found_by(store, search, names):
    store.add_spans(
        [
            root(1, env="prod"),
            root(2, machine="billing", at=-50, seconds=9, status="FAILED", **{"error.type": "OutOfStock"}),
            root(3, at=-40, seconds=1),
        ]
    )
    store.add_logs([event(ARN.format("etl", "run-1"), 1, "ExecutionStarted", input='{"key": "photo-17"}')])
    window = {"start": 0, "end": NOW + 1} | search
    rows, total = search_ended(store, Search(**window), 100)
    assert [row.name for row in rows] == names
    assert total == len(names)


def test_a_redriven_execution_is_listed_once_as_it_ended(store):
    first = root(1, status="FAILED")
    again = span(1, 2, "aws.stepfunctions", "etl", -30, 4, 0, 1, executionarn=first["meta"]["executionarn"])
    store.add_spans([first, again | {"meta": again["meta"] | {"status": "SUCCEEDED", "redrive_count": "1"}}])
    rows, total = search_ended(store, Search(0, NOW + 1), 10)
    assert total == 1
    assert rows[0].status == "succeeded"


def test_the_list_of_machines_counts_what_ended_and_what_did_not_succeed(store):
    first = root(1, status="FAILED")
    again = span(1, 9, "aws.stepfunctions", "etl", -30, 4, 0, 1, executionarn=first["meta"]["executionarn"])
    again["meta"]["status"] = "SUCCEEDED"
    more = [
        root(at, machine="Billing", status=how)
        for at, how in ((2, "FAILED"), (3, "SUCCEEDED"), (4, "ABORTED"))
    ]
    store.add_spans([first, again, *more, root(5, at=-3 * 86_400)])
    assert ended_by_machine(store, NOW - 86_400, NOW + 1) == {"etl": (1, 0), "billing": (3, 2)}
    text = get(store, "/machines").text
    assert '>Billing</a></td><td class=brief data-head="Executions">3</td>' in text
    assert '<td class=brief data-head="Failed">2</td>' in text


def test_pages_say_how_many_there_are_and_lead_to_the_rest(store):
    store.add_spans(
        root(number, at=-number, status="FAILED" if number == 251 else "SUCCEEDED")
        for number in range(1, 253)
    )
    first = get(store, "/executions").text
    assert "1 to 200 of 252 executions" in first
    assert first.count("etl · run-") == 200
    second = get(store, "/executions?page=2").text
    assert "201 to 252 of 252" in second
    assert second.count("etl · run-") == 52
    assert "etl · run-251" in get(store, "/executions?status=failed").text
    assert get(store, "/executions?page=99").status_code == 200


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", None), ("500ms", 500), ("2s", 2000), ("1.5 min", 90_000), ("3", 3000), ("1h", 3_600_000)],
)
def test_durations_are_read(text, expected):
    assert milliseconds(text) == expected


def test_a_duration_that_is_none_is_refused_with_the_way_back(store):
    answer = get(store, "/executions?shortest=soon")
    assert answer.status_code == 400
    assert "is not a duration" in answer.text
    assert 'href="/executions"' in answer.text


# -- running


def begun(name="a", at=0.0):
    arn = ARN.format("etl", name)
    return [
        event(arn, 1, "ExecutionStarted", at, input="{}"),
        event(arn, 2, "TaskStateEntered", at + 0.005, name="Crunch"),
        event(arn, 3, "TaskScheduled", at + 0.006, resourceType="lambda", resource="invoke"),
    ]


@pytest.mark.parametrize(
    ("events", "spans", "statuses"),
    [
        ([], [], []),
        (begun(), [], ["running"]),
        (begun(at=-5 * 3600), [], ["stuck"]),
        ([*begun(), *begun()], [], ["running"]),  # delivered twice
        (begun()[::-1], [], ["running"]),  # in another order
        ([*begun(), event(ARN.format("etl", "a"), 4, "ExecutionFailed", 1)], [], []),
        ([event(ARN.format("etl", "a"), 4, "TaskFailed", 1)], [], []),  # a log of errors alone
        (begun("run-1", -60), [root(1)], []),  # the end came as a span
        ([*begun("a"), *begun("b", -1)], [], ["running", "running"]),
        ([{"message": '{"execution_arn": 3', "timestamp": NOW * 1000}], [], []),
        ([{"message": '{"execution_arn": 3, "type": [], "id": {}}', "timestamp": NOW * 1000}], [], []),
    ],
)
def test_an_execution_runs_until_its_end_is_heard(store, events, spans, statuses):
    store.add_logs(events)
    store.add_spans(spans)
    rows = running(store, Search(0, NOW), NOW)
    assert [row.status for row in rows] == statuses
    assert all(row.states == ("Crunch",) for row in rows)


def test_a_redriven_execution_runs_again(store):
    arn = ARN.format("etl", "a")
    ended = [*begun(), event(arn, 4, "TaskFailed", 1), event(arn, 5, "ExecutionFailed", 1)]
    store.add_logs([*ended, event(arn, 6, "ExecutionRedriven", 2, redriveCount="1")])
    assert [row.status for row in running(store, Search(0, NOW), NOW + 3)] == ["running"]


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/executions", True),
        ("/executions?status=running", True),
        ("/executions?status=failed", False),
        ("/executions?machine=etl", True),
        ("/executions?machine=other", False),
        ("/executions?q=crunch", True),
        ("/executions?q=nowhere", False),
        ("/", True),
    ],
)
def test_what_runs_is_listed_with_its_state(store, path, there):
    store.add_logs(begun())
    assert ("in Crunch" in get(store, path).text) == there


def test_the_page_of_a_running_execution_shows_its_open_state(store):
    store.add_logs(begun("a", -60))
    spans = spans_of(store, ARN.format("etl", "a"), NOW)
    assert [(one["resource"], one["meta"]["status"]) for one in spans[:2]] == [
        ("etl", "running"),
        ("Crunch", "running"),
    ]
    text = get(store, f"/executions/{ARN.format('etl', 'a')}").text
    assert "1 min so far" in text
    assert 'class="state task running"' in text
    assert text == get(store, f"/executions/{spans[0]['trace_id']}").text or "so far" in text


def test_an_execution_is_found_by_its_arn_after_its_end(store):
    store.add_spans([root(7)])
    assert "run-7" in get(store, f"/executions/{ARN.format('etl', 'run-7')}").text
    assert get(store, f"/executions/{ARN.format('etl', 'run-8')}").status_code == 404


@pytest.mark.parametrize(
    ("earlier", "words"),
    [
        ([], ""),
        ([(1, "SUCCEEDED")] * 4, ""),
        ([(1, "SUCCEEDED")] * 5, "Slow: 5.0 s, p50 1.0 s, p95 1.0 s of the last 5."),
        ([(9, "SUCCEEDED"), *[(1, "SUCCEEDED")] * 4], "5.0 s, p50 1.0 s, p95 7.4 s of the last 5."),
        ([(5, "SUCCEEDED")] * 5, "5.0 s, p50 5.0 s, p95 5.0 s of the last 5."),
        ([(1, "FAILED")] * 9, ""),
        ([(1, "SUCCEEDED")] * 60, "Slow: 5.0 s, p50 1.0 s, p95 1.0 s of the last 50."),
    ],
)
def test_an_execution_is_compared_with_the_successful_ones_before_it(store, earlier, words):
    before = [root(10 + at, at=-1000 + at, seconds=s, status=how) for at, (s, how) in enumerate(earlier)]
    store.add_spans([*before, root(1), root(2, at=-10, seconds=1)])
    text = get(store, "/executions/0000000000000001").text
    assert words in text
    assert ("of the last" in text) == bool(words)


def test_an_execution_is_compared_with_the_last_one_that_succeeded(store):
    def of(number, seconds, at, status):
        arn = ARN.format("etl", f"run-{number}")
        state = {"executionarn": arn, "state": "Pay", "statetype": "Task", "status": "SUCCEEDED"}
        yield root(number, at=at, seconds=seconds, status=status)
        yield span(number, 2, "aws.stepfunctions.state", "Pay", at, seconds, 0, 1, **state)

    rows = [
        (1, 4, -60, "SUCCEEDED"),
        (2, 1, -300, "SUCCEEDED"),
        (3, 2, -200, "SUCCEEDED"),
        (4, 9, -100, "FAILED"),
    ]
    store.add_spans([row for values in rows for row in of(*values)])
    plain = get(store, "/executions/0000000000000001").text
    assert '<a href="?against=before">Difference from the last that succeeded</a>' in plain
    assert "p50 2.0 s" not in plain
    assert "p50 2.0 s → 4.0 s (+100%)" in get(store, "/executions/0000000000000001?against=before").text
    first = get(store, "/executions/0000000000000002?against=before")
    assert (first.status_code, "Difference from the last" in first.text) == (200, False)


# -- order


@pytest.mark.parametrize(
    ("spans", "names"),
    [
        # a state of no length that begins with a longer one ended before it
        (
            [("First", 0, 10, 0), ("Choose", 10, 0, 0), ("AfterChoose", 10, 20, 0)],
            ["First", "Choose", "AfterChoose"],
        ),
        (
            [("AfterChoose", 10, 20, 0), ("Choose", 10, 0, 0), ("First", 0, 10, 0)],
            ["First", "Choose", "AfterChoose"],
        ),
        # two of no length: only the events' ids tell them apart
        ([("B", 5, 0, 9), ("A", 5, 0, 7)], ["A", "B"]),
        ([("Long", 5, 50, 7), ("Short", 5, 0, 9)], ["Long", "Short"]),
        ([("A", 5, 5, 0), ("A", 5, 5, 0)], ["A", "A"]),
    ],
)
def test_steps_are_in_the_order_in_which_they_began(spans, names):
    rows = [
        state(1, at, name, begin / 1000, length / 1000, event=event)
        for at, (name, begin, length, event) in enumerate(spans, 2)
    ]
    assert [one["resource"] for one, _ in tree(rows)] == names


@pytest.mark.parametrize(
    ("places", "rows"),
    [
        ([(1, 90, "info", "x", 6), (2, 90, "info", "x", 5), (3, 90, "info", "x", 4)], [3, 2, 1]),
        ([(1, 80, "info", "x", 2), (2, 70, "info", "x", 3)], [1, 2]),  # a clock that went back
        ([(1, 80, "info", "x", 2), (2, 70, "info", "y", 3)], [2, 1]),  # of two executions
        ([(1, 80, "info", "", None), (2, 70, "info", "", None), (3, 80, "info", "", None)], [2, 1, 3]),
        ([(1, 75, "info", "", None), (2, 80, "info", "x", 1), (3, 70, "info", "x", 2)], [1, 2, 3]),
        ([], []),
    ],
)
def test_log_lines_are_in_the_order_of_their_events(places, rows):
    assert [place[0] for place in in_order(places)] == rows


# -- logs


def test_errors_are_never_cut_from_the_logs_of_an_execution(store):
    store.add_spans([root(1, status="FAILED")])
    arn = ARN.format("etl", "run-1")
    lines = [event(arn, 2, "TaskScheduled", -59) for _ in range(2500)]
    bad = [event(arn, 9000 + at, "TaskFailed", -55, error=f"E{at}") | {"status": "error"} for at in range(2)]
    store.add_logs([*lines, *bad])
    text = get(store, "/executions/0000000000000001").text
    assert "500 of 2,502, errors first, 2 errors" in text
    assert text.index("TaskFailed E0") < text.index("TaskFailed E1") < text.index("TaskScheduled")
    assert text.count('<summary><span class="muted">') == 500
    last = get(store, "/executions/0000000000000001?lines=6").text
    assert "2,501 to 2,502 of 2,502 lines" in last
    in_time = get(store, "/executions/0000000000000001?order=time").text
    assert "TaskFailed" not in in_time
    assert "TaskFailed E1" in get(store, "/executions/0000000000000001?order=time&lines=6").text


@pytest.mark.parametrize("count", [1, 30])
def test_log_lines_are_found_by_trace_arn_and_request(store, count):
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(count)]
    store.add_logs({"message": f"call {ident} ended", "timestamp": NOW * 1000} for ident in ids)
    store.add_logs([{"message": "other", "lambda": {"request_id": ids[0]}, "timestamp": NOW * 1000}])
    store.add_logs([{"message": "somebody else's", "timestamp": NOW * 1000}])
    lines = lines_of(store, [*ids, "trace"], NOW - 1, NOW + 1)
    assert lines.total == count + 1


@pytest.mark.parametrize(
    ("log", "status"),
    [
        ({"message": "hello"}, "info"),
        ({"message": "hello", "status": "Warning"}, "Warning"),
        ({"message": '{"level": "ERROR", "message": "x"}'}, "error"),
        ({"message": '{"level": "warning"}'}, "warn"),
        ({"message": '{"severity": 3}'}, "error"),
        ({"message": '{"syslog": {"severity": 4}}'}, "warn"),
        ({"message": '{"level": true}'}, "info"),
        ({"message": {"level": "error"}}, "error"),
        ({"message": "x", "level": "CRITICAL"}, "critical"),
        ({"message": "[ERROR] ValueError: x\nTraceback (most recent call last):"}, "error"),
        ({"message": "[WARNING]\t2026-01-01T00:00:00Z\tr-1\tslow"}, "warn"),
        ({"message": "2026-01-01T00:00:00Z\tr-1\tINFO\tno ERROR was seen"}, "info"),
        ({"message": "an error is a word"}, "info"),
        ({"message": "Traceback (most recent call last):\n  File"}, "error"),
        ({"message": "2026-01-01 r-1 Task timed out after 3.00 seconds"}, "error"),
        ({"message": '{"level": "ERROR"'}, "error"),  # cut off: read as text
        ({"message": '{"type": "ExecutionFailed", "execution_arn": "a", "details": {}}'}, "error"),
        ({"message": '{"type": "TaskTimedOut", "execution_arn": "a"}'}, "error"),
        ({"message": '{"type": "TaskSucceeded", "execution_arn": "a"}'}, "info"),
        ({"message": '{"type": "ExecutionFailed"}'}, "info"),  # somebody's own
        ({"message": "{" * 100_000}, "info"),
        ({"message": "[]"}, "info"),
        ({"message": 3}, "info"),
        ({}, "info"),
    ],
)
def test_a_log_without_a_status_has_the_one_that_it_names(log, status):
    assert status_of(log) == status


def test_the_intake_gives_a_log_its_status(store):
    client = Client(create_app(store), base_url="http://127.0.0.1")
    logs = [{"message": '{"level": "ERROR", "message": "x"}'}, {"message": "fine"}]
    client.post("/api/v2/logs", headers={"DD-API-KEY": "k"}, json=logs)
    assert [one["status"] for one in store.logs()] == ["error", "info"]


@pytest.mark.parametrize(
    ("query", "lines"),
    [
        ("", ["broke", "slow", "fine"]),
        ("?query=broke", ["broke"]),
        ("?level=error", ["broke"]),
        ("?level=warn", ["slow"]),
        ("?service=b", ["slow"]),
        ("?query=status:error service:b", []),
        (f"?from_ts={(NOW - 1500) * 1000}&to_ts={(NOW - 500) * 1000}", ["fine"]),
        ("?query=env:prod", ["fine"]),
    ],
)
def test_all_logs_are_searched(store, query, lines):
    store.add_logs(
        [
            {"message": "fine", "service": "a", "ddtags": "env:prod", "timestamp": (NOW - 1000) * 1000},
            {"message": "slow", "service": "b", "status": "warn", "timestamp": (NOW - 100) * 1000},
            {"message": "broke", "service": "a", "status": "error", "timestamp": (NOW - 10) * 1000},
        ]
    )
    text = get(store, f"/logs{query}").text
    assert re.findall(r"<code>(?:<b[^>]*>\w+</b> )?(\w+)</code>", text) == lines


def test_older_log_lines_are_one_page_further(store):
    store.add_logs({"message": f"line-{at}", "timestamp": (NOW - at) * 1000} for at in range(450))
    assert "line-199<" in get(store, "/logs").text
    assert "there are older ones" in get(store, "/logs").text
    last = get(store, "/logs?page=3").text
    assert "line-449<" in last
    assert "there are older ones" not in last


# -- the time range


@pytest.mark.parametrize("path", ["/executions", "/logs", "/metrics", "/events"])
def test_a_preset_replaces_both_ends_of_a_range(store, path):
    text = get(store, f"{path}?from=-2d&to=-1d").text
    assert 'name="to"' not in re.sub(r"<form class=\"(?:filters|custom).*?</form>", "", text)
    assert '<option value="-2d..-1d" selected>' in text
    assert get(store, f"{path}?from=-2d..-1d").status_code == 200
    assert get(store, f"{path}?from=-1d..-2d").status_code == 400


# -- large executions


def elements(html):
    return len(re.findall(r"<[a-z]", html))


def large(states, calls):
    yield root(1, seconds=states, status="FAILED")
    for at in range(states):
        yield state(1, 10 + at, f"State{at}", -60 + at, 0.9, error=int(at == states - 1), event=2 + at)
        for call in range(calls):
            number = 100_000 + at * calls + call
            yield span(1, number, "dynamodb.get_item", f"table{call}", -60 + at, 0.01, parent=10 + at)


def test_an_execution_of_500_states_with_5000_spans_is_a_page_of_2000_elements():
    spans = list(large(500, 9))
    shown = waterfall(spans, Choice())
    assert elements(shown) <= 2000
    assert ">State0 +9<" in shown
    assert ">299 more steps<" in shown
    assert ">State499<" in shown
    assert "1 to 200 of 500 steps" in waterfall(spans, Choice(inside="0000000100000001"))
    assert ">State499<" in waterfall(
        spans, Choice(inside="0000000100000001")
    )  # a failed one is on every page
    assert "401 to 500 of 500 steps" in waterfall(spans, Choice(inside="0000000100000001", page=3))


def test_ten_thousand_items_of_a_map_are_one_row_with_the_failed_ones_beside_it():
    spans = [root(1), state(1, 2, "Resize", -60, 5, statetype="Map")]
    for at in range(10_000):
        one = span(
            1, 10 + at, "aws.stepfunctions.iteration", "Resize", -60, 0.1, int(at in {7, 70}), parent=2
        )
        spans.append(one | {"metrics": {"map_index": float(at)}})
    shown = waterfall(spans, Choice())
    assert "iterations × 10,000, 2 failed" in shown
    assert ">[7]<" in shown
    assert ">[70]<" in shown
    assert elements(shown) < 60
    inside = waterfall(spans, Choice(inside="0000000100000002", like="iterations", page=50))
    assert "9,801 to 10,000 of 10,000 steps" in inside
    assert ">[9999]<" in inside


@pytest.mark.parametrize("count", [0, 1, 10, 11, 300])
def test_every_step_is_on_the_page_or_counted_on_it(count):
    spans = [root(1), *(span(1, 10 + at, "s3.get", "bucket", -60 + at, 1, parent=1) for at in range(count))]
    shown = waterfall(spans, Choice())
    rows = len(re.findall(r">s3\.get bucket<", shown))
    counted = [int(number.replace(",", "")) for number in re.findall(r"s3\.get bucket × ([\d,]+)", shown)]
    assert rows + sum(counted) == count


def test_where_it_broke_is_the_innermost_failed_step():
    spans = [
        root(1, status="FAILED"),
        state(1, 2, "Pay", -60, 2, 1),
        span(1, 3, "aws.lambda", "pay", -60, 1, 1, parent=2),
        state(1, 4, "Notify", -58, 1),
    ]
    assert [step.span["resource"] for step in failures(spans)] == ["pay"]


ETL = ARN.format("etl", "run-7")
KINDS = ["ExecutionStarted", "PassStateEntered", "PassStateExited", "PassStateEntered", "PassStateExited"]


@pytest.mark.parametrize(
    ("ids", "ends", "words"),
    [
        (range(1, 6), True, ""),
        ((1, 2, 5), True, "Events 3 to 4 are missing from the logs"),
        ((2, 4, 5), True, "Events 1, 3 are missing from the logs"),
        (range(1, 6), False, "Event 6 is missing from the logs"),
        ((1, 5), True, ""),  # no state that was entered: the log level is below ALL
        ((), True, ""),
    ],
    ids=["whole", "a hole", "a cut head", "a cut tail", "level ERROR", "no logs"],
)
def test_the_page_of_an_execution_says_which_events_are_missing(store, ids, ends, words):
    kinds = [*KINDS[:4], "ExecutionSucceeded" if ends else "PassStateExited"]
    store.add_spans([root(7)])
    store.add_logs([event(ETL, number, kinds[number - 1], -60 + number, name="A") for number in ids])
    text = get(store, f"/executions/{ETL}").text
    assert (words in text) if words else ("missing from the logs" not in text)


def test_the_end_of_a_running_execution_is_not_missing(store):
    store.add_logs(begun("a", -60))
    assert "missing from the logs" not in get(store, f"/executions/{ARN.format('etl', 'a')}").text
