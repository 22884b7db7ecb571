"""Lines are drawn as text that shows their shape, their bounds, their gaps and their threshold."""

import pytest

from monitoring.cli.plot import chart, number, sparkline

NAN = float("nan")


def test_a_chart_rises_from_the_lower_left_to_the_upper_right():
    rows = chart(range(0, 600, 60), range(10), width=20, height=4)
    assert rows[0].startswith("9 ┤")
    assert rows[3].startswith("0 ┤⣀")
    assert rows[0].rstrip()[-1] not in "┤ "
    assert rows[-1].split() == ["00:00:00", "00:09:00"]


def test_a_chart_of_a_day_and_more_has_dates():
    assert chart([0, 172800], [1, 2], width=40)[-1].split() == ["1970-01-01", "00:00", "1970-01-03", "00:00"]


def test_a_gap_stays_empty():
    whole = chart([0, 60, 120, 180, 240], [1, 1, 1, 1, 1], width=20, height=1)[0]
    with_gap = chart([0, 60, 120, 180, 240], [1, 1, NAN, 1, 1], width=20, height=1)[0]
    assert whole[-20:].strip() == whole[-20:]
    assert with_gap[-20:][6:13].strip() == ""


def test_a_threshold_is_a_level_line_and_a_moment_is_pointed_at():
    rows = chart([0, 60, 120], [1, 1, 1], width=20, height=4, threshold=5, mark=60)
    assert rows[0] == "5 ┤" + "╌" * 20
    assert "▲" in rows[-2]


@pytest.mark.parametrize("values", [[], [NAN, NAN]])
def test_a_line_without_points_says_so(values):
    assert chart(range(len(values)), values) == ["no points"]
    assert sparkline(values) == "no points"


def test_a_sparkline_fits_its_width():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([1, NAN, 2]) == "▁ █"
    assert len(sparkline(list(range(1000)), 40)) == 40


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.5"), (12345, "12.35k"), (2e6, "2M"), (1 / 3, "0.33333"), (-5e9, "-5G")]
)
def test_numbers_are_short(value, text):
    assert number(value) == text
