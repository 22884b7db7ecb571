"""What Datadog answered, and what its documentation works out, is what evaluation answers."""

import json

import numpy as np
import pytest
from query_cases import START, ask, distribution, line, row, series
from shared_data import shared_data

from monitoring.query import body, default_interval, evaluate, reduce_line
from monitoring.query.evaluation import evaluate_lines
from monitoring.query.series import Series

NOT_OURS = {"unit", "attributes", "resp_version", "res_type"}


def recorded():
    rows = [json.loads(line) for line in shared_data("query_answers.jsonl").read_text().splitlines()]
    return [row for row in rows if row["api"] == "v1"]


def submitted(answer):
    """The series that had been submitted before a recorded answer."""
    found = []
    for request in answer["submitted"]:
        for each in request["body"]["series"]:
            times = np.array([round(time) for time, _ in each["points"]], dtype=np.int64)
            values = np.array([value for _, value in each["points"]], dtype=np.float64)
            found.append(
                Series(each["metric"], tuple(each.get("tags", ())), times, values, host=each.get("host", ""))
            )
    return found


def test_recorded_answers_are_reproduced_framing_included():
    answers = [row for row in recorded() if row["submitted"]]
    assert len(answers) == 11
    for row_ in answers:
        wanted = row_["response"]
        found = body(
            row_["query"],
            row_["frm"],
            row_["to"],
            evaluate(row_["query"], submitted(row_), row_["frm"], row_["to"]),
        )
        for key in set(wanted) - {"series"}:
            assert found[key] == wanted[key], key
        assert len(found["series"]) == len(wanted["series"])
        for ours, theirs in zip(found["series"], wanted["series"], strict=True):
            assert {key: ours[key] for key in theirs} == theirs


def test_the_default_interval_is_that_of_every_recorded_answer():
    for row_ in recorded():
        for answer in row_["response"]["series"]:
            assert default_interval(row_["to"] - row_["frm"]) == answer["interval"]


def test_a_window_has_the_buckets_that_recorded_answers_have():
    for row_ in recorded():
        for answer in row_["response"]["series"]:
            times = np.arange(
                int(row_["frm"]) - 1000, int(row_["to"]) + 1000, answer["interval"] or 1, dtype=np.int64
            )
            found = evaluate(
                "avg:m{*}", [Series("m", (), times, np.ones(len(times)))], row_["frm"], row_["to"]
            )[0]
            labels = set((found.times * 1000).tolist())
            assert {int(time) for time, _ in answer["pointlist"]} <= labels
            if not row_["submitted"]:
                assert len(labels) == answer["length"]


@pytest.fixture(scope="module")
def examples():
    return json.loads(shared_data("doc_examples.json").read_text())


def test_the_table_of_default_intervals(examples):
    seconds = {"1h": 3600, "4h": 14400, "1d": 86400, "2d": 172800, "1w": 604800, "1mo": 30 * 86400}
    length = {"s": 1, "m": 60, "h": 3600}
    for span, line_, _, api in examples["rollup_default_intervals"]["rows"]:
        for written in (line_, api):
            assert default_interval(seconds[span]) == int(written[:-1]) * length[written[-1]]
    for span, interval in examples["rollup_observed_api_v1"]["rows"]:
        assert default_interval(int(span[:-1])) == interval


def test_the_classic_evaluation_of_an_error_rate(examples):
    example = examples["as_count_eval"]
    data = [
        series("error", values=example["error"], type="count", interval=60),
        series("total", values=example["total"], type="count", interval=60),
    ]
    end = START + 300
    classic = evaluate_lines("sum:error{*}.as_rate() / sum:total{*}.as_rate()", data, START, end, 60)
    assert classic.values.sum() == pytest.approx(
        example["classic_eval_path sum(last_5m) error.as_rate()/total.as_rate()"]
    )


def test_dividing_by_zero_or_by_nothing_gives_no_value(examples):
    example = examples["sparse_division"]
    data = [series("a", values=example["A"]), series("b", values=example["B"])]
    assert sum(line("sum:a{*} / sum:b{*}", data).values()) == example["a/b sum"]


def test_fill_last_carries_values_that_do_not_meet(examples):
    example = examples["fill_last_900"]
    data = [
        series("num", values=example["num"], every=300),
        series("den", values=[1, *example["den"]], every=300, start=START - 300),
    ]
    window = {"seconds": 2100, "interval": 300}
    assert line("sum:num{*} / sum:den{*}", data, **window) == {}
    filled = line("sum:num{*}.fill(last, 900)", data, **window)
    assert filled == row(example["num_filled"], 300)
    ratio = line("sum:num{*}.fill(last, 900) / sum:den{*}.fill(last, 900)", data, **window)
    assert sum(ratio.values()) == example["result"]


def test_sources_are_interpolated_where_another_has_a_point(examples):
    example = examples["interpolation_linear"]
    data = [
        series("net", "host:a", [15, None, None, 25], every=10),
        series("net", "host:b", [None, 10, None, None, 40], every=10),
    ]
    found = line("sum:net{*}", data, seconds=50, interval=10)
    assert found[10] == pytest.approx(example["sum"]["3:00:10"], abs=1e-6)
    assert found[30] == example["sum"]["3:00:30"]
    assert set(found) == {0, 10, 30, 40}


def test_default_zero_carries_a_gauge_for_five_minutes():
    found = line("default_zero(avg:m{*})", [series(values=[None] * 5 + [1])], seconds=900)
    assert found == row([0] * 5 + [1] * 6 + [0] * 4)


def test_counts_as_rates_and_rates_as_counts(examples):
    example = examples["as_rate_on_count"]
    counts = [series(values=example["points"], every=20, type="count")]
    assert list(line("sum:m{*}.as_rate()", counts, seconds=80, interval=20).values()) == example["as_rate"]
    example = examples["as_count_on_rate"]
    rates = [series(values=example["points"], every=20, type="rate", interval=20)]
    assert list(line("sum:m{*}.as_count()", rates, seconds=80, interval=20).values()) == example["as_count"]


@pytest.mark.parametrize(
    "aggregator", ["avg", "count", "max", "min", "sum", "p50", "p75", "p90", "p95", "p99"]
)
def test_a_distribution_pools_its_sources(examples, aggregator):
    example = examples["distribution"]
    data = [
        distribution("d", "host:web_1", example["web_1"]),
        distribution("d", "host:web_2", example["web_2"]),
    ]
    assert line(f"{aggregator}:d{{*}}", data)[0] == pytest.approx(example[aggregator], abs=0.005)


def test_weighted_sums_by_the_time_that_a_source_was_there(examples):
    example = examples["weighted"]
    data = [
        series("up", f"app:{name.split(',')[0]} version:{name.split(',')[1]}", values, every=10, interval=10)
        for name, values in example["rows"].items()
    ]
    plain = ask("sum:up{*} by {version}.rollup(avg, 60)", data, seconds=60)
    assert {tags.split(":")[1]: found[0] for tags, found in plain.items()} == example[
        "rollup_avg_sum_by_version"
    ]
    weighted = ask("sum:up{*} by {version}.rollup(avg, 60).weighted()", data, seconds=60)
    assert {tags.split(":")[1]: found[0] for tags, found in weighted.items()} == example[
        "weighted_sum_by_version"
    ]


def test_a_window_of_a_monitor_is_reduced_to_one_value(examples):
    example = examples["monitor_aggregators"]
    lines = evaluate_lines("avg:m{*}", [series(values=example["values"])], START, START + 660, 60)
    assert [reduce_line(lines.values[0], name) for name in ("max", "sum", "min")] == [50, 240, 8]
    history = examples["history_eval_graph"]
    lines = evaluate_lines("avg:m{*}", [series(values=history["points"])], START, START + 300, 60)
    assert reduce_line(lines.values[0], "avg") == history["avg(last_5m)"]


def test_a_change_is_the_formula_that_the_page_gives(examples):
    example = examples["change"]["example"]
    data = [series(values=[example["b"], example["a"]])]
    assert line("avg:m{*} - timeshift(avg:m{*}, -60)", data, seconds=60, start=START + 60) == {0: 2}
    relative = "(avg:m{*} - timeshift(avg:m{*}, -60)) / timeshift(avg:m{*}, -60) * 100"
    assert line(relative, data, seconds=60, start=START + 60) == {0: example["pct"]}
