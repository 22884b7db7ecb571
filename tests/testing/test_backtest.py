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
