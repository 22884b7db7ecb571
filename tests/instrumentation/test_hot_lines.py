"""The line in both directions: what is written, what is read, and what is refused where."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spec_reader import check_name, check_tag, printed_point

from monitoring.lines import (
    Point,
    Reading,
    Refused,
    format_point,
    metric_name,
    parse_line,
    read_line,
    tag_list,
    tag_text,
    value_text,
)

NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_.]{0,60}", fullmatch=True)
TAGS = st.from_regex(r"[a-z][a-z0-9_\-:./]{0,40}", fullmatch=True)
VALUES = st.one_of(
    st.integers(-(10**30), 10**30), st.floats(allow_nan=False, allow_infinity=False), st.booleans()
)
POINTS = st.builds(
    Point,
    NAMES,
    VALUES,
    st.integers(0, 10**11 - 1),
    st.sampled_from(["count", "gauge", "histogram", "distribution", "check", "timing"]),
    st.lists(TAGS, max_size=5).map(tuple),
)


@given(POINTS)
def test_every_point_formats_to_one_line_and_reads_back_as_itself(point):
    line = format_point(point)
    assert "\n" not in line
    assert parse_line(line) == [point]
    assert read_line(line + "\n") == Reading([point], [])


@given(POINTS.filter(lambda point: point.type not in {"distribution", "timing"}))
def test_a_reader_written_from_the_specification_reads_the_same(point):
    printed = printed_point(format_point(point))
    assert printed.metric == point.metric
    assert float(printed.value) == float(point.value)
    assert (printed.timestamp, printed.type, printed.tags) == (point.timestamp, point.type, point.tags)


@given(
    st.text(), st.one_of(st.text(), st.integers(), st.none(), st.lists(st.text() | st.integers() | st.none()))
)
def test_any_text_as_name_or_tag_gives_a_line_by_datadogs_rules_or_a_value_error(name, tags):
    try:
        kept = metric_name(name)
    except ValueError as error:
        assert "no letter" in str(error)
    else:
        check_name(kept)
        assert metric_name(kept) == kept
    for tag in tag_list(tags):
        check_tag(tag)
        assert tag_text(tag) == tag


EPOCH = 1609983680
LINES = [
    ("seconds", f"MONITORING|{EPOCH}|1|count|a.b|#x:y,z", Point("a.b", 1, EPOCH, "count", ("x:y", "z"))),
    ("a newline", f"MONITORING|{EPOCH}|1|count|a.b|#x:y\n", Point("a.b", 1, EPOCH, "count", ("x:y",))),
    (
        "a carriage return",
        f"MONITORING|{EPOCH}|1|count|a.b|#x:y\r\n",
        Point("a.b", 1, EPOCH, "count", ("x:y",)),
    ),
    ("no tags", f"MONITORING|{EPOCH}|1|count|a.b|", Point("a.b", 1, EPOCH)),
    ("milliseconds", "MONITORING|1609983680413|1|count|a|#", Point("a", 1, 1609983680.413)),
    ("whole milliseconds", "MONITORING|1609983680000|1|count|a|#", Point("a", 1, EPOCH)),
    ("microseconds", "MONITORING|1609983680000000|1|count|a|#", Point("a", 1, EPOCH)),
    ("nanoseconds", "MONITORING|1609983680000000000|1|count|a|#", Point("a", 1, EPOCH)),
    (
        "float seconds",
        "MONITORING|1609983680.4133823|1|gauge|a|#",
        Point("a", 1, 1609983680.4133823, "gauge"),
    ),
    ("whole float seconds", "MONITORING|1609983680.0|1|gauge|a|#", Point("a", 1, EPOCH, "gauge")),
    ("an empty field and a bar", f"MONITORING|{EPOCH}|1|count|a||", Point("a", 1, EPOCH)),
    ("a trailing bar", f"MONITORING|{EPOCH}|1|count|a|#b:c|", Point("a", 1, EPOCH, "count", ("b:c",))),
    ("five fields", f"MONITORING|{EPOCH}|1|count|a", Point("a", 1, EPOCH)),
    ("tags without #", f"MONITORING|{EPOCH}|1|count|a|b:c,d", Point("a", 1, EPOCH, "count", ("b:c", "d"))),
    ("# on every tag", f"MONITORING|{EPOCH}|1|count|a|#b:c,#d", Point("a", 1, EPOCH, "count", ("b:c", "d"))),
    (
        "spaces after commas",
        f"MONITORING|{EPOCH}|1|count|a|#b:c, d",
        Point("a", 1, EPOCH, "count", ("b:c", "d")),
    ),
    ("a leading empty tag", f"MONITORING|{EPOCH}|1|count|a|#,b:c", Point("a", 1, EPOCH, "count", ("b:c",))),
    (
        "key=value",
        f"MONITORING|{EPOCH}|1|count|a|#b=c,d:e=f",
        Point("a", 1, EPOCH, "count", ("b:c", "d:e=f")),
    ),
    ("an exponent", f"MONITORING|{EPOCH}|1e+06|histogram|a|#", Point("a", 1e6, EPOCH, "histogram")),
    (
        "a long decimal",
        f"MONITORING|{EPOCH}|0.30000000000000004|gauge|a|#",
        Point("a", 0.1 + 0.2, EPOCH, "gauge"),
    ),
    ("a negative count", f"MONITORING|{EPOCH}|-1|count|a|#", Point("a", -1, EPOCH)),
    ("a distribution", f"MONITORING|{EPOCH}|1|distribution|a|#", Point("a", 1, EPOCH, "distribution")),
    ("a check", f"MONITORING|{EPOCH}|0|check|a|#", Point("a", 0, EPOCH, "check")),
    ("a timing", f"MONITORING|{EPOCH}|12|timing|a|#", Point("a", 12, EPOCH, "timing")),
    (
        "Node's prefix",
        f"2021-01-07T01:41:20.413Z\t6f9e\tINFO\tMONITORING|{EPOCH}|1|count|a|#b:c",
        Point("a", 1, EPOCH, "count", ("b:c",)),
    ),
    (
        "a Python logger's prefix",
        f"[INFO]\t2021-01-07T01:41:20.413Z\t6f9e\tMONITORING|{EPOCH}|1|count|a|#b:c\n",
        Point("a", 1, EPOCH, "count", ("b:c",)),
    ),
    (
        "Lambda's JSON envelope",
        f'{{"timestamp":"2021","level":"INFO","message":"MONITORING|{EPOCH}|1|count|a|#b:c"}}',
        Point("a", 1, EPOCH, "count", ("b:c",)),
    ),
]


@pytest.mark.parametrize(("text", "point"), [case[1:] for case in LINES], ids=[case[0] for case in LINES])
def test_a_variation_is_read_as_it_was_meant(text, point):
    reading = read_line(text)
    assert reading == Reading([point], [])
    assert type(reading.points[0].timestamp) is type(point.timestamp)
    assert parse_line(text) == [point]


@pytest.mark.parametrize("first", [case[1].rstrip() for case in LINES[:24]], ids=[c[0] for c in LINES[:24]])
def test_a_line_glued_to_another_costs_neither(first):
    alone = parse_line(first)
    glued = read_line(f"{first}MONITORING|{EPOCH}|2|gauge|glued|#g:h")
    assert glued == Reading([*alone, Point("glued", 2, EPOCH, "gauge", ("g:h",))], [])


REFUSALS = [
    ("MONITORING|1|12ms|count|a|#", "12ms", "the value is not a number"),
    ("MONITORING|1||count|a|#", "", "the value is not a number"),
    ("MONITORING|1|nan|count|a|#", "nan", "the value is not a number"),
    ("MONITORING|1|1_000|count|a|#", "1_000", "the value is not a number"),
    ("MONITORING|1|1e999|count|a|#", "1e999", "the value is too large for a number"),
    ("MONITORING|soon|1|count|a|#", "soon", "the time is not a number of seconds since the epoch"),
    ("MONITORING|-5|1|count|a|#", "-5", "the time is not a number of seconds since the epoch"),
    ("MONITORING|1|1|measure|a|#", "measure", "the type is not one of Datadog's"),
    ("x MONITORING|1|1|count||#", "", "the metric name does not start with a letter"),
    ("MONITORING|1|1|count|a|#b|c", "c", "a field after the tags"),
    ("MONITORING|1|1", "MONITORING|1|1", "2 fields after MONITORING, expected at least 4"),
]


@pytest.mark.parametrize(("text", "part", "reason"), REFUSALS, ids=[case[2] + case[1] for case in REFUSALS])
def test_a_refusal_names_the_reason_the_place_and_the_next_step(text, part, reason):
    points, refused = read_line(text)
    assert not points
    assert [(r.reason, r.text, text[r.start : r.end]) for r in refused] == [(reason, part, part)]
    assert refused[0].hint


@pytest.mark.parametrize(
    "text",
    [
        "MONITORING|10|Count|SuccessfulPayment|ServerlessAirline",
        "MONITORING|10|Count|SuccessfulPayment|ServerlessAirline|service=payment",
        "MONITORING|1609983680|Milliseconds|Latency|gauge|x",
        "MONITORING|1609983680|None|Latency|NS|x=y",
    ],
)
def test_the_other_format_of_the_same_word_is_refused_by_name(text):
    points, refused = read_line(text)
    assert not points
    assert "early Powertools" in refused[0].reason
    assert (refused[0].start, refused[0].end) == (0, len(text))


def test_a_refused_record_costs_the_good_one_beside_it_nothing():
    points, refused = read_line("MONITORING|1|12ms|count|a|#MONITORING|1|1|count|b|#")
    assert points == [Point("b", 1, 1)]
    assert [r.text for r in refused] == ["12ms"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "START RequestId: 6f9e Version: $LATEST",
        "MONITORING",
        '{"traces":[[{"meta":{"error.message":"cannot read MONITORING|1|1|count|a|#"}}]]}',
        '{"level":"ERROR","message":{"text":"MONITORING|1|1|count|a|#"}}',
    ],
)
def test_a_text_that_is_no_metric_line_is_an_empty_reading(text):
    assert read_line(text) == Reading([], [])
    assert parse_line(text) == []


MUTATED = st.one_of(
    st.text(),
    st.lists(
        st.one_of(st.text(string.printable, max_size=8), st.sampled_from(LINES).map(lambda c: c[1]))
    ).map("".join),
    st.lists(
        st.sampled_from(
            ["MONITORING", "|", "#", ",", "1609983680", "1", "count", "a.b", "x:y", "\n", "=", " "]
        )
    ).map("".join),
)


@given(MUTATED)
def test_any_text_is_read_without_raising_and_refusals_lie_where_they_say(text):
    points, refused = read_line(text)
    assert parse_line(text) == points
    for point in points:
        assert float(point.value) - float(point.value) == 0
        assert point.timestamp >= 0
    if not text.lstrip().startswith("{"):
        assert all(text[r.start : r.end] == r.text and r.reason and r.hint for r in refused)
    assert all(isinstance(r, Refused) for r in refused)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (True, "1"),
        (1.0, "1"),
        (-0.0, "0"),
        (0.1, "0.1"),
        (1e-07, "0.0000001"),
        (1e22, "10000000000000000000000.0"),
        (2**70, str(2**70)),
        (12.50, "12.5"),
    ],
)
def test_a_value_is_the_shortest_exact_decimal_without_an_exponent(value, text):
    assert value_text(value) == text
    assert float(text) == value


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), -float("inf"), "12ms", None, 10**400, object()]
)
def test_a_value_that_no_line_can_carry_is_refused(value):
    with pytest.raises(ValueError, match=r"value .* is not"):
        value_text(value)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        (Point("a", 1, 1, "measure"), "type 'measure' is not one of count, gauge"),
        (Point("a", 1, 1609983680413), "time 1609983680413 is not in seconds since the epoch"),
        (Point("a", 1, float("nan")), "time nan is not a number of seconds"),
        (Point("123", 1, 1), "metric name '123' has no letter"),
    ],
)
def test_a_point_that_no_line_can_carry_is_refused(point, message):
    with pytest.raises(ValueError, match=message):
        format_point(point)


def test_the_canonical_lines_of_the_documentation():
    point = Point("slides.identified", 1, EPOCH, "count", ("talk:baltimore", "page:7"))
    assert format_point(point) == "MONITORING|1609983680|1|count|slides.identified|#talk:baltimore,page:7"
    assert format_point(point._replace(tags=())) == "MONITORING|1609983680|1|count|slides.identified|"
