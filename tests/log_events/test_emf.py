"""Documents of the Embedded Metric Format: every value is a point, and what is left out is said once."""

import gc
import json
import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.forwarder.enrich import describe
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.log_events.memory import Memory
from monitoring.log_events.reader import Reader, Rules

NOW = 1_763_000_000_000
BOUNDED = settings(max_examples=60, deadline=None)


def document(directives, **members):
    return {"_aws": {"Timestamp": NOW, "CloudWatchMetrics": directives}, **members}


def directive(dimensions=(("oven",),), metrics=("loaves",), namespace="Bakery", **more):
    names = [{"Name": metric} if isinstance(metric, str) else metric for metric in metrics]
    return {"Namespace": namespace, "Dimensions": dimensions, "Metrics": names, **more}


def read(record):
    text = record if isinstance(record, str) else json.dumps(record)
    reader = Reader(describe(ForwarderSettings(), "", "", "", ""), Memory(), Rules())
    reader.read(text, NOW, 1)
    return reader.out


def values(record, metric="Bakery.loaves"):
    found = read(record)
    assert not found.refused
    return [point.value for point in found.points if point.metric == metric]


def tags(record):
    (point,) = read(record).points
    return point.tags


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (3, [3]),
        (-2.5, [-2.5]),
        ([4.0], [4]),
        ([1, 2, 2], [1, 2, 2]),
        ({"Values": [1, 2], "Counts": [2, 1]}, [1, 1, 2]),
        ({"Values": [1, 2], "Counts": [2.0, 0]}, [1, 1]),
        ({"Values": [7, 8]}, [7, 8]),
        ({"Values": [1.5], "Counts": [3], "Min": 1.5, "Max": 1.5, "Count": 3, "Sum": 4.5}, [1.5] * 3),
        ({"Max": 20, "Min": 2, "Count": 4, "Sum": 42}, [2, 10, 10, 20]),
        ({"Max": 5, "Min": 3, "Count": 2, "Sum": 8}, [3, 5]),
        ({"Max": 6, "Min": 6, "Count": 1, "Sum": 6}, [6]),
        ({"Max": 0, "Min": 0, "Count": 0, "Sum": 0}, []),
        ({"Count": 4, "Sum": 10}, [2.5] * 4),
    ],
)
def test_a_target_becomes_a_point_for_each_value(target, expected):
    assert values(document([directive()], oven="2", loaves=target)) == expected


@BOUNDED
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_a_statistic_set_keeps_count_sum_minimum_and_maximum(numbers):
    total = math.fsum(numbers)
    target = {"Min": min(numbers), "Max": max(numbers), "Sum": total, "Count": len(numbers)}
    found = values(document([directive()], oven="2", loaves=target))
    assert len(found) == len(numbers)
    assert math.isclose(sum(found), total, rel_tol=1e-9, abs_tol=1e-3)
    if len(numbers) > 2:
        assert (min(found), max(found)) == pytest.approx((min(numbers), max(numbers)), abs=1e-3)


@pytest.mark.parametrize(
    "target",
    [
        None, "3", True, [], ["3"], [1, None], [True], {}, {"Values": [1], "Counts": [1, 2]}, {"Values": "1"},
        {"Values": [1], "Counts": [-1]}, {"Values": [1], "Counts": [1.5]}, {"Values": ["1"], "Counts": [1]},
        {"Max": 1, "Min": 1}, {"Count": -1, "Sum": 3}, {"Count": 2, "Sum": "3"}, {"Count": 3, "Sum": 1e308, "Min": -1e308, "Max": -1e308},
        {"Values": [1], "Counts": [10_001]}, {"Count": 10**18, "Sum": 5}, [0] * 10_001,
    ],
)  # fmt: skip
def test_a_target_that_has_no_value_is_one_refusal_and_costs_no_other_metric(target):
    found = read(document([directive(metrics=["heat", "loaves"])], oven="2", loaves=target, heat=200))
    assert [(point.metric, point.value) for point in found.points] == [("Bakery.heat", 200)]
    (refused,) = found.refused
    assert "left out: 1: 'loaves' " in refused.reason


def test_all_values_and_metrics_of_a_document_are_taken_however_many():
    names = [f"m{number}" for number in range(150)]
    found = read(document([directive(metrics=names)], oven="2", **{name: [1, 2] for name in names}))
    assert len(found.points) == 300
    assert len({point.metric for point in found.points}) == 150
    assert values(document([directive()], oven="2", loaves=list(range(10_000)))) == list(range(10_000))


def test_what_is_beyond_the_values_of_a_document_is_counted():
    names = [f"m{number}" for number in range(5)]
    found = read(document([directive(metrics=names)], oven="2", **dict.fromkeys(names, [1] * 3000)))
    assert len(found.points) == 9000
    assert "left out: 2: 'm3' has 3,000 values" in found.refused[0].reason


@pytest.mark.parametrize(
    ("dimensions", "expected"),
    [
        ([["oven"], ["shift"]], ("oven:2", "shift:night")),
        ([["shift"], ["oven", "shift"], []], ("shift:night", "oven:2")),
        ([["oven"], ["oven"], ["oven", "oven"]], ("oven:2",)),
        (["oven", "shift"], ("oven:2", "shift:night")),
        (["oven", ["shift"]], ("oven:2", "shift:night")),
        ([[]], ()),
        ([], ()),
        (None, ()),
        ("oven", ()),
        ([["missing", "oven", 7, None, ["x"]]], ("oven:2",)),
        ([["empty"]], ("empty:",)),
        ([["place"]], ("place:zürich__café",)),
        ([["number", "flag"]], ("number:7", "flag:true")),
    ],
)
def test_the_dimensions_of_all_sets_are_tags(dimensions, expected):
    members = {"oven": "2", "shift": "night", "empty": "", "place": "Zürich, Café", "number": 7, "flag": True}
    assert tags(document([directive(dimensions)], loaves=1, **members)) == expected


def test_a_set_of_more_than_thirty_dimensions_is_tags_all_the_same():
    names = [f"d{number}" for number in range(31)]
    assert len(tags(document([directive([names])], loaves=1, **dict.fromkeys(names, "v")))) == 31


def test_a_metric_that_several_directives_declare_is_submitted_once_with_all_their_dimensions():
    both = [directive([["oven"]]), directive([["shift"], ["oven"]], ["loaves", "loaves"])]
    assert tags(document(both, oven="2", shift="night", loaves=4)) == ("oven:2", "shift:night")


def test_directives_of_different_namespaces_are_different_metrics():
    both = [directive([["oven"]]), directive([["shift"]], ["loaves", "heat"], "Kitchen")]
    found = read(document(both, oven="2", shift="night", loaves=4, heat=[1, 2]))
    assert [(point.metric, point.value, point.tags) for point in found.points] == [
        ("Bakery.loaves", 4, ("oven:2",)),
        ("Kitchen.loaves", 4, ("shift:night",)),
        ("Kitchen.heat", 1, ("shift:night",)),
        ("Kitchen.heat", 2, ("shift:night",)),
    ]


@pytest.mark.parametrize(("unit", "kind"), [("Count", "count"), ("Milliseconds", "distribution"), (None, "distribution"), (7, "distribution")])  # fmt: skip
def test_the_unit_count_makes_a_count(unit, kind):
    record = document(
        [directive(metrics=[{"Name": "loaves", "Unit": unit, "StorageResolution": 1}])], oven="2", loaves=1
    )
    assert [point.type for point in read(record).points] == [kind]


def test_a_name_of_any_letters_follows_datadogs_rules():
    record = document([directive(metrics=["🥖 per hour"])], oven="2", **{"🥖 per hour": 4})
    assert [point.metric for point in read(record).points] == ["Bakery.__per_hour"]


def test_names_without_a_letter_are_one_refusal_beside_the_others():
    names = [str(number) for number in range(1000)]
    both = [directive(metrics=names, namespace="7"), directive()]
    found = read(document(both, oven="2", loaves=1, **dict.fromkeys(names, 1)))
    assert [point.metric for point in found.points] == ["Bakery.loaves"]
    (refused,) = found.refused
    assert "left out: 1,000: " in refused.reason
    assert "letter" in refused.reason


@pytest.mark.parametrize("stamp", [None, "1763000000000", True, -1, 1e30, [1], float("nan")])
def test_a_document_without_a_time_is_one_refusal(stamp):
    record = document([directive(metrics=["loaves", "heat"])], oven="2", loaves=1, heat=2)
    record["_aws"]["Timestamp"] = stamp
    found = read(record)
    assert (found.points, found.logs, len(found.refused)) == ([], [], 1)
    assert "_aws.Timestamp" in found.refused[0].reason


@pytest.mark.parametrize(
    "directives",
    [
        [{}] * 1000, [None] * 1000, [{"Namespace": "N"}] * 1000, [{"Namespace": 7, "Metrics": []}] * 1000,
        [directive(metrics=[{}])] * 1000, [{"Namespace": "N", "Metrics": [None] * 1000}], [[]] * 1000,
        [directive(metrics=[f"m{n}" for n in range(1000)])], ["x"],
    ],
)  # fmt: skip
def test_a_hostile_document_costs_one_refusal(directives):
    found = read(document(directives, oven="2"))
    assert (found.points, found.logs, len(found.refused)) == ([], [], 1)
    count = "1,000" if directives != ["x"] else "1"
    assert f"left out: {count}: " in found.refused[0].reason
    assert len(found.refused[0].reason) < 400


def test_a_document_that_declares_no_metric_is_a_log():
    for directives in ([], [directive(metrics=[])], [directive(metrics=[])] * 1000):
        found = read(document(directives, order=7))
        assert ([entry.message for entry in found.logs], found.refused) == (
            [json.dumps(document(directives, order=7))],
            [],
        )


def test_version_0_without_the_aws_member_is_a_log():
    old = {
        "Version": "0",
        "Timestamp": str(NOW),
        "CloudWatchMetrics": [directive()],
        "oven": "2",
        "loaves": 4,
    }
    found = read(old)
    assert (found.points, len(found.logs), found.refused) == ([], 1, [])


HOSTILE = {
    "one array in many namespaces": lambda n: document(
        [directive(namespace=f"n{i}") for i in range(n)], loaves=[1] * 9000 + ["x"]
    ),
    "one directive many times": lambda n: document([directive([[f"d{i}" for i in range(40)]])] * n, loaves=1),
    "as many dimensions as metrics": lambda n: document(
        [directive([[f"d{i}" for i in range(n)]], [f"m{i}" for i in range(n)])], **{f"m{i}": 1 for i in range(n)}
    ),
    "a metric with new dimensions each time": lambda n: document(
        [directive([[f"d{i}"]]) for i in range(n)], loaves=1
    ),
    "many counts": lambda n: document(
        [directive(metrics=[f"m{i}" for i in range(n)])], **{f"m{i}": {"Count": 10**9, "Sum": 1} for i in range(n)}
    ),
    "deep": lambda n: '{"_aws":' * n,
    "deep arrays": lambda n: '{"_aws":' + "[" * n + "]" * n + "}",
}  # fmt: skip


@pytest.mark.parametrize("shape", HOSTILE)
def test_the_time_grows_with_the_document_and_not_with_its_square(shape):
    def taken(size):
        text = HOSTILE[shape](size)
        text = text if isinstance(text, str) else json.dumps(text)
        best = 9e9
        gc.collect()
        gc.disable()  # a collection walks through all that the other tests have left, which is not the document
        try:
            for _ in range(3):
                start = time.process_time()
                read(text)
                best = min(best, time.process_time() - start)
        finally:
            gc.enable()
        return best

    assert taken(8000) < 30 * max(taken(1000), 0.01)  # 8 times the document; its square would be 64
