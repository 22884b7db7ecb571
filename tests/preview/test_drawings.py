"""Charts, scales, notes and layout, from values alone."""

import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.preview import notes, svg
from monitoring.preview.charts import fields, values
from monitoring.preview.charts.names import monitor_name, values_only
from monitoring.preview.charts.shapes import Frame, Line, Marker, Row, Style
from monitoring.preview.charts.timeseries import timeseries
from monitoring.preview.conditions import markers, painter
from monitoring.preview.layout import COLUMNS, GAP, arrange
from monitoring.preview.scales import UNITS, format_value, time_label, value_ticks
from monitoring.preview.theme import BADGES, DARK, LIGHT
from monitoring.preview.variables import Variable, put_in

FRAME = Frame(400, 200, LIGHT, 0, 3600)
NASTY = st.text(max_size=30) | st.sampled_from(
    ["<script>alert(1)</script>", '"><img onerror=x>', "\x00\x1b&amp;", "\ud800"]
)


def as_xml(drawing):
    return ET.fromstring(svg.document(drawing, 400, 200, "#fff"))


def line(values, name="a", display="line"):
    times = np.arange(len(values), dtype=np.int64) * 60
    return Line(name, times, np.array(values, float), 60, "", Style(display=display))


@given(NASTY, st.lists(st.floats(width=32) | st.none(), max_size=8))
def test_no_name_and_no_value_breaks_a_picture(name, numbers):
    rows = [Row(name, (value,)) for value in numbers]
    given_values = [math.nan if value is None else value for value in numbers]
    paint = painter([], LIGHT)
    drawings = [
        timeseries(FRAME, [line(given_values, name)]),
        timeseries(FRAME, [line(given_values, name, "area"), line(given_values, name, "bars")]),
        values.top_list(
            FRAME, [row for row in rows if row.values[0] is None or math.isfinite(row.values[0])], paint
        ),
        values.query_value(FRAME, numbers[0] if numbers else None, "millisecond", paint, custom=name),
        fields.heatmap(FRAME, [line(given_values, name)]),
        fields.distribution(FRAME, np.array(given_values), ""),
        notes.as_picture(FRAME, name),
    ]
    for drawing in drawings:
        root = as_xml(drawing)
        assert not [one for one in root.iter() if one.tag.endswith(("script", "img"))]


def test_a_line_goes_through_its_points():
    root = as_xml(timeseries(FRAME, [line([0, 10, 0])]))
    path = next(one.get("d") for one in root.iter() if one.tag.endswith("path"))
    points = [tuple(map(float, pair.split())) for pair in path[1:].split("L")]
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert points[1][1] < points[0][1] == points[2][1]  # upwards is a smaller y


def test_a_gap_breaks_the_line():
    root = as_xml(timeseries(FRAME, [line([1, 2, math.nan, 4, 5])]))
    assert len([one for one in root.iter() if one.tag.endswith("path")]) == 2


def test_bars_pile_up():
    root = as_xml(timeseries(FRAME, [line([2], "a", "bars"), line([3], "b", "bars")]))
    bars = [
        one for one in root.iter() if one.tag.endswith("rect") and one.get("fill") in {"#3578d4", "#7d4fc4"}
    ]
    low, high = sorted((float(one.get("y")), float(one.get("height"))) for one in bars[:2])[::-1]
    assert high[0] + high[1] == pytest.approx(low[0], abs=0.11)
    assert high[1] == pytest.approx(low[1] * 1.5, abs=0.11)


def test_markers_of_a_widget_become_lines_and_bands():
    given_markers = [
        {"value": "y > 5", "display_type": "error dashed"},
        {"value": "2 < y < 4", "label": "fine"},
        {"value": "?"},
    ]
    assert markers(given_markers) == [Marker(5, 5, "", "error dashed"), Marker(2, 4, "fine", "ok")]


def test_labels_of_markers_that_lie_close_do_not_cover_one_another():
    close = [Marker(5, 5, "critical"), Marker(5.1, 5.1, "warning"), Marker(50, 50, "far")]
    root = as_xml(timeseries(FRAME, [line([2, 100])], close))
    anchors = {one.text: one.get("text-anchor") for one in root.iter() if one.tag.endswith("text")}
    assert (anchors["critical"], anchors["warning"], anchors["far"]) == ("end", "start", "end")


def test_the_first_condition_that_holds_paints():
    paint = painter(
        [
            {"comparator": ">", "value": 9, "palette": "white_on_red"},
            {"comparator": ">", "value": 1, "palette": "white_on_yellow"},
        ],
        LIGHT,
    )
    assert paint(10)[0] == "#c53030"
    assert paint(5)[0] == "#8f5d12"
    assert paint(0) == (LIGHT.panel, LIGHT.ink)
    assert paint(None) == (LIGHT.panel, LIGHT.ink)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (1234, "millisecond", "1.23 s"),
        (1_000_000_000, "nanosecond", "1 s"),
        (999.9, "millisecond", "1 s"),
        (999_999, "", "1M"),
        (90, "second", "1.5 min"),
        (2_500_000, "nanosecond", "2.5 ms"),
        (0, "millisecond", "0"),
        (1536, "byte", "1.5 KiB"),
        (0.123, "fraction", "12.3 %"),
        (3 * 2**50, "byte", "3 PiB"),
        (2.5, "gibibyte", "2.5 GiB"),
        (3_000, "bit", "3 kb"),
        (1_234_567, "", "1.23M"),
        (0.004, "dollar", "$0.004"),
        (-5, "", "-5"),
        (None, "", "–"),
        (math.inf, "", "–"),
    ],
)
def test_values_are_shown_in_their_unit(value, unit, shown):
    assert format_value(value, unit) == shown


@given(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12), st.sampled_from(["", "dollar", *UNITS]))
def test_ticks_enclose_the_values_and_are_few(one, other, unit):
    low, high = sorted((one, other))
    ticks = value_ticks(low, high, 4, unit)
    assert len(ticks) <= 12
    span = max(high - low, 1e-9)
    assert ticks[0] <= low + span * 1e-6 or high - low < 1e-6
    assert ticks[-1] >= high - span * 1e-6 or high - low < 1e-6


@pytest.mark.parametrize(
    ("high", "unit", "shown"),
    [
        (50 * 2**20, "byte", ["0", "16 MiB", "32 MiB", "48 MiB", "64 MiB"]),
        (0.9, "gibibyte", ["0", "256 MiB", "512 MiB", "768 MiB", "1 GiB"]),
        (300, "byte", ["0", "100 B", "200 B", "300 B"]),
        (100, "second", ["0", "30 s", "1 min", "1.5 min", "2 min"]),
        (5400, "second", ["0", "30 min", "1 h", "1.5 h"]),
        (3_000_000, "nanosecond", ["0", "1 ms", "2 ms", "3 ms"]),
        (86_400_000, "millisecond", ["0", "6 h", "12 h", "18 h", "1 d"]),
        (0.94, "fraction", ["0 %", "25 %", "50 %", "75 %", "100 %"]),
        (4_100, "", ["0", "2k", "4k", "6k"]),
    ],
)
def test_ticks_are_round_in_the_unit_that_is_shown(high, unit, shown):
    assert [format_value(tick, unit) for tick in value_ticks(0, high, 4, unit)] == shown


def test_a_time_label_is_no_finer_than_its_step():
    assert time_label(1700000000, 3600) == "22:13"
    assert time_label(1700006400, 86400) == "Nov 15"
    assert time_label(1700000005, 5) == "22:13:25"


VARIABLES = {
    "env": Variable("env", "env", ("prod",)),
    "fn": Variable("fn", "functionname", ("a", "b")),
    "all": Variable("all", "service", ("*",)),
}


@pytest.mark.parametrize(
    ("query", "filled"),
    [
        ("avg:m{$env}", "avg:m{env:prod}"),
        ("avg:m{$env,$all}", "avg:m{env:prod,*}"),
        ("avg:m{$fn}", "avg:m{functionname IN (a, b)}"),
        ("avg:m{stage:$env.value}", "avg:m{stage:prod}"),
        ("avg:m{stage:$all.value}", "avg:m{stage:*}"),
        ("avg:m{$nobody}", "avg:m{$nobody}"),
    ],
)
def test_template_variables_become_filters(query, filled):
    assert put_in(query, VARIABLES) == filled


def test_widgets_keep_their_columns_and_never_overlap():
    widgets = [
        {"definition": {"type": "note"}, "layout": {"x": x, "y": y, "width": 4, "height": 2}}
        for x, y in ((0, 0), (4, 0), (8, 0), (0, 2), (2, 1))
    ]
    boxes = arrange({"layout_type": "ordered", "widgets": widgets}).boxes
    for index, one in enumerate(boxes):
        for other in boxes[index + 1 :]:
            beside = one.x + one.width <= other.x or other.x + other.width <= one.x
            above = one.y + one.height <= other.y or other.y + other.height <= one.y
            assert beside or above


STORED = [
    # As Datadog stores boards: 0 is the row of widgets in the middle of the list, and where the other half starts.
    ("above", 0, 0, 12, 3, False),
    ("left", 0, 0, 6, 4, False),
    ("right", 6, 0, 6, 4, False),
    ("below", 0, 7, 12, 2, False),
    ("other half", 0, 0, 12, 2, True),
    ("its end", 0, 2, 12, 2, False),
]


def stored_board(rows):
    widgets = [
        {
            "definition": {"type": "note", "content": name},
            "layout": {"x": x, "y": y, "width": wide, "height": high}
            | ({"is_column_break": True} if half else {}),
        }
        for name, x, y, wide, high, half in rows
    ]
    return {"title": "Example", "layout_type": "ordered", "widgets": widgets}


def test_a_board_as_datadog_stores_it_keeps_its_order():
    boxes = arrange(stored_board(STORED)).boxes
    assert [box.widget["definition"]["content"] for box in boxes] == [name for name, *_ in STORED]
    tops = [box.y for box in boxes]
    assert tops[1] == tops[2]
    assert tops == sorted(tops)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["x", "y", "width", "height", "is_column_break"]),
            st.integers(-9, 99) | st.none() | st.booleans() | st.text(max_size=2),
        ),
        max_size=6,
    )
)
def test_any_layout_gives_boxes_inside_the_page(layouts):
    widgets = [{"definition": {"type": "note"}, "layout": one} for one in layouts]
    found = arrange({"layout_type": "ordered", "widgets": widgets})
    assert len(found.boxes) == len(layouts)
    assert all(box.x >= 0 and box.x + box.width <= found.width for box in found.boxes)
    assert all(
        column >= 1 and column + columns <= COLUMNS + 1 for column, columns, _, _ in cells(found.boxes)
    )


def cells(boxes):
    return [box.cell for box in boxes]


def test_a_group_has_the_columns_that_it_spans():
    inner = [
        {"definition": {"type": "note"}, "layout": {"x": x, "y": 0, "width": 4, "height": 2}} for x in (0, 4)
    ]
    group = {
        "definition": {"type": "group", "widgets": inner},
        "layout": {"x": 4, "y": 0, "width": 8, "height": 3},
    }
    (box,) = arrange({"layout_type": "ordered", "widgets": [group]}).boxes
    assert box.columns == 8
    assert box.cell == (5, 8, 1, 3)
    assert cells(box.inside) == [(1, 4, 1, 2), (5, 4, 1, 2)]
    assert box.inside[1].x + box.inside[1].width == pytest.approx(box.width - GAP)


def test_two_beside_a_tall_one_stand_in_its_rows():
    places = [(0, 0, 5, 2), (5, 0, 7, 4), (0, 2, 5, 2)]
    widgets = [
        {
            "definition": {"type": "note"},
            "layout": dict(zip(("x", "y", "width", "height"), place, strict=True)),
        }
        for place in places
    ]
    boxes = arrange({"layout_type": "ordered", "widgets": widgets}).boxes
    assert cells(boxes) == [(1, 5, 1, 2), (6, 7, 1, 4), (1, 5, 3, 2)]


def test_a_group_is_as_high_as_what_is_in_it():
    inner = [
        {"definition": {"type": "note"}, "layout": {"x": 0, "y": 4 * i, "width": 12, "height": 4}}
        for i in range(3)
    ]
    group = {
        "definition": {"type": "group", "widgets": inner},
        "layout": {"x": 0, "y": 0, "width": 12, "height": 1},
    }
    (box,) = arrange({"layout_type": "ordered", "widgets": [group]}).boxes
    assert box.height >= max(one.y + one.height for one in box.inside)


def test_a_note_is_markdown_and_never_html():
    html = notes.as_html(
        "# A\n<script>x</script> [a](javascript:alert(1)) [b](https://b.example)\n\n| a | b |\n| - | - |\n| 1 | 2 |"
    )
    assert "<h1>A</h1>" in html
    assert "<script>" not in html
    assert 'href="javascript' not in html
    assert '<a href="https://b.example">b</a>' in html
    assert "<td>2</td>" in html


def test_text_is_cut_to_its_room():
    assert svg.fitted("short", 500) == "short"
    cut = svg.fitted("a very long name of a function", 80)
    assert cut.endswith("…")
    assert svg.width_of(cut) <= 80
    assert all(svg.width_of(one) <= 90 for one in svg.wrapped("words and words " * 9, 90))
    assert re.sub(r"\s+", " ", " ".join(svg.wrapped("a b c", 500))) == "a b c"


HELVETICA = dict(
    zip(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz0",
        (
            *(667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667),
            *(611, 722, 667, 944, 667, 667, 611, 556),
            *(556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500),
            *(278, 556, 500, 722, 500, 500, 500, 556),
        ),
        strict=True,
    )
)
"""Thousandths of an em, from Adobe's font metrics; Liberation Sans and Arial have the same widths."""


@pytest.mark.parametrize(
    "word",
    [
        "SHARED_CLAUDE_LAMBDA_ARN",
        "FUNCTION_ARN_PLACEHOLDER_",
        "GOOGLE",
        "CheckDBSnapshotStatus",
        "orders_0",
        "ABCD",
    ],
)
def test_the_estimated_width_of_a_name_is_its_width_or_more(word):
    width = sum(HELVETICA[char] for char in word) / 1000 * 11
    assert width <= svg.width_of(word, 11) <= 1.25 * width


def test_characters_of_a_whole_square_are_estimated_as_such():
    assert svg.width_of("注文を確認", 10) == 50


@pytest.mark.parametrize(
    "char", [*map(chr, range(0x21)), *"&<>'\"\x7f\ud7ff\ud800\udfff\ue000\ufffd\ufffe\uffff\U0001f600"]
)
def test_any_character_in_a_text_a_tooltip_or_an_attribute_gives_a_picture_that_can_be_read(char):
    kept = char if " " <= char < "\ud800" or "\ue000" <= char < "\ufffe" or char > "\uffff" else ""
    words = f"a{char}b{char}"
    drawing = as_xml(svg.group([svg.text(words, 0, 0, id=words), svg.title(words)]))
    expected = f"a{kept}b{kept}"
    assert [node.text for node in drawing.iter() if node.text] == [expected, expected]
    assert [node.get("id") for node in drawing.iter() if node.get("id")] == [expected]


def contrast(one, other):
    """The ratio of the luminances of two colours, as WCAG 2 has it."""

    def luminance(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read_on_what_is_behind_it(theme):
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    for name in ("ink", "muted", "link", "bad"):
        for back in (theme.panel, theme.page):
            assert contrast(getattr(theme, name), back) >= 4.5, (name, back)
    for state, back in BADGES.items():
        assert contrast("#ffffff", back) >= 4.2, state


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["state:build", "state:a:b"], ["build", "a:b"]),
        (["claim:a, reason:x", "claim:b, reason:y"], ["a, x", "b, y"]),
        (["state:build", "function:build"], ["state:build", "function:build"]),
        (["p95", "state:build"], ["p95", "state:build"]),
        (["avg:system.load{host:a}"], ["avg:system.load{host:a}"]),
        (["top(sum:a{*} by {b}, 5)"], ["top(sum:a{*} by {b}, 5)"]),
        ([], []),
    ],
)
def test_groups_go_without_the_keys_that_all_of_them_have(names, shown):
    assert values_only(names) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Calls fail ({{functionname.name}})", "Calls fail"),
        ("A state fails ({{statename.name}} of {{statemachinearn.name}})", "A state fails"),
        ("The claim {{claim.name}} is broken ({{functionname.name}})", "The claim … is broken"),
        ("{{host.name}}: disk (nearly) full", "disk (nearly) full"),
        ("{{host.name}}", "…"),
    ],
)
def test_a_monitors_name_goes_without_what_only_a_notification_fills_in(name, shown):
    assert monitor_name(name) == shown
