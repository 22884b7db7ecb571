"""Replaying a monitor over history: totals, variants, and the history that Datadog gives."""

import json

import numpy as np
import pytest

from monitoring.cli import main
from monitoring.errors import InputError
from monitoring.monitor.evaluation import Data
from monitoring.monitor.states import State
from monitoring.query import parse_monitor
from monitoring.query.series import Series
from monitoring.testing.backtest import Variant, backtest, variant_of
from monitoring.testing.backtest_fetch import fetch, queries

START = 1772323200
BODY = {
    "type": "query alert",
    "query": "sum(last_5m):sum:failed{env:prod} by {flow}.as_count() > 2",
    "options": {"thresholds": {"critical": 2}, "on_missing_data": "default"},
}


def history():
    values = np.zeros(600)
    values[100] = values[120] = values[400] = 5
    values[500] = 3
    times = START + np.arange(600) * 60
    return [Series("failed", ("env:prod", "flow:a"), times, values, "count", 60)]


def test_a_replay_counts_alerts_their_length_and_flapping():
    (outcome,) = backtest([Variant("as it is", BODY)], Data(history()), START, START + 36000)
    assert [(each.start - START) // 60 for each in outcome.of(State.ALERT)] == [101, 121, 401, 501]
    assert (outcome.alerting, outcome.longest, outcome.flapping) == (4 * 300, 300, 1)
    assert outcome.notifications == {"alert": 4, "recovery": 4}


def test_thresholds_are_compared_side_by_side():
    variants = [
        Variant("as it is", BODY),
        variant_of(BODY, "critical=4"),
        variant_of(BODY, "window=last_30m"),
    ]
    outcomes = list(backtest(variants, Data(history()), START, START + 36000))
    assert [len(each.of(State.ALERT)) for each in outcomes] == [4, 3, 3]


@pytest.mark.parametrize(
    ("text", "says"), [("criticl=3", "critical"), ("critical", "sets nothing"), ("critical=x", "number")]
)
def test_what_cannot_be_set_is_an_error(text, says):
    with pytest.raises(InputError) as caught:
        variant_of(BODY, text)
    assert says in str(caught.value)


def test_the_command_replays_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "monitors").mkdir()
    (tmp_path / "monitors" / "failed.json").write_text(json.dumps(BODY))
    rows = ["metric,timestamp,value,type,tags"]
    for series in history():
        pairs = zip(series.times.tolist(), series.values.tolist(), strict=True)
        rows += [f'failed,{time},{value},count,"env:prod,flow:a"' for time, value in pairs]
    (tmp_path / "points.csv").write_text("\n".join(rows) + "\n")
    with pytest.raises(SystemExit) as stopped:
        main(["backtest", "failed", "--data", "points.csv", "--set", "critical=4", "--json"])
    assert not stopped.value.code
    found = json.loads(capsys.readouterr().out)["variants"]
    assert [(each["variant"], each["alerts"]) for each in found] == [("as it is", 4), ("critical=4", 3)]
    assert len(found[0]["episodes"]) == 4


class Recorded:
    """Answers like Datadog, from one series of points."""

    def __init__(self):
        self.asked = []

    def points(self, query, start, end):
        self.asked.append((query, start, end))
        return [
            {
                "tag_set": ["flow:a", "env:prod"],
                "pointlist": [[start * 1000, 4.0], [(start + 60) * 1000, None]],
            }
        ]


def test_history_is_asked_for_by_day_and_by_every_key_of_the_scope():
    client = Recorded()
    node = parse_monitor(BODY["query"])
    found = [
        each
        for part in fetch(client, node, START, START + 2 * 86400, lambda done, total: None)
        for each in part
    ]
    assert [end - start for _, start, end in client.asked] == [86399, 86399]
    assert client.asked[0][0] == "sum:failed{env:prod} by {flow,env}.as_count().rollup(sum, 60)"
    assert [(each.tags, each.type, each.values.tolist()) for each in found] == [
        (("env:prod", "flow:a"), "count", [4.0])
    ] * 2


def test_percentiles_cannot_be_fetched_and_say_so():
    with pytest.raises(InputError) as caught:
        queries(parse_monitor("avg(last_5m):p95:d{*} > 1"))
    assert "raw values" in caught.value.hint


# --- SLO alerts: the SLO, and the monitors that it is made of, come from the project

GOOD, ALL = (
    "sum:orders{${var:scope|region:eu},ok:true}.as_count()",
    "sum:orders{${var:scope|region:eu}}.as_count()",
)
TARGET = {"name": "Orders", "thresholds": [{"timeframe": "7d", "target": 99.0}]}
SLICE = {
    "time_slice": {
        "query": {
            "formulas": [{"formula": "q"}],
            "queries": [{"name": "q", "data_source": "metrics", "query": "sum:orders{ok:false}.as_count()"}],
        },
        "comparator": "<",
        "threshold": 20,
        "query_interval_seconds": 60,
    }
}
OBJECTIVES = {
    "metric": TARGET | {"type": "metric", "query": {"numerator": GOOD, "denominator": ALL}},
    "time_slice": TARGET | {"type": "time_slice", "sli_specification": SLICE},
    "monitor": TARGET | {"type": "monitor", "monitor_ids": ["${monitor:failing}"]},
    "for_each": TARGET
    | {
        "type": "metric",
        "for_each": "regions",
        "query": {
            "numerator": "sum:orders{region:${var:each},ok:true}.as_count()",
            "denominator": "sum:orders{region:${var:each}}.as_count()",
        },
    },
}


def project(path, kind, key="${slo:orders}"):
    """Write a burn-rate alert, its SLO, and two hours of orders of which every fifth of the second hour fails."""
    for folder, name, body in (
        ("slos", "orders", OBJECTIVES[kind]),
        ("monitors", "failing", {**BODY, "query": "sum(last_1m):sum:orders{ok:false}.as_count() > 2"}),
        (
            "monitors",
            "burn",
            {
                "type": "slo alert",
                "query": f'burn_rate("{key}").over("7d").long_window("1h").short_window("5m") > 14.4',
                "options": {"thresholds": {"critical": 14.4}},
            },
        ),
    ):
        (path / folder).mkdir(exist_ok=True)
        (path / folder / f"{name}.json").write_text(json.dumps(body))
    (path / "stepscope.toml").write_text('[defaults]\nregions = ["eu", "us"]\n')
    rows = ["metric,timestamp,value,type,tags"]
    for minute in range(120):
        bad = 20 if minute >= 60 else 0
        for ok, value in (("true", 100 - bad), ("false", bad)):
            rows.append(f'orders,{START + 60 * minute},{value},count,"region:eu,ok:{ok}"')
    (path / "points.csv").write_text("\n".join(rows) + "\n")


@pytest.mark.parametrize(
    ("kind", "key", "begins"),
    [
        # A fifth of the events fail from minute 60 on: 14.4 % of an hour's are bad after 44 of its 60 minutes
        ("metric", "${slo:orders}", 104),
        ("for_each", "${slo:orders[eu]}", 104),
        # Each minute of the second hour is bad as a whole: 14.4 % of an hour are 9 minutes
        ("time_slice", "${slo:orders}", 69),
        ("monitor", "${slo:orders}", 70),
    ],
)
def test_an_slo_alert_is_replayed_over_the_metrics_of_its_slo(
    kind, key, begins, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    project(tmp_path, kind, key)
    with pytest.raises(SystemExit) as stopped:
        main(["backtest", "burn", "--data", "points.csv", "--json", "--set", "critical=200"])
    assert not stopped.value.code
    shipped, higher = json.loads(capsys.readouterr().out)["variants"]
    assert [(episode["start"] - START) // 60 for episode in shipped["episodes"]] == [begins]
    assert higher["alerts"] == 0


@pytest.mark.parametrize(
    ("arguments", "key", "says"),
    [
        ([], "${slo:nosuch}", "looks at no metric"),
        ([], "../slos/orders", "looks at no metric"),
        ([], "orders", "there is no slo 'orders'"),
        ([], "${slo:orders[asia]}", "there is no slo 'orders[asia]'"),
        (["--set", "window=last_5m"], "${slo:orders[eu]}", "the windows of its query"),
        (["--fetch"], "${slo:orders[eu]}", "only the history of metric monitors can be fetched"),
    ],
)
def test_an_slo_alert_that_cannot_be_replayed_says_why(arguments, key, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DD_API_KEY", "a")
    monkeypatch.setenv("DD_APP_KEY", "b")
    project(tmp_path, "for_each", key)
    with pytest.raises(SystemExit) as stopped:
        main(["backtest", "burn", "--data", "points.csv", *arguments])
    assert stopped.value.code == 2
    assert says in capsys.readouterr().err
