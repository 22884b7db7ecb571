"""SLO alerts and process monitors are evaluated over what a case submits."""

import json

import pytest

from monitoring.testing.loader import loads
from monitoring.testing.project import Folder
from monitoring.testing.runner import run_case

SLO = {
    "name": "Orders succeed",
    "type": "metric",
    "query": {
        "numerator": "sum:shop.orders{ok:true} by {region}.as_count()",
        "denominator": "sum:shop.orders{*} by {region}.as_count()",
    },
    "thresholds": [{"timeframe": "7d", "target": 99.0}],
}
BURN = 'burn_rate("${slo:orders}").over("7d").long_window("1h").short_window("5m") > 14.4'
BUDGET = 'error_budget("${slo:orders}").over("7d") > 75'


def case(query, series=(), events=(), expect=(), slos=None, kind="slo alert"):
    critical = float(query.rsplit(" ", 1)[1])
    body = {"name": "m", "type": kind, "query": query, "message": "@a"}
    body["options"] = {"thresholds": {"critical": critical}}
    whole = {
        "name": "c",
        "monitor": body,
        "series": list(series),
        "events": list(events),
        "expect": list(expect),
    }
    return json.dumps(whole | ({"slos": slos} if slos else {}))


def result(text, path):
    (found,) = loads(text, "x.test.yaml", "x")
    return run_case(found, Folder(path / "monitors"))


def orders(good, bad, region="eu"):
    """Good and bad orders of every minute; one series a kind."""
    tags = [f"region:{region}"]
    return [
        {"metric": "shop.orders", "type": "count", "tags": [*tags, "ok:true"], "values": good},
        {"metric": "shop.orders", "type": "count", "tags": [*tags, "ok:false"], "values": bad},
    ]


@pytest.mark.parametrize("where", ["case", "project"])
@pytest.mark.parametrize(
    ("query", "good", "bad", "expect"),
    [
        # 20 of 100 fail: 20 times the 1 % that is allowed
        (BURN, "80x120", "20x120", [{"at": "60m", "value": 20}, {"at": "110m", "state": "Alert"}]),
        (BURN, "90x120", "10x120", [{"never": "Alert"}]),
        # the short window ends an alert long before the long one does
        (BURN, "80x61 100x60", "20x61 0x60", [{"at": "61m", "state": "Alert"}, {"recovers_by": "70m"}]),
        # the long window keeps a short burst from alerting
        (BURN, "100x60 80x6 100x30", "0x60 20x6 0x30", [{"never": "Alert"}]),
        (BUDGET, "990x100", "10x100", [{"at": "90m", "value": 100, "state": "Alert"}]),
        (BUDGET, "995x100", "5x100", [{"at": "90m", "value": 50}, {"never": "Alert"}]),
        # what is submitted after an evaluation is not known to it
        (BUDGET, "100x60 0x60", "0x60 100x60", [{"at": "60m", "value": 0}]),
    ],
)
def test_an_slo_alert_compares_the_budget_or_its_burn_rate(query, good, bad, expect, where, tmp_path):
    if where == "project":
        (tmp_path / "slos").mkdir()
        (tmp_path / "slos" / "orders.json").write_text(json.dumps(SLO))
    expect = [
        {**item, **({"group": "region:eu"} if "at" in item or "recovers_by" in item else {})}
        for item in expect
    ]
    slos = {"orders": SLO} if where == "case" else None
    found = result(case(query, orders(good, bad), expect=expect, slos=slos), tmp_path)
    assert found.problems == ()
    assert found.failures == ()


@pytest.mark.parametrize(
    ("slos", "query", "said"),
    [
        ({}, BURN, "is not known here"),
        ({"orders": "x"}, BURN, "is not an SLO"),
        ({"orders": {**SLO, "thresholds": []}}, BURN, "has no target for 7d"),
        (
            {"orders": {**SLO, "type": "monitor", "monitor_ids": [1]}},
            BURN,
            "none of the SLO's monitors was found",
        ),
        (
            {"orders": {**SLO, "type": "monitor", "monitor_ids": ["${monitor:nosuch}"]}},
            BURN,
            "there is no monitor 'nosuch'",
        ),
        ({"orders": {"type": "x"}}, BUDGET, "cannot be of type"),
    ],
)
def test_an_slo_that_cannot_be_evaluated_says_why(slos, query, said, tmp_path):
    (problem,) = result(
        case(query, orders("1x9", "0x9"), expect=[{"never": "Alert"}], slos=slos), tmp_path
    ).problems
    assert said in problem.message


COUNT = 'processes("java").over("env:prod").rollup("count").last("5m") < 2'


def seen(*moments, pid=1, host="a", env="prod", message="/usr/bin/java -jar shop.jar"):
    attributes = {"pid": pid} if pid else {}
    return {
        "at": list(moments),
        "host": host,
        "message": message,
        "tags": [f"env:{env}"],
        "attributes": attributes,
    }


MINUTES = [f"{minute}m" for minute in range(20)]


@pytest.mark.parametrize(
    ("events", "state", "value"),
    [
        ([seen(*MINUTES), seen(*MINUTES, pid=2)], "OK", 2),
        ([seen(*MINUTES), seen(*MINUTES, host="b")], "OK", 2),
        ([seen(*MINUTES, pid=None), seen(*MINUTES, pid=None, message="java two")], "OK", 2),
        ([seen(*MINUTES)], "Alert", 1),
        ([seen(*MINUTES), seen(*MINUTES, pid=2, message="python")], "Alert", 1),
        ([seen(*MINUTES), seen(*MINUTES, pid=2, env="dev")], "Alert", 1),
        ([seen("0m")], "Alert", 0),
    ],
)
def test_a_process_monitor_counts_each_process_of_a_host_once(events, state, value, tmp_path):
    expect = [{"at": "15m", "state": state, "value": value}]
    found = result(case(COUNT, events=events, expect=expect, kind="process alert"), tmp_path)
    assert (found.problems, found.failures) == ((), ())


def test_a_rum_monitor_counts_the_events_of_a_case(tmp_path):
    query = 'rum("@type:error").rollup("count").by("@view").last("5m") > 2'
    error = {
        "at": "5m",
        "times": 4,
        "every": "10s",
        "message": "x",
        "attributes": {"type": "error", "view": "/"},
    }
    expect = [
        {"at": "7m", "group": "@view:/", "state": "Alert", "value": 4},
        {"recovers_by": "12m", "group": "@view:/"},
    ]
    found = result(case(query, events=[error], expect=expect, kind="rum alert"), tmp_path)
    assert (found.problems, found.failures) == ((), ())


SLICES = {
    "name": "Latency is low",
    "type": "time_slice",
    "thresholds": [{"timeframe": "7d", "target": 99.0}],
    "sli_specification": {
        "time_slice": {
            "query": {
                "queries": [
                    {"data_source": "metrics", "name": "a", "query": "avg:shop.latency{*} by {region}"}
                ],
                "formulas": [{"formula": "a"}],
            },
            "comparator": "<",
            "threshold": 2,
            "query_interval_seconds": 60,
        }
    },
}
SLOW = {
    "name": "slow",
    "type": "query alert",
    "query": "avg(last_1m):avg:shop.latency{*} by {region} > 2",
    "message": "@a",
    "options": {"thresholds": {"critical": 2}},
}
WATCHED = {**SLO, "name": "Never slow", "type": "monitor", "monitor_ids": ["${monitor:slow}"]}


def latency(values, region="eu"):
    return {"metric": "shop.latency", "tags": [f"region:{region}"], "values": values}


@pytest.mark.parametrize("kind", ["time_slice", "monitor"])
@pytest.mark.parametrize(
    ("query", "values", "expect"),
    [
        # of the last hour 12 minutes were slow, of the last 5 all: 20 times the 1 % that is allowed
        (BURN, "1x107 5x30", [{"at": 120, "value": 20, "state": "Alert"}, {"at": 100, "state": "OK"}]),
        # the short window ends the alert
        (BURN, "1x60 5x20 1x60", [{"at": 80, "state": "Alert"}, {"recovers_by": 90}]),
        # 6 of 100 in the hour: 3.6 minutes
        (BURN, "1x100 5x2 1x30", [{"never": "Alert"}]),
        # 7 days allow 100.8 minutes
        (BUDGET, "1x100 5x99", [{"at": 200, "value": 100 * 99 / 100.8, "state": "Alert"}]),
        (BUDGET, "1x100 5x49", [{"at": 150, "value": 100 * 49 / 100.8}, {"never": "Alert"}]),
        # missing data is uptime
        (BUDGET, "1x20 _x200 5 5 1", [{"at": 225, "value": 100 * 2 / 100.8}]),
    ],
)
def test_an_slo_alert_measures_time_of_slices_and_of_monitors(kind, query, values, expect, tmp_path):
    (tmp_path / "monitors").mkdir()
    (tmp_path / "monitors" / "slow.json").write_text(json.dumps(SLOW))
    late = kind == "monitor"  # down from the evaluation on that follows the slow minute
    expect = [
        {
            **{
                key: f"{each + late}m" if key in {"at", "recovers_by"} else each for key, each in item.items()
            },
            **({} if "never" in item else {"group": "region:eu"}),
        }
        for item in expect
    ]
    slo = WATCHED if late else SLICES
    found = result(case(query, [latency(values)], expect=expect, slos={"orders": slo}), tmp_path)
    assert (found.problems, found.failures) == ((), ())


def test_of_several_monitors_the_time_counts_at_which_any_was_down(tmp_path):
    (tmp_path / "monitors").mkdir()
    (tmp_path / "monitors" / "slow.json").write_text(json.dumps(SLOW))
    full = {**SLOW, "name": "full", "query": "avg(last_1m):avg:shop.queue{*} > 2"}
    (tmp_path / "monitors" / "full.json").write_text(json.dumps(full))
    slo = {**WATCHED, "monitor_ids": ["${monitor:slow}", "${monitor:full}"]}
    queue = {"metric": "shop.queue", "values": "1x30 5x10 1x60"}
    series = [latency("1x20 5x14 1x60"), latency("1x95", "us"), queue]
    expect = [{"at": "80m", "value": 100 * 21 / 100.8}]  # down from minute 22 to 43: the spans overlap
    found = result(case(BUDGET, series, expect=expect, slos={"orders": slo}), tmp_path)
    assert (found.problems, [failure.got for failure in found.failures]) == ((), [])


def test_numbers_of_monitors_are_named_under_members(tmp_path):
    slo = {**WATCHED, "monitor_ids": [7]}
    text = json.loads(
        case(BURN, [latency("1x60 5x20")], expect=[{"at": "80m", "state": "Alert"}], slos={"orders": slo})
    )
    found = result(json.dumps({**text, "members": {"7": SLOW}}), tmp_path)
    assert (found.problems, found.failures) == ((), ())


def test_a_slice_counts_once_it_is_over(tmp_path):
    slo = json.loads(
        json.dumps(SLICES).replace('"query_interval_seconds": 60', '"query_interval_seconds": 300')
    )
    moments = [(99, 0), (104, 0), (105, 5), (109, 5), (110, 10)]
    expect = [
        {"at": f"{minute}m", "value": 100 * down / 100.8, "group": "region:eu"} for minute, down in moments
    ]
    found = result(case(BUDGET, [latency("1x99 5x20")], expect=expect, slos={"orders": slo}), tmp_path)
    assert (found.problems, [failure.got for failure in found.failures]) == ((), [])
