"""What a project's files and settings may say, where each part of them stands, and what is wrong with them (docs/deploy.md).

JSON: https://www.rfc-editor.org/rfc/rfc8259; shapes: the API's description, in monitoring/resources/schemas.
"""

import json

import pytest

from monitoring.errors import InputError
from monitoring.resources import catalogue, parsed, schema
from monitoring.resources.document import Document, JsonError, parse_document, read_text
from monitoring.resources.files import paths_of, read_document, read_folder, read_resource
from monitoring.resources.instances import entries, file_key, instance_key, instances_of, words_of
from monitoring.resources.nearest import nearest
from monitoring.resources.project import (
    key_place,
    load_project,
    load_resources,
    parse_settings,
    usable_resources,
)
from monitoring.resources.resource import Resource, kind_of, references
from monitoring.resources.schema import faults
from monitoring.resources.sites import METRIC_MONITORS, slo_sites, variable_sites, widget_sites, widgets
from monitoring.resources.variables import (
    fill_in,
    mentioned,
    merged,
    scope_before_and,
    settled,
    with_defaults,
)

# --- a JSON file and the places in it


@pytest.mark.parametrize(
    ("body", "root"),
    [
        ({"definition": {"title": "a"}}, ("definition",)),
        ({"definition": {"title": "a"}, "version": 2}, ("definition",)),
        ({"definition": {"a": 1}, "widgets": []}, ()),
        ({"definition": {"a": 1}, "query": ""}, ()),
        ({"definition": {"a": 1}, "type": ""}, ()),
        ({"definition": {"a": 1}, "thresholds": []}, ()),
        ({"definition": {"a": 1}, "scope": ""}, ()),
        ({"definition": {"a": 1}, "monitor_identifier": {}}, ()),
        ({"definition": 5}, ()),
        ([{"definition": {}}], ()),
    ],
)
def test_the_definition_of_an_integrations_asset_is_the_resource(body, root):
    document = parse_document("f", json.dumps(body))
    assert document.root == root
    assert document.body == (body["definition"] if root else body)
    if root:
        key = next(iter(body["definition"]))
        span = document.span((key,))
        assert document.text[span.start : span.end] == json.dumps(body["definition"][key])


@pytest.mark.parametrize(
    ("text", "message", "offset", "hint"),
    [
        ('{"a": 1,}', "a comma before the closing }", 7, "Remove it."),
        ("[1,\n]", "a comma before the closing ]", 2, "Remove it."),
        ('{"a": 1 # x\n}', "Expecting ',' delimiter", 8, "JSON has no comments"),
        ('{"a": 1 /* x */}', "Expecting ',' delimiter", 8, "JSON has no comments"),
        (
            "{'a': 1}",
            "Expecting property name enclosed in double quotes",
            1,
            "Write strings in double quotes",
        ),
        ('{"a": x}', "Expecting value", 6, ""),
        ('{"a": NaN}', "NaN is not a JSON number", 6, "Write a number, or null."),
        ('{"a": -Infinity}', "-Infinity is not a JSON number", 6, "Write a number, or null."),
        ("", "Expecting value", 0, ""),
    ],
)
def test_what_is_not_json_is_said_with_its_place_and_the_way_out(text, message, offset, hint):
    with pytest.raises(JsonError) as caught:
        parse_document("f", text)
    assert (caught.value.message, caught.value.offset) == (message, offset)
    assert caught.value.hint.startswith(hint)
    assert bool(caught.value.hint) is bool(hint)


def test_places_count_lines_and_columns_from_one():
    assert tuple(Document("f", "\nab", None).place(1)) == (2, 1, 1)
    document = Document("f", "ab\ncd\n", None)
    assert [tuple(document.place(offset)) for offset in (0, 1, 3, 4, 6)] == [
        (1, 1, 0),
        (1, 2, 1),
        (2, 1, 3),
        (2, 2, 4),
        (3, 1, 6),
    ]


def test_keys_items_and_characters_have_their_places():
    text = ' {"a" : [10, {"b":"x\\ny\\u00e9\\ud83d\\ude00z"}], "c":1} '
    document = parse_document("f", text)

    def at(span):
        return text[span.start : span.end]

    assert at(document.span(())) == text.strip()
    assert at(document.span(("a", 1, "b"))).startswith('"x')
    assert at(document.span(("a", 5))) == at(document.span(("a",)))
    assert at(document.span(("x", "y"))) == text.strip()
    assert at(document.key_span(("a",))) == '"a"'
    assert at(document.key_span(("a", 0))) == "10"
    assert at(document.key_span(("a", 9))) == at(document.span(("a", 9)))
    assert at(document.key_span(())) == text.strip()
    value = document.body["a"][1]["b"]
    place = [document.inside(("a", 1, "b"), index) for index in range(len(value))]
    assert [text[offset] for offset in place] == ["x", "\\", "y", "\\", "\\", "z"]
    assert place == sorted(place)
    assert document.inside(("a", 1, "b"), 999) == document.span(("a", 1, "b")).end - 1
    assert document.inside(("c",), 0) <= document.span(("c",)).end


def test_a_key_that_is_named_twice_is_reported_each_time_and_the_last_value_counts():
    text = '{"a": 1, "b": {"c": 1, "c": 2, "c": 3}, "a": [{"d": 1}]}'
    document = parse_document("f", text)
    assert [(key, text[span.start : span.end]) for span, key in document.duplicate_keys()] == [
        ("c", '"c"'),
        ("c", '"c"'),
        ("a", '"a"'),
    ]
    assert text[document.span(("b", "c")).start] == "3"
    assert text[document.span(("a",)).start] == "["
    assert not parse_document("f", '{"a": {"a": 1}}').duplicates


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff{}", "the file is not UTF-8: byte 0"),
        (b"ab\xff", "the file is not UTF-8: byte 2"),
        (None, "the file cannot be read: "),
    ],
)
def test_a_file_that_is_not_text_is_said(tmp_path, content, said):
    path = tmp_path / "f.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_text(path)
    assert caught.value.message.startswith(said)
    assert caught.value.where == str(path)
    path.write_bytes(b"\xef\xbb\xbf{}")
    assert read_text(path) == "{}"


def test_a_document_is_named_as_it_is_shown(tmp_path):
    path = write(tmp_path, "f.json", "{}")
    assert (read_document(path).source, read_document(path, "shown").source) == (str(path), "shown")


# --- resources


@pytest.mark.parametrize(
    ("body", "folder", "kind"),
    [
        ({}, "slos", "slo"),
        ({}, "downtimes", "downtime"),
        ({"widgets": []}, "monitors", "monitor"),
        ({"layout_type": "x"}, "", "dashboard"),
        ({"type": "time_slice", "thresholds": []}, "", "slo"),
        ({"type": "monitor", "thresholds": []}, "", "slo"),
        ({"type": "metric"}, "", None),
        ({"type": "metric", "query": "q"}, "", "monitor"),
        ({"type": "other", "thresholds": []}, "", None),
        ({"query": "q", "options": {}}, "", "monitor"),
        ({"query": "q", "message": "m"}, "", "monitor"),
        ({"query": "q"}, "other", None),
        ({"monitor_identifier": {}}, "", "downtime"),
    ],
)
def test_the_kind_of_a_body(body, folder, kind):
    assert kind_of(body, folder) == kind


def test_a_reference_may_name_an_entry_or_have_a_default():
    made = list(references({"a": ["x ${monitor:k[e]} ${var:n|d e}", "$"], "b": "${nothing"}))
    assert [(each.kind, each.key, each.default, each.pointer, each.start) for each in made] == [
        ("monitor", "k[e]", None, ("a", 0), 2),
        ("var", "n", "d e", ("a", 0), 18),
    ]


def write(root, name, body):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(body if isinstance(body, str) else json.dumps(body))
    return path


def test_a_resource_is_read_with_its_key_its_id_and_its_path(tmp_path):
    path = write(tmp_path, "monitors/m.json", {"id": 7, "query": "q"})
    assert read_resource(path, root=tmp_path) == Resource(
        "monitor", "m", {"id": 7, "query": "q"}, "7", "monitors/m.json"
    )
    assert read_resource(path).path == str(path)
    assert read_resource(write(tmp_path, "x/y.json", {"id": "", "widgets": []})).id is None
    assert read_resource(write(tmp_path, "x/z.json", {}), "slo").kind == "slo"


@pytest.mark.parametrize(
    ("name", "body", "kind", "said"),
    [
        (
            "monitors/m.json",
            "\n [1]",
            "",
            "monitors/m.json:2:2: not a monitor: the top level is not an object",
        ),
        ("x/m.json", "[1]", "", "x/m.json:1:1: not a dashboard or monitor: the top level is not an object"),
        ("x/m.json", "[1]", "slo", "x/m.json:1:1: not a slo: the top level is not an object"),
        ("x/m.json", ' {"a": 1}', "", "x/m.json:1:2: neither a dashboard"),
        (
            "monitors/m.json",
            '{"a": 1,\n "a": 2}',
            "",
            "monitors/m.json:2:2: duplicate key 'a': only its last value counts",
        ),
        ("monitors/m.json", "{\n1}", "", "monitors/m.json:2:1: Expecting property name"),
    ],
)
def test_a_file_that_is_not_a_resource_is_named_with_line_and_column(tmp_path, name, body, kind, said):
    path = write(tmp_path, name, body)
    with pytest.raises(InputError) as caught:
        read_resource(path, kind, root=tmp_path)
    assert str(caught.value).startswith(said)
    missing = tmp_path / "monitors/none.json"
    with pytest.raises(InputError) as caught:
        read_resource(missing, root=tmp_path)
    assert caught.value.where == "monitors/none.json:1:1"


def test_the_files_of_a_kind_are_read_in_order_and_one_that_is_broken_costs_no_other(tmp_path):
    for key in ("b", "a", "c"):
        write(tmp_path, f"monitors/{key}.json", {"query": "q"} if key != "b" else "{")
    write(tmp_path, "monitors/deep/d.json", {"query": "q"})
    resources, problems = read_folder(tmp_path, "monitor")
    assert [item.key for item in resources] == ["a", "c"]
    assert [problem.where for problem in problems] == ["monitors/b.json:1:2"]
    assert [path.name for path in paths_of(tmp_path, "monitor")] == ["a.json", "b.json", "c.json"]
    assert read_folder(tmp_path, "slo") == ([], [])


# --- variables


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ("${var:n}", 5),
        ("${var:n|7}", 5),
        ("${var:m|7}", 7),
        ("${var:m|7.5}", 7.5),
        ("${var:m|true}", True),
        ("${var:m|text}", "text"),
        ("${var:m|}", ""),
        ('${var:m|"x"}', '"x"'),
        ("${var:m|null}", "null"),
        ("a ${var:n} b ${var:m|c}", "a 5 b c"),
        (["${var:n}", {"k": "${var:n}"}], [5, {"k": 5}]),
        ("${monitor:x}", "${monitor:x}"),
        (3, 3),
    ],
)
def test_a_variable_that_stands_alone_keeps_its_type(value, filled):
    made = fill_in({"v": value}, {"n": 5})["v"]
    assert made == filled
    assert type(made) is type(filled)


def test_every_variable_without_a_value_is_named():
    body = {"a": "${var:y} ${var:x}", "b": ["${var:z|1}", "${var:x}"]}
    assert sorted(mentioned(body), key=str) == sorted(
        [("y", None), ("x", None), ("z", "1"), ("x", None)], key=str
    )
    with pytest.raises(InputError) as caught:
        fill_in(body, {}, "f.json")
    assert caught.value.message == "no value for ${var:x}, ${var:y}"
    assert caught.value.where == "f.json"
    assert "${var:x|DEFAULT}" in caught.value.hint


@pytest.mark.parametrize(
    ("scope", "text"),
    [
        ("*", ""),
        ("", ""),
        (" * ", ""),
        ("a:b", "a:b AND "),
        ("a:b, c:d", "a:b AND c:d AND "),
        ("a OR b", "(a OR b) AND "),
        ("a:ORb", "a:ORb AND "),
    ],
)
def test_a_scope_in_front_of_further_tags(scope, text):
    assert scope_before_and(scope) == text
    assert fill_in({"q": "{${var:s|*} AND x:y}"}, {"s": scope})["q"] == f"{{{text}x:y}}"


def test_values_may_mention_others_but_not_in_a_circle():
    assert settled({"a": "${var:b}x", "b": "${var:c}y", "c": "z", "n": 5, "l": ["${var:a}"]}, "f") == {
        "a": "zyx",
        "b": "zy",
        "c": "z",
        "n": 5,
        "l": ["${var:a}"],
    }
    with pytest.raises(InputError) as caught:
        settled({"b": "${var:a}", "a": "${var:b}", "c": "d"}, "f")
    assert caught.value.message == "these values mention each other in a circle: a, b"
    assert caught.value.where == "f"


def test_tables_are_merged_and_else_the_upper_value_counts():
    below = {"a": 1, "t": {"x": 1, "y": {"p": 1}}, "u": {"x": 1}, "l": [1]}
    above = {"a": 2, "t": {"y": {"q": 2}, "z": 3}, "u": 5, "l": [2], "n": {"m": 1}}
    assert merged(below, above) == {
        "a": 2,
        "t": {"x": 1, "y": {"p": 1, "q": 2}, "z": 3},
        "u": 5,
        "l": [2],
        "n": {"m": 1},
    }


def test_defaults_stand_in_for_variables_that_are_a_whole_string():
    body = {"a": "${var:x|5}", "b": ["${var:y|t}", "${var:z}", "x ${var:x|5}"], "c": 1}
    assert with_defaults(body) == {"a": 5, "b": ["t", "${var:z}", "x ${var:x|5}"], "c": 1}


# --- one file, several resources


@pytest.mark.parametrize(
    ("for_each", "names", "words"),
    [
        ("shops", ("a", "b", "c"), ("shops",)),
        ("shops where busy", ("a",), ("shops", "busy")),
        ("shops where not busy", ("b", "c"), ("shops", "busy")),
        ("none", None, ("none",)),
    ],
)
def test_a_list_is_gone_through_whole_or_where_its_entries_have_a_value(for_each, names, words):
    variables = {"shops": {"a": {"busy": True}, "b": {"busy": False}, "c": {}, "d": False}}
    made = instances_of(Resource("monitor", "m", {"for_each": for_each}), variables)
    assert (made.list, made.names) == (words[0], names)
    assert words_of(for_each) == words
    assert instances_of(Resource("monitor", "m", {}), variables) is None


@pytest.mark.parametrize("for_each", [5, "", "a b", "shops where", "shops where a b", ["shops"]])
def test_a_for_each_that_names_no_list_is_refused(for_each):
    with pytest.raises(InputError, match="for_each is not the name of a list") as caught:
        instances_of(Resource("monitor", "m", {"for_each": for_each}, path="f.json"), {})
    assert caught.value.where == "f.json"
    assert words_of(for_each) == ()


def test_a_list_that_names_an_entry_twice_is_refused_with_the_file_of_the_settings():
    with pytest.raises(InputError, match="shops names 'a' twice") as caught:
        entries("shops", ["a", "b", "a"])
    assert caught.value.where == "stepscope.toml"


def test_an_instance_is_called_by_its_file_and_its_entry():
    assert instance_key("a", "b") == "a[b]"
    assert (file_key("a[b]"), file_key("a")) == ("a", "a")


# --- settings


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("x = ", (1, 5), "not valid TOML: "),
        ("a = 1\nb =", (2, 4), "not valid TOML: "),
        ('project = "a b"', (1, 1), "project 'a b' is not a valid name"),
        ("project = 5", (1, 1), "project 5 is not a valid name"),
        ("[default]\nx = 1", (1, 2), "unknown key 'default'"),
        ("x = 1", (1, 1), "unknown key 'x'"),
        ("[prod]\nx = 1", (1, 2), "unknown key 'prod'"),
        ("defaults = 1", (1, 1), "defaults is not a table"),
        ("env = 1", (1, 1), "env is not a table"),
        ("[env]\nprod = 1", (2, 1), "'prod' is not an environment"),
        ('[env."a b"]', (1, 2), "env 'a b' is not a valid name"),
        ("[defaults]\na = 1\nmy_secret = 2", (3, 1), "the variable 'my_secret' looks like a secret"),
        ("[defaults]\napi_key = 2", (2, 1), "the variable 'api_key' looks like a secret"),
        ("[env.prod]\nPassword = 2", (2, 1), "the variable 'Password' looks like a secret"),
        ("[defaults]\n1a = 2", (2, 1), "no ${var:…} can be called '1a'"),
        ("[defaults]\na = 2026-01-01", (2, 1), "a is 2026-01-01, which JSON cannot hold"),
        ("[defaults]\na = nan", (2, 1), "a is nan, which JSON cannot hold"),
        ("[defaults]\na = [[inf]]", (2, 1), "a is [[inf]], which JSON cannot hold"),
        ("[defaults.t]\nb = inf", (1, 2), "t is {'b': inf}, which JSON cannot hold"),
    ],
)
def test_what_is_wrong_in_the_settings_is_said_with_its_place(text, place, message):
    _, found = parse_settings(text)
    assert found[0].place == place
    assert found[0].message.startswith(message)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[default]", "Did you mean [defaults]?"),
        ('projekt = "a"', "Did you mean project?"),
        ("[prod]", "Did you mean [env.prod]? The keys are project, [defaults] and [env.NAME]."),
        (
            "notify = 1",
            "Write it under [defaults], for ${var:notify}. The keys are project, [defaults] and [env.NAME].",
        ),
        ("[env]\nprod = 1", "Write it under [env.NAME], not [env]: prod = …"),
    ],
)
def test_what_was_probably_meant_is_said(text, hint):
    _, found = parse_settings(text)
    assert found[0].hint == hint


def test_settings_that_are_nested_too_deeply_are_said():
    (fault,) = parse_settings("a = " + "[" * 100_000)[1]
    assert fault.place == (1, 1)
    assert fault.message.startswith("not valid TOML: ")


def test_settings_that_are_right_have_no_faults():
    text = (
        'project = "a.b-c"\n[defaults]\nx = 1\ny = [1.5, "a"]\n[defaults.t.u]\nv = true\n[env.prod]\nx = 2\n'
    )
    settings, found = parse_settings(text)
    assert found == []
    assert settings["env"]["prod"] == {"x": 2}


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        (("project",), (1, 1)),
        (("defaults",), (3, 2)),
        (("defaults", "x"), (4, 3)),
        (("defaults", "t", "u"), (6, 2)),
        (("defaults", "t", "u", "v"), (7, 1)),
        (("defaults", "none"), (3, 2)),
        (("env", "prod", "x"), (9, 1)),
        (("env", "dev", "x"), (1, 1)),
        (("nothing",), (1, 1)),
        (("list",), (10, 3)),
        (("env", "prod"), (8, 2)),
        (("list", "dotted", "key"), (11, 1)),
    ],
)
def test_a_key_or_the_table_around_it_is_found(keys, place):
    text = (
        "project = 1\n# project = 2\n[defaults]\n  x = 1\n\n[defaults.t.u]\nv = 1\n"
        '[env."prod"]\nx = 2\n[[list]]\ndotted.key = 1\n[[list]]\n'
    )
    assert key_place(text, keys) == place


def test_an_environment_has_its_values_over_the_defaults(tmp_path):
    write(
        tmp_path, "stepscope.toml", 'project = "p"\n[defaults]\na = 1\nb = "${var:env}"\n[env.prod]\na = 2\n'
    )
    prod = load_project(tmp_path, "prod")
    assert (prod.name, prod.env, prod.variables) == ("p", "prod", {"env": "prod", "a": 2, "b": "prod"})
    for env in ("", "default"):
        assert load_project(tmp_path, env).variables == {"env": "default", "a": 1, "b": "default"}
    with pytest.raises(InputError) as caught:
        load_project(tmp_path, "prodd")
    assert caught.value.message == "no environment 'prodd'"
    assert caught.value.hint == "There are: prod."
    write(tmp_path, "application.toml", "[defaults]\na = 5\nc = 3\n")
    assert load_project(tmp_path).variables == {"env": "default", "a": 1, "b": "default", "c": 3}


def test_without_settings_a_project_has_a_name_and_any_environment(tmp_path):
    made = load_project(tmp_path, "prod")
    assert (made.name, made.env, made.variables) == ("stepscope", "prod", {"env": "prod"})
    with pytest.raises(InputError, match="is not a valid name"):
        load_project(tmp_path, "a b")


def test_every_file_that_cannot_be_used_is_named(tmp_path):
    write(tmp_path, "monitors/a.json", "{")
    write(tmp_path, "monitors/b c.json", {"query": "q"})
    write(tmp_path, "monitors/d.json", {"query": "${var:none}"})
    write(tmp_path, "slos/e.json", {"name": "S"})
    with pytest.raises(InputError) as caught:
        load_resources(load_project(tmp_path))
    assert "monitors/a.json:1:2" in caught.value.message
    assert "'b c' is not a valid key" in caught.value.message
    assert "no value for ${var:none}" in caught.value.message
    resources, problems = usable_resources(load_project(tmp_path))
    assert ([item.key for item in resources], len(problems)) == (["e"], 3)
    assert usable_resources(load_project(tmp_path), ("slo",))[1] == []


# --- queries in files


def test_widgets_are_found_wherever_they_are_nested():
    inner = {"definition": {"type": "note"}}
    group = {"definition": {"type": "group", "widgets": [inner, {"definition": 5}]}, "layout": {"x": 1}}
    split = {"definition": {"type": "split_group", "source_widget_definition": {"type": "timeseries"}}}
    found = list(widgets({"widgets": [group, split, 5, {"definition": {"type": 7}, "layout": 3}]}))
    assert [(item.pointer, item.type, item.depth, item.layout) for item in found] == [
        (("widgets", 0, "definition"), "group", 0, {"x": 1}),
        (("widgets", 0, "definition", "widgets", 0, "definition"), "note", 1, None),
        (("widgets", 1, "definition"), "split_group", 0, None),
        (("widgets", 1, "definition", "source_widget_definition"), "timeseries", 1, None),
        (("widgets", 3, "definition"), "", 0, None),
    ]
    assert list(widgets({"widgets": {}})) == []


def sites(definition):
    return [
        (".".join(map(str, site.pointer[3:])), site.text, site.formula, site.names)
        for site in widget_sites(widgets({"widgets": [{"definition": definition}]}))
    ]


METRICS = {"data_source": "metrics", "name": "a", "query": "avg:a{*}"}


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ({"type": "timeseries", "requests": [{"q": "x"}]}, [("requests.0.q", "x", False, None)]),
        ({"type": "heatmap", "requests": [{"q": "x"}]}, [("requests.0.q", "x", False, None)]),
        ({"type": "distribution", "requests": [{"q": "x"}]}, [("requests.0.q", "x", False, None)]),
        ({"type": "query_value", "requests": [{"q": "x"}]}, [("requests.0.q", "x", False, None)]),
        ({"type": "hostmap", "requests": {"fill": {"q": "x"}}}, [("requests.fill.q", "x", False, None)]),
        (
            {"type": "timeseries", "requests": [{"queries": [METRICS], "formulas": [{"formula": "a * 2"}]}]},
            [
                ("requests.0.queries.0.query", "avg:a{*}", False, None),
                ("requests.0.formulas.0.formula", "a * 2", True, frozenset({"a"})),
            ],
        ),
        (
            {"type": "timeseries", "requests": [{"queries": [{**METRICS, "name": None}, METRICS], "formulas": [{"formula": "a"}]}]},
            [
                ("requests.0.queries.0.query", "avg:a{*}", False, None),
                ("requests.0.queries.1.query", "avg:a{*}", False, None),
                ("requests.0.formulas.0.formula", "a", True, None),
            ],
        ),
        (
            {"type": "timeseries", "requests": [{"queries": [{**METRICS, "data_source": "logs", "name": "l"}], "formulas": [{"formula": "l"}, 5, {"formula": 5}]}]},
            [("requests.0.formulas.0.formula", "l", True, frozenset({"l"}))],
        ),
        ({"type": "x", "requests": [{"query": METRICS}]}, [("requests.0.query.query", "avg:a{*}", False, None)]),
        ({"type": "x", "requests": [5, {"queries": 5, "formulas": 5}]}, []),
        ({"type": "x", "requests": 5}, []),
        ({"type": "x"}, []),
    ],
)  # fmt: skip
def test_the_metric_queries_and_formulas_of_a_widget(definition, expected):
    assert sites(definition) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"query": {"numerator": "n", "denominator": "d"}}, [("query.numerator", "n"), ("query.denominator", "d")]),
        ({"query": {"numerator": 5}}, []),
        ({"query": "n"}, []),
        (
            {"sli_specification": {"time_slice": {"query": {"queries": [METRICS], "formulas": [{"formula": "a"}]}}}},
            [
                ("sli_specification.time_slice.query.queries.0.query", "avg:a{*}"),
                ("sli_specification.time_slice.query.formulas.0.formula", "a"),
            ],
        ),
        (
            {"sli_specification": {"count": {"queries": [METRICS], "good_events_formula": {"formula": "g"}, "bad_events_formula": {"formula": "b"}, "total_events_formula": {"formula": "t"}}}},
            [
                ("sli_specification.count.queries.0.query", "avg:a{*}"),
                ("sli_specification.count.good_events_formula.formula", "g"),
                ("sli_specification.count.bad_events_formula.formula", "b"),
                ("sli_specification.count.total_events_formula.formula", "t"),
            ],
        ),
        ({"sli_specification": {"count": 5}}, []),
    ],
)  # fmt: skip
def test_the_queries_of_an_objective(body, expected):
    assert [(".".join(map(str, site.pointer)), site.text) for site in slo_sites(body)] == expected


@pytest.mark.parametrize(
    ("variables", "texts"),
    [
        ([METRICS], ["avg:a{*}"]),
        ([{**METRICS, "data_source": "logs"}], []),
        ([5, {"data_source": "metrics"}], []),
        (5, []),
    ],
)
def test_the_queries_of_a_monitors_variables(variables, texts):
    found = list(variable_sites({"options": {"variables": variables}}))
    assert [site.text for site in found] == texts
    assert [site.pointer for site in found] == [("options", "variables", 0, "query")] * len(texts)
    assert list(variable_sites({"options": 5})) == []
    assert METRIC_MONITORS == ("metric alert", "query alert")


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("avg:a{env:${var:env|prod}}", True),
        ("avg:a{${var:scope|*} AND env:prod}", True),
        ("avg:a{*} > ${monitor:x}", False),
        ("avg:a{", False),
    ],
)
def test_a_query_is_parsed_with_defaults_for_its_variables_at_the_places_of_its_own_text(text, valid):
    query, error = parsed.query(text)
    assert (query is not None, error is None) == (valid, valid)
    monitor, error = parsed.monitor("${monitor:a} && ${monitor:b}")
    assert (monitor is not None, error) == (True, None)
    _, error = parsed.monitor("avg(last_5m):avg:a{env:${var:e|x}} >")
    assert error is not None


# --- what a shape does not allow


MONITOR = {"name": "M", "type": "query alert", "query": "avg(last_5m):avg:a{*} > 5", "message": ""}
BOARD = {"title": "B", "layout_type": "ordered", "widgets": []}


def wrong(kind, body):
    return [
        (fault.pointer, fault.message, fault.unverified, fault.hint, fault.missing)
        for fault in faults(kind, body)
    ]


def note(**more):
    return {**BOARD, "widgets": [{"definition": {"type": "note", "content": "x", **more}}]}


AT = ("widgets", 0, "definition")


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("monitor", MONITOR, []),
        ("dashboard", BOARD, []),
        ("dashboard", note(), []),
        ("dashboard", {**BOARD, "title": 5}, [(("title",), "title is 5, not a string", False, "", "")]),
        ("dashboard", {**BOARD, "title": "${var:t}"}, []),
        ("dashboard", {**BOARD, "description": None}, []),
        ("dashboard", {**BOARD, "widgets": {}}, [(("widgets",), "widgets is an object, not a list", False, "", "")]),
        ("dashboard", {**BOARD, "titel": "x"}, [(("titel",), "the file has no key titel in the API", True, "Did you mean title?", "")]),
        ("dashboard", {**BOARD, "zzz": 1}, [(("zzz",), "the file has no key zzz in the API", True, "", "")]),
        (
            "dashboard",
            {key: value for key, value in BOARD.items() if key != "title"},
            [((), "the file has no title", False, "Add title: a string.", "title")],
        ),
        (
            "dashboard",
            {**BOARD, "layout_type": "orderd"},
            [(("layout_type",), "layout_type is \"orderd\", not one of free, ordered", False, "Did you mean ordered?", "")],
        ),
        ("dashboard", note(content=5), [((*AT, "content"), "widgets[0].definition.content is 5, not a string", False, "", "")]),
        (
            "dashboard",
            note(text_align="lft"),
            [((*AT, "text_align"), 'widgets[0].definition.text_align is "lft", not one of center, left, right', False, "Did you mean left?", "")],
        ),
    ],
)  # fmt: skip
def test_what_a_shape_does_not_allow_is_said_with_what_was_expected(kind, body, expected):
    assert wrong(kind, body) == expected


@pytest.mark.parametrize(
    ("value", "types", "fits"),
    [
        (1, "integer", True),
        (1.0, "integer", True),
        (1.5, "integer", False),
        (True, "integer", False),
        (True, "number", False),
        (True, "boolean", True),
        (1.5, "number", True),
        ("1", "number", False),
        (None, "null", True),
        (None, ["string", "null"], True),
        ([], "array", True),
        ({}, "array", False),
        ({}, ["array", "object"], True),
    ],
)
def test_a_value_is_of_a_type(value, types, fits):
    assert schema._is(value, types) is fits


@pytest.mark.parametrize(
    ("value", "rule", "messages"),
    [
        ([1], {"minItems": 2}, ["x has 1 items, needs at least 2"]),
        ([1, 2], {"minItems": 2, "maxItems": 2}, []),
        ([1, 2, 3], {"maxItems": 2}, ["x has 3 items, may have 2 at most"]),
        ("", {"minLength": 1}, ["x needs at least 1 characters"]),
        ("a", {"minLength": 1}, []),
        (1, {"minimum": 2}, ["x is 1, needs at least 2"]),
        (2, {"minimum": 2, "maximum": 2}, []),
        (3, {"maximum": 2}, ["x is 3, may be 2 at most"]),
        (True, {"maximum": 0}, []),
        ("9", {"maximum": 0}, []),
    ],
)
def test_limits_of_numbers_texts_and_lists(value, rule, messages):
    assert [fault.message for fault in schema._limits(value, rule, ("x",))] == messages


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["a"], "a"),
        (["a", "b"], "one of a, b"),
        (list("abcdefgh"), "one of a, b, c, d, e, f, g, h"),
        (list("abcdefghij"), "one of a, b, c, d, e, f, g, h and 2 more"),
    ],
)
def test_words_are_listed_eight_at_most(words, text):
    assert schema._listed(words) == text


def test_a_value_in_a_message_is_short():
    assert schema._said({"a": 1}) == "an object"
    assert schema._said([1]) == "a list"
    assert schema._said("é") == '"é"'
    assert schema._said("x" * 58) == f'"{"x" * 58}"'
    assert schema._said("x" * 59) == f'"{"x" * 56}…"'
    assert schema._name(("a", 0, "b")) == "a[0].b"
    assert schema._name((0,)) == "[0]"
    assert schema._name(()) == "the file"
    assert schema._expected(["string", "null", "integer"]) == "a string or a whole number"


@pytest.mark.parametrize(
    ("value", "unverified"), [("60", True), (" 60 ", True), ("x", False), ("6.5", False), ([], False)]
)
def test_a_text_that_holds_the_number_is_unverified_as_datadog_reads_it(value, unverified):
    (fault,) = faults("monitor", {**MONITOR, "options": {"evaluation_delay": value}})
    assert fault.unverified is unverified


def test_of_several_shapes_the_one_that_gets_furthest_is_compared():
    body = {
        **BOARD,
        "widgets": [
            {
                "definition": {
                    "type": "timeseries",
                    "requests": [{"queries": [{"data_source": "metrics", "name": "a"}]}],
                }
            }
        ],
    }
    (fault,) = faults("dashboard", body)
    assert (fault.pointer[-2:], fault.missing, fault.unverified) == (("queries", 0), "query", True)


# --- names


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("notify_no_dat", "notify_no_data"),
        ("NotifyNoData", "notify_no_data"),
        ("notify-no-data", "notify_no_data"),
        ("zzz", None),
        ("", None),
    ],
)
def test_the_word_that_was_probably_meant(word, near):
    assert nearest(word, ["renotify_interval", "notify_no_data", "Notify_No_Data"]) == near


def test_the_catalogue_knows_the_metrics_under_its_prefixes():
    facts = catalogue.metrics()["aws.lambda.errors"]
    assert (facts.type, facts.failure, facts.polled, facts.cloudwatch_metric) == (
        "count",
        True,
        True,
        "Errors",
    )
    assert "functionname" in facts.tags
    assert not catalogue.metrics()["aws.lambda.invocations"].failure
    assert all(row.name or row.reason for row in catalogue.rows())
    assert "" not in catalogue.metrics()
    assert not catalogue.known_metrics()["aws.lambda.enhanced.invocations"].polled
    assert catalogue.known_metrics()["stepscope.duration"].type == "distribution"
    assert catalogue.known_metrics()["stepscope.invocations"].type == "count"
    assert catalogue.is_known_family("aws.states.x")
    assert catalogue.is_known_family("aws.lambda.x")
    assert not catalogue.is_known_family("aws.sqs.x")
    assert {"aws.lambda.errors", "aws.lambda.enhanced.invocations"} <= catalogue.names()
