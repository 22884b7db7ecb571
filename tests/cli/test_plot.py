"""Lines are drawn in one plot over the time that was asked for, with a legend that tells them apart."""

import json

import pytest
from click.testing import CliRunner

from monitoring.cli.plot import MOST, PlotLine, number, plot
from monitoring.cli.query import command
from monitoring.terminal import plain, width_of

NAN = float("nan")
RISING = PlotLine("rising", range(0, 600, 60), range(10))
FALLING = PlotLine("falling", range(0, 600, 60), range(9, -1, -1))


def text(*lines, start=0, end=540, colored=False):
    return [plain(*line) for line in plot(lines, start, end, colored=colored)]


def test_a_line_rises_from_the_lower_left_to_the_upper_right():
    rows = text(RISING)
    assert rows[0].strip().startswith("9 ┤")
    assert rows[9].strip().startswith("0 ┤⣀")
    assert rows[0].rstrip()[-1] not in "┤ "
    assert rows[11].split() == ["00:00:00", "00:09:00"]


def test_the_axis_is_the_time_that_was_asked_for_and_points_stand_where_they_belong():
    rows = text(RISING, start=0, end=5400)
    assert rows[11].split() == ["00:00:00", "01:30:00"]
    assert max(len(row.rstrip()) for row in rows[:10]) < 30
    assert text(RISING, start=0, end=172800)[11].split() == ["1970-01-01", "00:00", "1970-01-03", "00:00"]


def test_several_lines_are_one_plot_and_the_legend_has_their_figures():
    rows = text(RISING, FALLING)
    assert rows[0].count("┤") == 1
    assert next(row for row in rows if "rising" in row).split() == ["a", "rising", "0", "9", "4.5", "9"]
    assert next(row for row in rows if "falling" in row).split() == ["b", "falling", "0", "9", "4.5", "0"]
    assert "a" in rows[9]
    assert "b" in rows[0]


def test_a_colour_tells_lines_apart_where_there_is_colour():
    colors = {
        color
        for line in plot([RISING, FALLING], 0, 540, colored=True)
        for _, color in (part for part in line if isinstance(part, tuple))
        if color
    }
    assert colors == {"cyan", "yellow"}
    assert not set("ab") & set("".join(text(RISING, FALLING, colored=True)[:10]))


def test_of_many_lines_the_highest_are_drawn_and_the_others_counted():
    lines = [PlotLine(f"n{at}", [0, 60], [at, at]) for at in range(MOST + 3)]
    rows = text(*lines, end=60)
    assert "and 3 more, lower or without points" in rows[-1]
    assert not any("n2 " in row for row in rows)
    assert any(f"n{MOST + 2} " in row for row in rows)


def test_a_gap_stays_empty():
    whole = text(PlotLine("a", range(0, 300, 60), [1] * 5), end=240)
    with_gap = text(PlotLine("a", range(0, 300, 60), [1, 1, NAN, 1, 1]), end=240)
    drawn, broken = (max((row.partition("┤")[2] for row in rows[:10]), key=len) for rows in (whole, with_gap))
    assert " " not in drawn.strip()
    assert " " in broken.strip()


@pytest.mark.parametrize("lines", [[], [PlotLine("a", [], [])], [PlotLine("a", [1, 2], [NAN, NAN])]])
def test_lines_without_points_say_so(lines):
    assert text(*lines) == ["no points"]


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_plot_fits_the_terminal(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    rows = text(RISING._replace(name="a long name " * 12), FALLING, end=172800)
    assert max(map(width_of, rows)) <= columns


def test_a_query_by_a_tag_is_one_plot_over_the_time_asked_for(tmp_path):
    points = {"series": [
        {"metric": "shop.items", "tags": [f"shop:{shop}"], "points": [[1772323200 + 60 * at, at * shop] for at in range(9)]}
        for shop in (1, 2)
    ]}  # fmt: skip
    file = tmp_path / "points.json"
    file.write_text(json.dumps(points))
    window = ["--from", "1772323200", "--to", "1772330400", "--plot"]
    result = CliRunner().invoke(command, ["avg:shop.items{*} by {shop}", "--data", str(file), *window])
    assert result.exit_code == 0, result.output
    assert result.output.count(" ┤") == 10
    assert "00:00:00" in result.output
    assert "02:00:00" in result.output
    assert "shop:1" in result.output.split("avg")[1]


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.5"), (12345, "12.35k"), (2e6, "2M"), (1 / 3, "0.33333"), (-5e9, "-5G")]
)
def test_numbers_are_short(value, text):
    assert number(value) == text
