"""A monitor test that asks for too much is refused in a sentence, before time or memory is spent on it."""

import json
from pathlib import Path

import pytest

from monitoring.testing import Folder, loads, run_case
from monitoring.testing.problems import DocumentError
from monitoring.testing.times import LONGEST_DAYS

HUGE = "99999999999d"
TOO_LONG = f"{LONGEST_DAYS + 1}d"
MONITOR = {
    "type": "query alert",
    "query": "sum(last_5m):sum:a.b{*} by {c}.as_count() > 5",
    "options": {"thresholds": {"critical": 5}},
}


def document(expect: str = "never: Alert", values: str = "0x9", **more: str) -> str:
    lines = [f"{key}: {value}" for key, value in more.items()]
    series = f"series: [{{metric: a.b, type: count, tags: ['c:1'], values: {values}}}]"
    return "\n".join([*lines, f"monitor: {json.dumps(MONITOR)}", series, f"expect: [{{{expect}}}]"])


def problems(text: str) -> list[tuple[str, str]]:
    try:
        (case,) = loads(text)
    except DocumentError as refused:
        return [(each.message, each.hint) for each in refused.problems]
    result = run_case(case, Folder(Path()))
    return [(each.message, each.hint) for each in result.problems]


@pytest.mark.parametrize("length", [HUGE, TOO_LONG, "1" * 400 + "w", f"{TOO_LONG}1s"])
@pytest.mark.parametrize(
    "expect",
    [
        "at: {}, state: OK",
        "at: 0m..{}, state: OK",
        "at: [1m, {}], state: OK",
        "alerts_within: {}, of: 1m",
        "warns_within: 1m, of: {}",
        "recovers_by: {}",
        "never: Alert, from: {}",
        "always: OK, to: {}",
    ],
)
def test_an_expectation_beyond_the_longest_case_is_refused(expect: str, length: str):
    ((_, hint),) = problems(document(expect.format(length)))
    assert hint == f"a case lasts {LONGEST_DAYS}d at most"


@pytest.mark.parametrize("key", ["until", "interval"])
def test_a_length_beyond_the_longest_case_is_refused(key: str):
    ((_, hint),) = problems(document(**{key: HUGE}))
    assert hint == f"a case lasts {LONGEST_DAYS}d at most"


@pytest.mark.parametrize(
    "text",
    [
        document(interval="399d"),
        document(values="0x999999, every: 1h"),
        document(values="0x9, from: 400d"),
        document(f"alerts_within: {LONGEST_DAYS}d, of: 1m"),
    ],
)
def test_lengths_that_add_up_to_more_than_the_longest_case_are_refused(text: str):
    ((message, hint),) = problems(text)
    assert message.startswith("the case lasts ")
    assert hint.startswith("shorten it")


def test_the_longest_case_is_run():
    assert problems(document(f"at: {LONGEST_DAYS}d, state: OK")) == []


def test_a_range_of_more_moments_than_anybody_reads_is_refused():
    ((message, hint),) = problems(document("at: 0m..300d, state: OK"))
    assert message == "0m..300d is more than 10,000 moments"
    assert "always:" in hint


def test_more_events_than_can_be_counted_are_refused():
    text = document(events="[{at: 1m, every: 1s, times: 9999999999, message: a}]")
    assert ("9,999,999,999 events are more than 1,000,000", "write fewer") in problems(text)


def nested(kind: str, levels: int) -> str:
    opening, closing = {"list": ("[", "]"), "mapping": ("{a: ", "}"), "dashes": ("- ", "")}[kind]
    return opening * levels + "1" + closing * levels


@pytest.mark.parametrize("levels", [101, 5_000, 200_000])
@pytest.mark.parametrize("kind", ["list", "mapping"])
@pytest.mark.parametrize("key", ["x", "monitor", "stand_in", "members"])
def test_a_text_that_is_nested_too_deeply_is_refused_with_its_place(key: str, kind: str, levels: int):
    with pytest.raises(DocumentError) as refused:
        loads(f"{key}: {nested(kind, levels)}\n")
    (problem,) = refused.value.problems
    assert problem.message == "this is nested too deeply"
    assert problem.place.line == 1
    assert problem.place.column > 100


def test_dashes_on_one_line_nest_too():
    with pytest.raises(DocumentError, match="nested too deeply"):
        loads(nested("dashes", 5_000))


def test_what_is_nested_less_deeply_is_read():
    with pytest.raises(DocumentError) as refused:
        loads(f"x: {nested('list', 99)}\n")
    assert "unknown key 'x'" in str(refused.value)
