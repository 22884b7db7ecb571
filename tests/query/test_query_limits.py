"""Whatever a query asks for, it is answered or refused with a QueryError, in bounded time and memory."""

import random
import subprocess
import sys

import numpy as np
import pytest
from query_cases import START, distribution, line, series

from monitoring.query import FUNCTIONS, QueryError, evaluate
from monitoring.query.evaluation import evaluate_lines
from monitoring.query.series import Series

DATA = [
    *(
        series("m", f"host:h{at} env:{env}", [1, None, 3, 4], every=40)
        for at in range(3)
        for env in ("prod", "dev")
    ),
    series("c", "env:prod host:h1", [1, 2, 3, 4], type="count", interval=60),
    series("r", "env:prod", [0.5, 0.25], type="rate", interval=10, every=10),
    distribution("d", "env:prod host:h1", [1, 5, 2, 2]),
]
NUMBERS = ["0", "1", "-1", "60", "-60", "3600", "1e9", "1e15", "-1e300", "1e300", "0.5", "-0.0", "86400"]
HEADS = ["avg:", "sum:", "min:", "max:", "count:", "p95:", "stddev:", "", "count(v: v>1):"]
SCOPES = ["{*}", "{env:prod}", "{!host:h1}", "{host IN (h1, h2)}"]
GROUPS = ["", " by {host}", " by {host,env}", " by {nosuch}"]
MODIFIERS = [
    *("", ".as_count()", ".as_rate()", ".weighted()", ".fill(0)", ".fill(last, 1e15)", ".fill(zero, 60)"),
    *(
        ".rollup(sum, 7)",
        ".rollup(count, 1e15)",
        ".rollup(sum, monthly)",
        ".rollup(max, 'daily', 'Europe/Berlin')",
    ),
]
TEXTS = ["'-1d'", "'-1mo'", "'-9999mo'", "'UTC'", "'Europe/Berlin'", "'x'"]


class Writer:
    """Writes queries that can be read, with arguments of every size."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def metric(self):
        pick = self.random.choice
        modifiers = "".join(pick(MODIFIERS) for _ in range(2))
        return f"{pick(HEADS)}{pick('mcrdx')}{pick(SCOPES)}{pick(GROUPS)}{modifiers}"

    def query(self, depth=0):
        kind = self.random.random()
        if depth > 3 or kind < 0.3:
            return self.metric()
        if kind < 0.4:
            return self.random.choice(NUMBERS)
        if kind < 0.6:
            return f"({self.query(depth + 1)} {self.random.choice('+-*/')} {self.query(depth + 1)})"
        function = self.random.choice(list(FUNCTIONS.values()))
        wanted = [each for each in function.parameters if each.required or self.random.random() < 0.5]
        return f"{function.name}({', '.join(self.argument(each, depth) for each in wanted)})"

    def argument(self, parameter, depth):
        pick = self.random.choice
        choices = [f"'{each}'".replace("pNN", "p75") for each in parameter.choices]
        if parameter.kind == "query":
            return pick(["{host}", self.query(depth + 1)]) if choices else self.query(depth + 1)
        options = {"number": [*NUMBERS, *choices], "text": TEXTS, "groups": ["{*}", "{host}", "{nope}"]}
        return pick(options.get(parameter.kind, choices))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.filterwarnings("error")
def test_any_query_is_answered_or_refused(seed):
    writer, answered = Writer(seed), 0
    for _ in range(150):
        query = writer.query()
        window = writer.random.choice([60, 300, 3600, 86400])
        try:
            for answer in evaluate(query, DATA, START, START + window, writer.random.choice([None, 60, 7])):
                assert np.isfinite(answer.values).all()
                assert (np.diff(answer.times) > 0).all()
                answered += 1
            lines = evaluate_lines(query, DATA, START, START + 300, writer.random.choice([None, 60]))
        except QueryError as error:
            assert str(error)
            continue
        assert lines.values.shape == (len(lines.groups), len(lines.times))
    assert answered > 30


FAR = [
    ("timeshift(avg:m{*}, -1e15)", "a query looks back ten years at most"),
    ("calendar_shift(avg:m{*}, '-9999mo')", "a query looks back ten years at most"),
    ("moving_rollup(avg:m{*}, 1e15, 'sum')", "moving_rollup takes seconds, from 1 to ten years"),
    ("rollup(avg:m{*}, 'sum', 0)", "rollup takes seconds, from 1 to ten years"),
    ("fill(avg:m{*}, 'last', -1)", "fill takes a limit in seconds"),
    ("moving_rollup(avg:m{*}, 300000000, 'sum')", "buckets of 1 s are too fine"),
    ("calendar_shift(avg:m{*}, 'yesterday')", "'yesterday' is not a calendar shift"),
    ("sum(avg:m{*} by {host}, {env})", "the query inside is not grouped by env"),
]


@pytest.mark.parametrize(("query", "message"), FAR, ids=[query for query, _ in FAR])
def test_what_would_never_end_is_refused(query, message):
    with pytest.raises(QueryError) as refused:
        evaluate(query, DATA, START, START + 60)
    assert refused.value.message.startswith(message)


@pytest.mark.parametrize(
    ("start", "end", "interval", "message"),
    [
        (START, START, None, "the window ends before it starts"),
        (START * 1000, START * 1000 + 1, None, "times are seconds since the epoch, not milliseconds"),
        (START, START + 60, 0, "the interval is below 1 second"),
        (float("nan"), START, None, "the window ends before it starts"),
    ],
)
def test_a_window_that_is_none_is_refused(start, end, interval, message):
    with pytest.raises(QueryError, match=message):
        evaluate("avg:m{*}", DATA, start, end, interval)


def test_series_of_one_source_are_one_and_the_later_write_counts():
    parts = [series(values=[1, 2], tags="B:c a:b"), series(values=[9], tags="a:b b:C", start=START + 60)]
    assert line("sum:m{*}", parts) == {0: 1, 60: 9}
    times = np.array([START + 60, START, START + 60], dtype=np.int64)
    assert line("sum:m{*}", [Series("m", (), times, np.array([1.0, 2, 3]))]) == {0: 2, 60: 3}


def test_values_that_are_no_numbers_are_no_points():
    values = np.array([1, np.nan, np.inf, 4])
    times = START + np.arange(4, dtype=np.int64) * 60
    assert line("sum:m{*}", [Series("m", (), times, values)]) == {0: 1, 180: 4}


def test_any_collection_of_series_will_do():
    assert line("sum:m{*}", iter([series(values=[1])])) == {0: 1}


WILDCARDS = [
    ("env:*", "env:prod", True),
    ("env:p*d", "env:prod", True),
    ("env:*ro*", "env:prod", True),
    ("env:*od", "env:prod", True),
    ("env:**prod**", "env:prod", True),
    ("env:pr*rod", "env:prod", False),
    ("env:*x*", "env:prod", False),
    ("env:*o*r*", "env:prod", False),
    ("name:" + "a*" * 60 + "b", "name:" + "a" * 200, False),
]


@pytest.mark.parametrize(("pattern", "tag", "matches"), WILDCARDS)
def test_a_wildcard_matches_any_text_and_never_takes_long(pattern, tag, matches):
    assert bool(line(f"sum:m{{{pattern}}}", [series(tags=tag, values=[1])])) == matches


def test_reading_a_query_needs_no_numpy():
    code = "import sys; from monitoring.query import parse; parse('avg:m{*}'); print('numpy' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False\n"
    )
