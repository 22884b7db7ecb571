"""The catalogue of a project's own metrics: a union in any order, one text, and what is wrong is named."""

import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.errors import InputError
from monitoring.log_events.telemetry import LogEvent
from monitoring.resources.own_metrics import (
    FILE,
    MOST_PLACES,
    MOST_VALUES,
    OwnMetric,
    OwnMetrics,
    catalogue_path,
    catalogue_text,
    is_own,
    merged_metrics,
    read_own_metrics,
    record_metrics,
)
from monitoring.resources.recording import Recording, Sight

NOWHERE = Path("nowhere")
EMF = (
    '{"_aws":{"Timestamp":1700000000000,"CloudWatchMetrics":[{"Namespace":"shop","Dimensions":[["k"]],'
    '"Metrics":[{"Name":"c"}]}]},"k":"v","c":3}'
)
_places = st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=4), max_size=14)
_metric = st.builds(
    OwnMetric,
    type=st.sampled_from(["distribution", "histogram"]),
    unit=st.just(""),
    tags=st.dictionaries(st.sampled_from("abc"), st.integers(0, MOST_VALUES)),
    functions=_places.map(lambda names: tuple(sorted(set(names))[:MOST_PLACES])),
    tests=_places.map(lambda names: tuple(sorted(set(names))[:MOST_PLACES])),
)
CATALOGUES = st.builds(
    OwnMetrics,
    st.dictionaries(st.sampled_from(["shop.a", "shop.b", "c"]), _metric),
    st.sampled_from([(), ("team",)]),
)


def line(metric: str, *tags: str, kind: str = "count") -> str:
    return f"MONITORING|1700000000|1|{kind}|{metric}|#{','.join(tags)}"


@given(CATALOGUES, CATALOGUES, CATALOGUES)
def test_merging_is_a_union(one: OwnMetrics, other: OwnMetrics, third: OwnMetrics):
    def together(*parts: OwnMetrics) -> str:
        whole = OwnMetrics({})
        for part in parts:
            whole = merged_metrics(whole, part, NOWHERE)
        return catalogue_text(whole)

    assert together(one, other, third) == together(third, one, other) == together(other, third, one, one)
    assert together(one, merged_metrics(other, third, NOWHERE)) == together(one, other, third)


@given(CATALOGUES)
def test_a_text_is_read_as_what_was_written(tmp_path_factory, catalogue: OwnMetrics):
    path = tmp_path_factory.mktemp("own") / FILE
    path.write_text(catalogue_text(catalogue), encoding="utf-8", newline="\n")
    assert read_own_metrics(path) == catalogue


def test_what_a_person_wrote_stays(tmp_path: Path):
    path = tmp_path / FILE
    path.write_text(
        'common_tags = ["team"]\n[metrics."shop.a"]\ntype = "count"\nunit = "order"\ntags = {"own" = 1}\n'
    )
    recording = Recording()
    recording.add_text(line("shop.a", "region:eu"), Sight(test="t::a"))
    assert record_metrics(path, recording.catalogue(path))
    assert read_own_metrics(path) == OwnMetrics(
        {"shop.a": OwnMetric("count", "order", {"own": 1, "region": 1}, (), ("t::a",))}, ("team",)
    )
    before = path.stat().st_mtime_ns
    assert not record_metrics(path, recording.catalogue(path))
    assert path.stat().st_mtime_ns == before
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_nothing_seen_writes_no_file(tmp_path: Path):
    assert not record_metrics(tmp_path / FILE, OwnMetrics({}))
    assert not list(tmp_path.iterdir())


OWN = {"shop.orders": True, "orders": True, "claims.broken": True, "awsome.x": True}
OTHERS = ("aws.lambda.errors", "stepscope.invocations", "datadog.agent.up", "stepscope.execution.started")


@pytest.mark.parametrize(("name", "own"), [*OWN.items(), *((name, False) for name in OTHERS)])
def test_a_projects_own_metric_is_told_from_others(name: str, own: bool):
    assert is_own(name) is own


def test_values_are_counted_and_not_kept():
    recording = Recording()
    for number in range(MOST_VALUES + 5):
        recording.add_text(
            line("shop.a", f"customer:{number}", f"region:{number % 3}", "vip"), Sight(test="t")
        )
    text = catalogue_text(recording.catalogue(NOWHERE))
    assert f'"customer" = {MOST_VALUES}, "region" = 3, "vip" = 1' in text
    assert "999" not in text


def test_every_form_of_a_metric_is_seen_and_its_function():
    messages = (
        line("shop.a", "k:1"),
        '{"m":"shop.b","v":1,"e":1700000000,"t":["k:v"]}\n',
        EMF,
        "START RequestId: 1 Version: $LATEST",
        line("aws.lambda.enhanced.x"),
        "MONITORING|cut",
    )
    recording = Recording()
    recording.add_events(
        LogEvent("1", 0, text, "/aws/lambda/pay", "2026/11/23/[$LATEST]a") for text in messages
    )
    recording.add_events([LogEvent("1", 0, line("shop.d"), "/aws/vendedlogs/states/x", "s")])
    seen = recording.catalogue(NOWHERE).metrics
    assert {name: (metric.type, dict(metric.tags), metric.functions) for name, metric in seen.items()} == {
        "shop.a": ("count", {"k": 1}, ("pay",)),
        "shop.b": ("distribution", {"k": 1}, ("pay",)),
        "shop.c": ("distribution", {"k": 1}, ("pay",)),
    }


def test_a_recording_of_another_process_is_added_without_loss():
    whole, first, second = Recording(), Recording(), Recording()
    for recording, number in ((first, 1), (second, 2), (first, 3)):
        for target in (whole, recording):
            target.add_text(line("shop.a", f"k:{number}"), Sight(test=f"t{number}"))
    merged = Recording()
    merged.add_data(second.as_data())
    merged.add_data(first.as_data())
    assert merged.catalogue(NOWHERE) == whole.catalogue(NOWHERE)


def test_two_types_of_one_metric_are_refused(tmp_path: Path):
    path = tmp_path / FILE
    recording = Recording()
    recording.add_text(line("shop.a"), Sight(test="t::a"))
    record_metrics(path, recording.catalogue(path))
    text = path.read_text()
    later = Recording()
    later.add_text(line("shop.a", kind="gauge"), Sight(test="t::b"))
    with pytest.raises(InputError, match=r"shop\.a is a count \(t::a\) and a gauge \(t::b\)"):
        record_metrics(path, later.catalogue(path))
    assert path.read_text() == text
    later.add_text(line("shop.a", kind="histogram"), Sight("pay"))
    with pytest.raises(InputError, match=r"shop\.a is a gauge \(t::b\) and a histogram \(pay\)"):
        later.catalogue(path)


def test_a_histogram_and_a_distribution_are_one():
    recording = Recording()
    for kind in ("histogram", "distribution"):
        recording.add_text(line("shop.a", kind=kind), Sight(test="t"))
    assert recording.catalogue(NOWHERE).metrics["shop.a"].type == "distribution"


BROKEN = {
    "[metrics": (":1:9", "not valid TOML"),
    '<<<<<<< HEAD\n[metrics."a"]\n': (":1:1", "Resolve the merge conflict"),
    "version = 1": (":1:1", "unknown key 'version'"),
    "metrics = 1": (":1:1", "metrics is not a table"),
    "[metrics]\na = 1": (":2:1", "a: not a table"),
    '[metrics."shop.a"]\nkind = "count"': (":2:1", "shop.a: unknown key 'kind'"),
    '[metrics."shop.a"]\ntype = "counter"': (":2:1", "shop.a: the type is not one of check, count"),
    '[metrics."shop.a"]': (":1:2", "shop.a: the type is not one of"),
    '[metrics."shop.a"]\ntype = "count"\nunit = 1': (":3:1", "the unit is not a text"),
    '[metrics."shop.a"]\ntype = "count"\ntags = ["a"]': (":3:1", "tags is not a table of tag keys"),
    '[metrics."shop.a"]\ntype = "count"\ntags = {a = true}': (":3:1", "tags is not a table of tag keys"),
    '[metrics."shop.a"]\ntype = "count"\ntags = {a = -1}': (":3:1", "tags is not a table of tag keys"),
    '[metrics."shop.a"]\ntype = "count"\ntests = "t"': (":3:1", "tests is not a list of names"),
    '[metrics."shop.a"]\ntype = "count"\nfunctions = [1]': (":3:1", "functions is not a list of names"),
    'common_tags = "team"': (":1:1", "common_tags is not a list of tag keys"),
}


@pytest.mark.parametrize("text", BROKEN)
def test_a_broken_catalogue_is_named_with_its_place(tmp_path: Path, text: str):
    path = tmp_path / FILE
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        read_own_metrics(path)
    place, words = BROKEN[text]
    assert raised.value.where == f"{path}{place}"
    assert words in str(raised.value)
    with pytest.raises(InputError):
        record_metrics(path, OwnMetrics({}))
    assert path.read_text() == text


def _record_some(path: Path, number: int) -> None:
    for repeat in range(10):
        recording = Recording()
        recording.add_text(line(f"shop.m{number}x{repeat}"), Sight(test=f"t{number}"))
        record_metrics(path, recording.catalogue(path))


def test_processes_that_record_at_once_lose_nothing(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_record_some, args=(tmp_path / FILE, n)) for n in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    names = {f"shop.m{number}x{repeat}" for number in range(3) for repeat in range(10)}
    assert read_own_metrics(tmp_path / FILE).metrics.keys() == names


def test_the_catalogue_lies_beside_the_nearest_settings(tmp_path: Path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert catalogue_path(inner) == inner / FILE
    (tmp_path / FILE).touch()
    assert catalogue_path(inner) == tmp_path / FILE
    (tmp_path / "a" / "stepscope.toml").touch()
    assert catalogue_path(inner) == tmp_path / "a" / FILE
