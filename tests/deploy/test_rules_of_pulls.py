"""What becomes of a resource of Datadog, or of another tool's file, that is brought into a project (docs/deploy.md)."""

import json

import pytest

from monitoring.deploy.api import RejectedError
from monitoring.deploy.foreign import DEEPEST, read_foreign, resources_in
from monitoring.deploy.pull import as_file, as_files, everything, find
from monitoring.errors import InputError

METRIC = {"type": "query alert", "name": "Load", "query": "avg(last_5m):avg:a{*} > 5", "message": "@a"}
UUID = "01234567-89ab-cdef-0123-456789abcdef"
SLO_ID = "0123456789abcdef" * 2


def pulled(kind, body, id_="", taken=()):
    file = as_file(kind, body, id_, taken)
    return file.path, json.loads(file.text)


def query_of(query, kind="monitor"):
    key = "query"
    body = {"type": "query alert", "name": "x", "title": "x", "scope": "*", key: query}
    return pulled(kind, body)[1][key]


@pytest.mark.parametrize(
    ("query", "portable"),
    [
        ("avg:a{env:prod}", "avg:a{env:${var:env|prod}}"),
        ("avg:a{service:s,env:prod} by {env}", "avg:a{service:s,env:${var:env|prod}} by {env}"),
        ("avg:a{env:prod} / avg:b{env:prod}", "avg:a{env:${var:env|prod}} / avg:b{env:${var:env|prod}}"),
        ("avg:a{env:prod AND service:s}", "avg:a{env:${var:env|prod} AND service:s}"),
        ("avg:a{!env:prod}", "avg:a{!env:prod}"),
        ("avg:a{env:pro*}", "avg:a{env:pro*}"),
        ("avg:a{NOT env:prod}", "avg:a{NOT env:prod}"),
        ("avg:a{service:b OR env:prod}", "avg:a{service:b OR env:prod}"),
        ("avg:a{service in (a), env:prod}", "avg:a{service in (a), env:prod}"),
        ("avg:a{*:b,env:prod}", "avg:a{*:b,env:prod}"),
        ("avg:a{my.env:prod}", "avg:a{my.env:prod}"),
        ("avg:a{service:prod}", "avg:a{service:prod}"),
        ("env:prod avg:a{*}", "env:prod avg:a{*}"),
        ("avg:a{env:prod/eu-1}", "avg:a{env:${var:env|prod/eu-1}}"),
    ],
)
def test_the_environment_of_a_query_becomes_a_variable_where_it_is_one_literal_tag(query, portable):
    """Another environment puts its own name there; what is negated, alternative or a wildcard is left alone."""
    assert query_of(query) == portable


@pytest.mark.parametrize(
    ("scope", "portable"),
    [
        ("env:dev AND service:(a OR b)", "env:${var:env|dev} AND service:(a OR b)"),
        ("env:(a OR b)", "env:(a OR b)"),
        ("env:dev*", "env:dev*"),
        ("my.env:dev", "my.env:dev"),
        (None, "*"),
    ],
)
def test_the_environment_of_a_downtimes_scope_becomes_a_variable(scope, portable):
    body = {"message": "night", **({"scope": scope} if scope else {})}
    assert pulled("downtime", body)[1]["scope"] == portable


def board(*queries, **more):
    widgets = [{"definition": {"type": "timeseries", "requests": [{"q": query}]}} for query in queries]
    return {"title": "Board", "layout_type": "ordered", "widgets": widgets, **more}


def queries_of(body):
    return [widget["definition"]["requests"][0]["q"] for widget in body["widgets"]]


@pytest.mark.parametrize(
    ("queries", "portable", "variables"),
    [
        (["avg:a{env:prod}"], ["avg:a{$env}"], [("env", "env", ["prod"])]),
        (["avg:a{env:prod}", "avg:b{env:dev}"], ["avg:a{env:prod}", "avg:b{env:dev}"], []),
        (
            ["avg:a{env:prod,service:s}", "avg:b{service:s}"],
            ["avg:a{$env,$service}", "avg:b{$service}"],
            [("env", "env", ["prod"]), ("service", "service", ["s"])],
        ),
        (
            ["avg:a{statemachinearn:x}", "avg:b{functionname:f}"],
            ["avg:a{$statemachine}", "avg:b{$function}"],
            [("statemachine", "statemachinearn", ["x"]), ("function", "functionname", ["f"])],
        ),
        (["avg:a{team:x}"], ["avg:a{team:x}"], []),
        (["avg:a{!env:prod}"], ["avg:a{!env:prod}"], []),
    ],
)
def test_a_tag_of_which_a_dashboard_names_one_value_becomes_a_template_variable(queries, portable, variables):
    path, body = pulled("dashboard", board(*queries))
    assert path == "dashboards/board.json"
    assert queries_of(body) == portable
    assert [
        (variable["name"], variable["prefix"], variable["defaults"])
        for variable in body.get("template_variables", [])
    ] == variables


@pytest.mark.parametrize(
    ("variable", "replaced"),
    [
        ({"name": "env", "prefix": "env", "defaults": ["prod"]}, "$env"),
        ({"name": "stage", "prefix": "env", "defaults": ["prod"]}, "$stage"),
        ({"name": "env", "prefix": "env", "defaults": ["dev"]}, None),
        ({"name": "env", "prefix": "env"}, None),
        ({"name": "env", "prefix": "env", "defaults": ["prod", "dev"]}, None),
        ({"name": "env", "prefix": "environment", "defaults": ["prod"]}, None),
        ({"name": "env", "defaults": ["prod"]}, None),
    ],
)
def test_a_variable_that_is_there_is_used_only_where_it_shows_the_same(variable, replaced):
    body = pulled("dashboard", board("avg:a{env:prod}", template_variables=[variable]))[1]
    assert queries_of(body) == [f"avg:a{{{replaced or 'env:prod'}}}"]
    assert body["template_variables"] == [variable]


def test_queries_are_replaced_at_any_depth_and_texts_are_not():
    inner = {"definition": {"type": "query_value", "requests": [{"queries": [{"query": "avg:a{env:prod}"}]}]}}
    group = {"definition": {"type": "group", "widgets": [inner]}}
    note = {"definition": {"type": "note", "content": "avg:a{env:prod}"}}
    body = pulled("dashboard", {**board(), "widgets": [group, note]})[1]
    (query,) = body["widgets"][0]["definition"]["widgets"][0]["definition"]["requests"][0]["queries"]
    assert query == {"query": "avg:a{$env}"}
    assert body["widgets"][1] == note


def test_an_objectives_numerator_and_denominator_are_queries():
    query = {"numerator": "sum:a{env:prod}.as_count()", "denominator": "sum:b{env:prod}.as_count()"}
    body = pulled("slo", {"name": "S", "type": "metric", "query": query, "description": "{env:prod}"})[1]
    assert body["query"] == {
        "numerator": "sum:a{env:${var:env|prod}}.as_count()",
        "denominator": "sum:b{env:${var:env|prod}}.as_count()",
    }
    assert body["description"] == "{env:prod}"


@pytest.mark.parametrize(
    ("options", "thresholds"),
    [
        ({"thresholds": {"critical": 5, "warning": 3}}, {"critical": 5, "warning": 3}),
        ({"thresholds": {"critical": 5}}, None),
        ({"thresholds": {"warning": 3}}, {"warning": 3}),
        ({"thresholds": {"critical": 6, "warning": 3}}, {"critical": 6, "warning": 3}),
        ({}, None),
        (None, None),
    ],
)
def test_a_critical_threshold_is_kept_beside_others(options, thresholds):
    """Datadog takes a warning threshold only together with the critical one."""
    body = pulled("monitor", {**METRIC, "options": options})[1]
    assert body.get("options", {}).get("thresholds") == thresholds


def test_a_file_begins_with_what_a_reader_wants_first_and_leaves_out_what_datadog_adds():
    answered = {
        "id": 7,
        "tags": ["a:b"],
        "message": "@a\n\nManaged by stepscope: p/prod/m (0123456789ab)",
        "query": METRIC["query"],
        "type": "query alert",
        "name": "Load",
        "created": "2026-01-01",
        "options": {"include_tags": True},
    }
    path, body = pulled("monitor", answered)
    assert path == "monitors/load.json"
    assert list(body.items()) == [
        ("name", "Load"),
        ("type", "query alert"),
        ("query", METRIC["query"]),
        ("message", "@a"),
        ("tags", ["a:b"]),
    ]
    assert next(iter(pulled("monitor", answered, "7")[1].items())) == ("id", "7")
    assert as_file("monitor", {**METRIC, "name": "é"}).text.count('"é"') == 1
    assert as_file("monitor", METRIC).text.startswith('{\n  "name"')
    assert as_file("monitor", METRIC).text.endswith("}\n")


@pytest.mark.parametrize(
    ("title", "key"),
    [
        ("Load is HIGH", "load-is-high"),
        ("  [p1] Load: 5 % ", "p1-load-5"),
        ("x" * 80, "x" * 60),
        ("[" + "x" * 80, "x" * 60),
        ("x" * 59 + "  yz", "x" * 59),
        ("äöü", "untitled"),
    ],
)
def test_the_name_of_the_file_is_the_title_in_letters_digits_and_dashes(title, key):
    assert pulled("monitor", {**METRIC, "name": title})[0] == f"monitors/{key}.json"
    assert pulled("dashboard", {**board(), "title": title})[0] == f"dashboards/{key}.json"


def test_a_file_without_a_title_is_named_by_its_scope_or_its_kind():
    assert pulled("downtime", {"scope": "env:dev"})[0] == "downtimes/env-dev.json"
    assert pulled("monitor", {"type": "query alert", "query": "a"})[0] == "monitors/monitor.json"


def test_a_key_that_is_taken_gets_the_first_free_number():
    assert pulled("monitor", METRIC, taken=["load"])[0] == "monitors/load-2.json"
    assert pulled("monitor", METRIC, taken=["load", "load-2", "load-3"])[0] == "monitors/load-4.json"
    assert pulled("monitor", METRIC, taken=["load", "load-3", "x"])[0] == "monitors/load-2.json"


def test_what_is_pulled_together_has_keys_of_its_own_and_refers_by_them():
    rows = [
        ("monitor", "7", METRIC),
        ("monitor", "8", METRIC),
        ("monitor", "", METRIC),
        ("monitor", "9", {"type": "composite", "name": "Both", "query": "7 && 8", "message": ""}),
    ]
    files = as_files(rows, {"monitor": ["both"], "slo": ["load"]})
    assert [file.path for file in files] == [
        "monitors/load.json",
        "monitors/load-2.json",
        "monitors/load-3.json",
        "monitors/both-2.json",
    ]
    bodies = [json.loads(file.text) for file in files]
    assert bodies[3]["query"] == "${monitor:load} && ${monitor:load-2}"
    assert not any("id" in body for body in bodies)
    adopted = [json.loads(file.text) for file in as_files(rows, {}, adopt=True)]
    assert [body.get("id") for body in adopted] == ["7", "8", None, "9"]


# --- what an id, an address or a text names


BODIES = {
    ("monitor", "7"): {"name": "Load"},
    ("slo", SLO_ID): {"name": "Goal"},
    ("dashboard", "abc-def-ghi"): {"title": "Load of all"},
    ("downtime", UUID): {"message": "night"},
}


class Account:
    """A client of an account with one resource of each kind."""

    def get(self, kind, id_):
        if (kind, id_) not in BODIES:
            raise RejectedError(404, ["not found"])
        return BODIES[kind, id_]

    def everything(self, kind):
        return [(id_, {}) for other, id_ in BODIES if other == kind]

    def search(self, kind, text):
        return [(id_, {}) for (other, id_), body in BODIES.items() if other == kind and text in str(body)]


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    [
        ("7", ["monitor"]),
        ("abc-def-ghi", ["dashboard"]),
        (SLO_ID, ["slo"]),
        (UUID, ["downtime"]),
        ("https://app.datadoghq.com/monitors/7", ["monitor"]),
        ("https://app.datadoghq.com/monitors/7/edit", ["monitor"]),
        ("https://app.datadoghq.com/dashboard/abc-def-ghi/load?from=1", ["dashboard"]),
        ("https://app.datadoghq.com/dash/abc-def-ghi", ["dashboard"]),
        ("https://app.datadoghq.com/dashboard/lists/abc-def-ghi", ["dashboard"]),
        (f"https://app.datadoghq.com/slo?slo_id={SLO_ID}", ["slo"]),
        (f"https://app.datadoghq.com/slo/manage?query=x&slo_id={SLO_ID}", ["slo"]),
        (f"https://app.datadoghq.com/monitors/downtimes/{UUID}", ["downtime"]),
        (f"https://app.datadoghq.com/monitors/downtimes?x=1&downtimeId={UUID}", ["downtime"]),
        ("Load", ["monitor", "dashboard"]),
        ("night", ["downtime"]),
    ],
)
def test_a_resource_is_named_by_its_id_its_address_or_a_part_of_its_title(wanted, kinds):
    assert [kind for kind, _, _ in find(Account(), wanted)] == kinds
    assert all(body == BODIES[kind, id_] for kind, id_, body in find(Account(), wanted))


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("8", "no monitor 8: not found"),
        ("abc-def-xyz", "no dashboard abc-def-xyz"),
        ("nothing", "nothing in Datadog is named like 'nothing'"),
        ("7x", "nothing in Datadog is named like '7x'"),
    ],
)
def test_what_names_nothing_is_said(wanted, said):
    with pytest.raises(InputError) as caught:
        find(Account(), wanted)
    assert caught.value.message.startswith(said)


def test_everything_is_one_whole_body_of_each():
    assert sorted(everything(Account())) == sorted((kind, id_, body) for (kind, id_), body in BODIES.items())


# --- files of other tools


def test_a_resource_may_be_eight_levels_deep_and_no_deeper():
    def within(levels):
        value = METRIC
        for _ in range(levels):
            value = {"x": value}
        return value

    assert len(list(resources_in(within(DEEPEST)))) == 1
    assert list(resources_in(within(DEEPEST + 1))) == []

    def listed(levels):
        return [listed(levels - 1)] if levels else METRIC

    assert len(list(resources_in(listed(DEEPEST)))) == 1
    assert list(resources_in(listed(DEEPEST + 1))) == []


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ({"id": 7, **METRIC}, ["7"]),
        (METRIC, [""]),
        (
            {"7": METRIC, SLO_ID: METRIC, "abc-def-ghi": METRIC, "load": METRIC},
            ["7", SLO_ID, "abc-def-ghi", ""],
        ),
        ({"7": {"definition": METRIC}}, ["7"]),
        ({"id": 9, "attributes": METRIC}, ["9"]),
        ({"9": {"attributes": {"id": 8, **METRIC}}}, ["8"]),
        ({"9": {"other": METRIC}}, [""]),
        ({"9": [METRIC]}, [""]),
        ({"777x": METRIC}, [""]),
    ],
)
def test_the_id_is_the_resources_own_or_the_key_of_an_export_by_id(value, ids):
    assert [id_ for _, id_, _ in resources_in(value)] == ids


@pytest.mark.parametrize(
    ("block", "names"),
    [
        ({"a": {"monitor": json.dumps(METRIC)}}, ["Load"]),
        ({"a": {"monitor": METRIC}}, ["Load"]),
        (
            {"a": [{"monitor": json.dumps(METRIC)}, {"monitor": json.dumps({**METRIC, "name": "B"})}]},
            ["Load", "B"],
        ),
        ({"a": {"monitor": "${file(x)}"}, "b": {"monitor": json.dumps(METRIC)}}, ["Load"]),
        ({"a": {"dashboard": json.dumps(METRIC)}}, []),
        ({"a": "text"}, []),
        ({"a": {"monitor": 5}}, []),
        ("text", []),
        ([1], []),
    ],
)
def test_a_body_in_terraforms_json_is_read_from_its_argument(block, names):
    found = resources_in({"resource": {"datadog_monitor_json": block}})
    assert [body["name"] for _, _, body in found] == names


def test_what_is_in_several_files_by_one_id_is_taken_once_and_without_an_id_each_time(tmp_path):
    for name, body in (
        ("a.json", {"id": 7, **METRIC}),
        ("sub/b.json", {"id": 7, **METRIC, "name": "younger"}),
        ("c.json", METRIC),
        ("d.json", METRIC),
        (".terraform/e.json", {**METRIC, "name": "skipped"}),
        ("node_modules/x/e.json", {**METRIC, "name": "skipped"}),
        ("other.json", {"a": 1}),
        ("broken.json", "{"),
        ("binary.json", b"\xff"),
        ("f.txt", METRIC),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            body if isinstance(body, bytes) else (body if body == "{" else json.dumps(body)).encode()
        )
    imported = read_foreign(tmp_path)
    assert [(id_, body["name"]) for _, id_, body in imported.resources] == [
        ("7", "Load"),
        ("", "Load"),
        ("", "Load"),
    ]
    assert [path.name for path in imported.others] == ["other.json"]
    assert [str(error.where) for error in imported.problems] == [
        str(tmp_path / "binary.json"),
        str(tmp_path / "broken.json"),
    ]
    assert all(error.message for error in imported.problems)
    assert [body["name"] for _, _, body in read_foreign(tmp_path / "f.txt").resources] == ["Load"]
    with pytest.raises(InputError, match="there is no such folder or file"):
        read_foreign(tmp_path / "nowhere")
