"""No widget, whatever it holds, keeps its neighbours from being drawn."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from monitoring.cli import main
from monitoring.preview import widgets
from monitoring.preview.failures import REPORT
from monitoring.preview.layout import arrange
from monitoring.preview.page import dashboard_grid, document
from monitoring.preview.picture import picture_of, prepared
from monitoring.preview.render import data_of, made_up
from monitoring.preview.theme import LIGHT
from monitoring.preview.widgets import LISTINGS, PLACEHOLDERS, WIDGETS

WINDOW = (1_772_323_200, 1_772_324_100)
GOOD = {"definition": {"type": "note", "content": "the good neighbour"}}
ODD = (None, True, 0, -1, 1e400, float("nan"), "", "x", "\ud800", [], [[]], [None], [0], {}, {"": None}, [{}])
"""JSON values of every type, for where a definition of another type is expected."""


def drawing_of(body):
    given = made_up(body, WINDOW, {}, {})
    return prepared(body, data_of(given.source, WINDOW, given.facts), given.monitors)


def both(body):
    """Return the picture and the page of a dashboard, and what failed in either."""
    drawing = drawing_of(body)
    picture = picture_of(body, drawing, LIGHT)
    ET.fromstring(picture)
    page = document("T", dashboard_grid(body, drawing))
    page.encode()
    return picture, page, drawing.failures


def board(*inside, **more):
    return {"title": "T", "layout_type": "ordered", "widgets": [*inside, GOOD], **more}


def status(*argv):
    with pytest.raises(SystemExit) as stopped:
        main([str(word) for word in argv])
    return int(stopped.value.code or 0)


def fails(frame, definition, drawing):
    raise ZeroDivisionError("float division by zero")


@pytest.fixture
def broken(monkeypatch):
    """Make every time series raise an exception that nothing expects."""
    monkeypatch.setitem(widgets.WIDGETS, "timeseries", fails)


def test_an_exception_in_a_widget_is_a_notice_in_its_place(broken):
    bad = {"definition": {"type": "timeseries", "title": "orders", "requests": []}}
    inside = {"definition": {"type": "group", "layout_type": "ordered", "widgets": [bad, GOOD]}}
    picture, page, failures = both(board(bad, inside))
    for shown in (picture, page):
        assert shown.count("the good neighbour") == 2
        assert "ZeroDivisionError: float division" in " ".join(ET.fromstring(picture).itertext())
    place = f"{Path(__file__).name}:{fails.__code__.co_firstlineno + 1}"
    sentence = "timeseries 'orders' cannot be drawn: ZeroDivisionError: float division by zero"
    assert [str(failure) for failure in failures] == [f"{sentence} ({place})"]


@pytest.mark.parametrize("form", ["png", "svg", "html"])
def test_a_run_draws_all_and_ends_with_1(broken, form, tmp_path, capsys):
    folder = tmp_path / "dashboards"
    folder.mkdir()
    bad = {"definition": {"type": "timeseries", "title": "orders", "requests": []}}
    for name, body in {"a": board(bad), "b": board()}.items():
        (folder / f"{name}.json").write_text(json.dumps(body))
    out = tmp_path / "out"
    assert status("preview", "--dir", tmp_path, folder, "--format", form, "--out", out, "--sample") == 1
    assert sorted(path.name for path in out.iterdir()) == [f"a.{form}", f"b.{form}"]
    said = capsys.readouterr().err
    assert f"a.{form}: timeseries 'orders' cannot be drawn: ZeroDivisionError" in said
    assert REPORT in said
    assert "b." not in said


def test_an_older_version_that_cannot_be_read_leaves_the_others(tmp_path, capsys):
    new, old = tmp_path / "dashboards", tmp_path / "old"
    for folder in (new, old):
        folder.mkdir()
        for name in "ab":
            (folder / f"{name}.json").write_text(json.dumps(board()))
    (old / "a.json").write_text("{")
    out = tmp_path / "out"
    argv = ("preview", "--dir", tmp_path, new, "--diff", old, "--format", "svg", "--out", out)
    assert status(*argv) == 2
    assert [path.name for path in out.iterdir()] == ["b.svg"]
    assert "old/a.json" in capsys.readouterr().err


WRONG = (True, -1, "x", [None], {"": None})
KEYS = (
    *("requests", "title", "time", "content", "text", "font_size", "check", "tags", "group", "scope"),
    *("markers", "yaxis", "xaxis", "precision", "alert_id", "query", "columns", "sort", "service", "env"),
    *("filters", "view_type", "slo_id", "time_windows", "split_config", "source_widget_definition"),
    *("size", "widgets", "background_color", "group_by", "display_format", "style", "view", "node_type"),
)
INNER = ("q", "queries", "formulas", "query", "conditional_formats", "style", "compute", "search", "columns")


@pytest.mark.parametrize("kind", sorted({*WIDGETS, *LISTINGS, *PLACEHOLDERS, "", "no_such_type"}))
def test_no_value_in_any_key_takes_the_neighbour_along(kind):
    """Each type with each key holding a value of the wrong JSON type, in one dashboard."""
    usual = {"type": kind, "title": "t", "requests": [{"q": "avg:shop.load{*} by {host}"}]}
    definitions = [{**usual, key: value} for key in KEYS for value in WRONG]
    definitions += [
        {**usual, "requests": [{**usual["requests"][0], key: value}]} for key in INNER for value in WRONG
    ]
    definitions += [
        {**usual, "requests": [{"queries": [{"data_source": source, "name": "a", key: value}],
                                "formulas": [{"formula": "a"}]}]}
        for source in ("metrics", "logs", "spans", "apm_metrics", "slo")
        for key in ("query", "search", "compute", "group_by", "name", "aggregator", "stat", "slo_id")
        for value in (WRONG if kind in {"timeseries", "query_value", "query_table"} else ())
    ]  # fmt: skip
    picture, page, _ = both(board(*({"definition": one} for one in definitions)))
    assert picture.count("the good neighbour") == 1
    assert page.count("the good neighbour") == 1


@pytest.mark.parametrize("layout_type", ["ordered", "free"])
@pytest.mark.parametrize("key", ["x", "y", "width", "height"])
def test_no_coordinate_takes_the_neighbour_along(layout_type, key):
    usual = {"x": 0, "y": 0, "width": 4, "height": 2}
    for value in (*ODD, 10**400, -(10**400), 1e15, -1e15):
        body = board(GOOD | {"layout": {**usual, key: value}}, layout_type=layout_type)
        assert both(body)[1].count("the good neighbour") == 2
        layout = arrange(body)
        assert max(layout.width, layout.height) < 20_000


@pytest.mark.parametrize("value", ODD)
def test_no_template_variable_takes_the_dashboard_along(value):
    usual = {"name": "env", "prefix": "env", "defaults": ["prod"]}
    variables = [
        {**usual, key: value} for key in ("name", "prefix", "default", "defaults", "available_values")
    ]
    graph = {"definition": {"type": "timeseries", "requests": [{"q": "avg:shop.load{$env}"}]}}
    for listed in ([one] for one in variables):
        assert "the good neighbour" in both(board(graph, template_variables=listed))[0]
    assert "the good neighbour" in both(board(graph, template_variables=value))[0]


def test_a_library_that_is_missing_is_not_a_fault_of_the_widget(tmp_path, monkeypatch, capsys):
    """The command names the extra that brings it, with status 2."""
    path = tmp_path / "d.json"
    path.write_text(
        json.dumps(
            {
                "title": "d",
                "layout_type": "ordered",
                "widgets": [{"definition": {"type": "note", "content": "x"}}],
            }
        )
    )

    def missing(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'fontpkg_arimo'", name="fontpkg_arimo")

    monkeypatch.setattr("monitoring.preview.render.as_png", missing)
    with pytest.raises(SystemExit) as ended:
        main(["preview", str(path), "--out", str(tmp_path / "out")])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "pip install" in said
    assert "bug" not in said
