"""Whole dashboards as pictures and pages."""

import io
import json
import re
import time
import xml.etree.ElementTree as ET

import pytest
from PIL import Image
from shared_data import shared_data

from monitoring.cli import main
from monitoring.errors import InputError
from monitoring.preview import svg
from monitoring.preview.monitors import Monitors
from monitoring.preview.page import dashboard_page
from monitoring.preview.picture import as_png, prepared
from monitoring.preview.render import data_of, draw, read_dashboard, sampled
from monitoring.preview.sample import sample
from monitoring.preview.widgets import LISTINGS, PLACEHOLDERS, WIDGETS
from monitoring.query.sources import SeriesSource
from monitoring.resources.catalogue import known_metrics
from monitoring.resources.resource import Resource

WINDOW = (1_772_323_200, 1_772_409_600)
FAILED = "sum:aws.states.executions_failed{$env} by {statemachinearn}.as_count()"


def widget(type_="timeseries", query=FAILED, **more):
    return {"definition": {"type": type_, "requests": [{"q": query}], **more}}


def dashboard(*widgets, **more):
    variables = [{"name": "env", "prefix": "env", "defaults": ["prod"]}]
    return {
        "title": "T",
        "layout_type": "ordered",
        "template_variables": variables,
        "widgets": list(widgets),
        **more,
    }


def drawn(body, monitors=None):
    picture = draw(
        Resource("dashboard", "t", body), sampled(body, WINDOW, monitors), WINDOW, monitors or Monitors()
    )
    ET.fromstring(picture)
    return picture


def status(*argv):
    with pytest.raises(SystemExit) as stopped:
        main([str(one) for one in argv])
    return int(stopped.value.code or 0)


def test_every_dashboard_that_datadog_accepted_is_drawn_or_says_why():
    rows = [json.loads(text) for text in shared_data("accepted_dashboards.jsonl").read_text().splitlines()]
    bodies = [row["request"] for row in rows if row["request"] and "widgets" in row["request"]]
    assert len(bodies) >= 100
    types = set()
    for body in bodies:
        picture = drawn(body)
        assert "There is no widget type" not in picture
        page = dashboard_page(body, prepared(body, data_of(sampled(body, WINDOW), WINDOW)))
        assert page.count("<section") >= len(body["widgets"])
        types |= {one.get("definition", {}).get("type") for one in body["widgets"]}
    assert types <= set(WIDGETS) | set(LISTINGS) | set(PLACEHOLDERS)


def test_the_same_dashboard_gives_the_same_picture():
    assert drawn(dashboard(widget())) == drawn(dashboard(widget()))


def test_a_query_that_cannot_be_read_shows_its_caret_in_its_place():
    picture = drawn(dashboard(widget(query="sum:aws.states.executions_failed{*}.as_cuont()"), widget()))
    assert "as_cuont" in picture
    assert "^^^" in picture
    assert "Write .as_count()" in picture
    assert picture.count("<path") or picture.count("<rect") > 20  # the good neighbour is drawn


def test_a_widget_over_what_only_datadog_has_says_so():
    request = {
        "queries": [{"data_source": "rum", "name": "a", "query": "x"}],
        "formulas": [{"formula": "a"}],
    }
    assert "Asks for rum: shown in Datadog only" in drawn(
        dashboard({"definition": {"type": "timeseries", "requests": [request]}})
    )


def test_an_embedded_monitor_is_drawn_with_its_thresholds():
    body = {
        "name": "Failed",
        "query": "sum(last_5m):sum:aws.states.executions_failed{*}.as_count() > 3",
        "options": {"thresholds": {"critical": 3, "warning": 1}},
    }
    graph = {"definition": {"type": "alert_graph", "alert_id": "${monitor:failed}", "title": "F"}}
    picture = drawn(dashboard(graph), Monitors({"failed": body}))
    assert "critical 3" in picture
    assert "warning 1" in picture
    assert "not among this project" in drawn(dashboard(graph))


def test_a_free_board_stands_on_the_page_where_it_was_put():
    free = [
        widget() | {"layout": {"x": x, "y": 2, "width": 30, "height": 12}, "definition": definition}
        for x, definition in (
            (4, widget()["definition"]),
            (
                40,
                {"type": "free_text", "text": "Failures of this week", "font_size": "56", "color": "#ff0000"},
            ),
        )
    ]
    body = dashboard(*free, layout_type="free")
    page = dashboard_page(body, prepared(body, data_of(sampled(body, WINDOW), WINDOW)))
    left, right = (float(found) for found in re.findall(r"left:([0-9.]+)%", page))
    assert 0 < left < right < 100
    assert 'fill="#ff0000"' in page
    assert float(re.search(r'font-size="([0-9.]+)"[^>]*>Failures', page)[1]) < 56  # as large as there is room


def test_script_in_a_title_a_note_or_a_tag_is_only_text():
    evil = "<script>alert(1)</script>"
    body = dashboard(widget(title=evil), {"definition": {"type": "note", "content": evil}}, title=evil)
    body["template_variables"].append({"name": "x", "prefix": "x", "defaults": [evil]})
    page = dashboard_page(body, prepared(body, data_of(sampled(body, WINDOW), WINDOW)))
    assert "<script>alert" not in page + drawn(body)


def test_a_page_asks_for_nothing_from_elsewhere():
    body = dashboard(widget(), {"definition": {"type": "image", "url": "https://elsewhere.example/x.png"}})
    page = dashboard_page(body, prepared(body, data_of(sampled(body, WINDOW), WINDOW)))
    assert "src=" not in page
    assert "elsewhere.example" not in page


def test_the_command_writes_pictures_and_pages(tmp_path, capsys):
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "dashboards" / "overview.json").write_text(json.dumps(dashboard(widget())))
    for kind, start in (("png", b"\x89PNG"), ("svg", b"<svg"), ("html", b"<!doctype html>")):
        assert status("preview", "--dir", tmp_path, "--out", tmp_path / "out", "--format", kind) == 0
        assert (tmp_path / "out" / f"overview.{kind}").read_bytes().startswith(start)
    assert "wrote" in capsys.readouterr().out


@pytest.mark.parametrize("family", [None, "monospace"])
@pytest.mark.parametrize("weight", [400, 700])
def test_letters_of_a_picture_are_drawn_in_typefaces_that_come_along(family, weight):
    words = svg.text("mmm", 10, 30, size=20, font_weight=weight, font_family=family)
    picture = Image.open(io.BytesIO(as_png(svg.document(words, 100, 40, "#ffffff"), 2.0)))
    assert picture.size == (200, 80)
    box = picture.convert("L").point(lambda level: 255 * (level < 128)).getbbox()
    assert box, "no letter was drawn"
    assert {None: 90, "monospace": 65}[family] < box[2] - box[0] < {None: 110, "monospace": 80}[family]


def test_old_and_new_stand_side_by_side(tmp_path):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    old.write_text(json.dumps(dashboard(widget(), title="Before it")))
    new.write_text(json.dumps(dashboard(widget(), title="After it")))
    assert status("preview", new, "--diff", old, "--format", "svg", "--out", tmp_path) == 0
    picture = (tmp_path / "new.svg").read_text()
    assert all(words in picture for words in ("Before it", "After it", ">before<", ">after<"))


def test_what_changed_is_framed_on_both_sides_and_what_only_moved_is_not(tmp_path):
    old, new = tmp_path / "old.json", tmp_path / "new.json"
    kept, before, after = widget(), widget("query_value", "avg:a{*}"), widget("query_value", "avg:b{*}")

    def marks(*versions):
        for path, body in zip((old, new), versions, strict=True):
            path.write_text(json.dumps(body))
        assert status("preview", new, "--diff", old, "--format", "svg", "--out", tmp_path) == 0
        return (tmp_path / "new.svg").read_text().count('data-mark="changed"')

    assert marks(dashboard(kept, before), dashboard(kept, after)) == 2
    assert marks(dashboard(kept), dashboard(kept, after)) == 1
    assert marks(dashboard(before, kept), dashboard(kept, before)) == 0
    group = {"definition": {"type": "group", "layout_type": "ordered", "title": "G"}}
    grouped = [{"definition": {**group["definition"], "widgets": [one]}} for one in (before, after)]
    assert marks(*(dashboard(one) for one in grouped)) == 2  # the widgets, and not the group around them


def test_a_dashboard_is_drawn_over_a_database(tmp_path):
    from monitoring.store import Store

    now = int(time.time()) // 60 * 60
    body = dashboard(widget("query_value", "sum:aws.states.executions_failed{*}.as_count()"))
    with Store.open(tmp_path / "d.duckdb") as store:
        store.add_points(sample(body, now - 600, now, known_metrics()))
    (tmp_path / "d.json").write_text(json.dumps(body))
    arguments = (
        "preview",
        tmp_path / "d.json",
        "--data",
        tmp_path / "d.duckdb",
        "--out",
        tmp_path,
        "--format",
        "svg",
    )
    assert status(*arguments, "--from", "-1h") == 0
    assert "–" not in (tmp_path / "d.svg").read_text()
    assert status(*arguments, "--from", "-9d", "--to", "-8d") == 0
    assert "–" in (tmp_path / "d.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing.json"], "cannot be read"),
        (["bad.json"], ":1:2: Expecting property name"),
        (["list.json"], "not a dashboard"),
        (["ok.json", "--from", "yesterday"], "'yesterday' is not a valid time"),
        (["ok.json", "--from", "now", "--to", "-1h"], "the end (-1h) is before the start"),
        (["ok.json", "--out", "list.json"], "is a file"),
        (["ok.json", "--out", "list.json/x"], "cannot be written"),
        ([], "there is no dashboard in dashboards"),
        (["empty"], "there is no dashboard in empty"),
    ],
)
def test_what_cannot_be_drawn_is_said_with_status_2(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "ok.json").write_text(json.dumps(dashboard(widget())))
    assert status("preview", *arguments) == 2
    assert said in capsys.readouterr().err


def test_a_folder_stands_for_its_dashboards(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "boards").mkdir()
    for name in ("a", "b"):
        (tmp_path / "boards" / f"{name}.json").write_text(json.dumps(dashboard(widget())))
    assert status("preview", "boards", "--format", "svg", "--out", "pictures") == 0
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["a.svg", "b.svg"]


def test_monitors_that_cannot_be_read_do_not_stop_a_preview(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for folder in ("monitors", "dashboards"):
        (tmp_path / folder).mkdir()
    (tmp_path / "dashboards" / "ok.json").write_text(json.dumps(dashboard(widget())))
    (tmp_path / "monitors" / "bad.json").write_text("{")
    assert status("preview", "--format", "svg") == 2
    assert (tmp_path / "previews" / "ok.svg").is_file()
    assert "monitors/bad.json:1:2: " in capsys.readouterr().err


def test_each_formula_of_a_table_is_painted_by_its_own_formats():
    queries = [
        {"data_source": "metrics", "name": name, "query": f"avg:{name}{{*}} by {{host}}", "aggregator": "avg"}
        for name in ("a", "b")
    ]
    red = {"comparator": ">", "value": 1, "palette": "white_on_red"}
    green = {"comparator": ">", "value": 1, "palette": "white_on_green"}
    formulas = [
        {"formula": "a", "conditional_formats": [red]},
        {"formula": "b", "conditional_formats": [green]},
    ]
    request = {"queries": queries, "formulas": formulas, "response_format": "scalar"}
    picture = drawn(dashboard({"definition": {"type": "query_table", "requests": [request]}}))
    assert picture.count("#c53030") == picture.count("#187548") == 2
    assert ">host<" in picture
    assert ">host:host-a<" not in picture


def test_a_value_that_is_not_there_has_no_unit():
    body = dashboard(widget("query_value", "avg:m{*}", custom_unit="%"))
    empty = draw(Resource("dashboard", "t", body), SeriesSource(()), WINDOW, Monitors())
    assert "– %" not in empty
    assert "–" in empty


def nested(levels: int) -> dict:
    inner: list = [{"definition": {"type": "note", "content": "the innermost"}}]
    for _ in range(levels):
        inner = [{"definition": {"type": "group", "layout_type": "ordered", "widgets": inner}}]
    return {"title": "t", "layout_type": "ordered", "widgets": inner}


@pytest.mark.parametrize("levels", [21, 300])
def test_groups_that_are_nested_too_deeply_are_refused_in_a_sentence(tmp_path, levels):
    path = tmp_path / "deep.json"
    path.write_text(json.dumps(nested(levels)))
    with pytest.raises(InputError, match="groups are nested more than 20 deep"):
        read_dashboard(path)


def test_a_group_within_groups_is_drawn(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text(json.dumps(nested(20)))
    assert read_dashboard(path).body["title"] == "t"
