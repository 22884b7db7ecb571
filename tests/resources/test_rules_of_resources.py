"""Types of metrics, CloudWatch's dimensions, references to one of several, and what an update keeps.

Sources: https://docs.datadoghq.com/metrics/types/; AWS's lists of dimensions
(https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html,
https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html); docs/deploy.md (for_each);
https://docs.datadoghq.com/api/latest/monitors/#edit-a-monitor.
"""

from pathlib import Path

import pytest

from monitoring.errors import InputError
from monitoring.log_events.names import METRICS
from monitoring.resources import catalogue, function_metrics, own_metrics
from monitoring.resources.document import Document
from monitoring.resources.instances import Instances, _settled, instance_key
from monitoring.resources.monitor_errors import _recovery
from monitoring.resources.nearest import nearest
from monitoring.resources.normalise import monitor
from monitoring.resources.project import instances_in, parse_settings

KINDS = {"count": "count", "gauge": "gauge", "histogram": "distribution", "distribution": "distribution"}


@pytest.mark.parametrize("metric", [*function_metrics.METRICS, *METRICS], ids=lambda metric: metric.name)
def test_a_metric_of_functions_or_the_forwarder_is_stored_as_its_type(metric):
    known = catalogue.known_metrics()[metric.name]
    row = catalogue.metrics().get(metric.name)
    assert known.type == (row.type if row else KINDS[metric.type])
    assert (known.name, known.unit) == (metric.name, row.unit if row else metric.unit)


def test_every_tag_of_a_row_is_one_of_cloudwatchs_dimensions_in_lower_case():
    tags = {tag for row in catalogue.rows() if row.polled for tag in row.tags}
    assert tags <= catalogue.DIMENSIONS
    assert {
        "functionname",
        "resource",
        "statemachinearn",
        "activityarn",
        "executedversion",
    } <= catalogue.DIMENSIONS
    documented = ["FunctionName", "Resource", "ExecutedVersion", "StateMachineArn", "ActivityArn", "APIName"]
    documented += ["LambdaFunctionArn", "ServiceIntegrationResourceArn", "ServiceMetric"]
    assert {name.lower() for name in documented} == catalogue.DIMENSIONS
    assert not catalogue.DIMENSIONS & catalogue.COMMON_TAGS


def test_common_tags_are_those_that_datadog_adds_to_metrics_of_aws():
    """Source: https://docs.datadoghq.com/integrations/amazon_lambda/."""
    assert {"account_id", "aws_account", "env", "host", "name", "region", "service", "team", "version"} <= (
        catalogue.COMMON_TAGS
    )
    assert {"account", "account_name", "architecture", "runtime"} <= catalogue.COMMON_TAGS


@pytest.mark.parametrize("row", catalogue.rows(), ids=lambda row: row.name or row.cloudwatch_metric)
def test_a_row_has_a_name_or_the_reason_why_it_has_none(row):
    assert bool(row.name) != bool(row.reason)
    assert row.type in ({"count", "gauge", "rate", "distribution"} if row.name else {""})
    assert row.polled is bool(row.cloudwatch_metric)
    if row.name:
        assert catalogue.is_known_family(row.name)
        assert row.name in catalogue.names()
        assert (catalogue.metrics()[row.name].failure, row.failure) in {(True, True), (False, False)}


@pytest.mark.checkout
@pytest.mark.parametrize("metric", function_metrics.METRICS, ids=lambda metric: metric.name)
def test_a_metric_of_functions_is_documented_as_the_table_has_it(metric):
    rows = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8").splitlines()
    cells = [
        cell.strip() for row in rows if row.startswith(f"| `{metric.name}` |") for cell in row.split("|")
    ]
    assert cells[2:5] == [metric.type, metric.unit, metric.meaning]
    assert all(f"`{tag}`" in cells[5] for tag in metric.tags)
    assert metric.name.startswith((function_metrics.PREFIX, "claims."))


@pytest.mark.parametrize(
    ("word", "words", "meant"),
    [
        ("check_status", ["check-status", "other"], "check-status"),
        ("checkStatus", ["check-status"], "check-status"),
        ("check-status", ["checkstatus"], "checkstatus"),
        ("a-b-c-d", ["abcd", "a_b"], "abcd"),
        ("abcd", ["wxyz"], None),
        ("abcd", [], None),
        ("Notify", ["notify_no_data", "notify"], "notify"),
    ],
)
def test_the_word_that_was_meant_is_found_whatever_its_dashes_underscores_and_case(word, words, meant):
    assert nearest(word, words) == nearest(word, words, cutoff=0.9) == meant


@pytest.mark.parametrize("kind", ["event-v2 alert", "event alert", "metric alert"])
@pytest.mark.parametrize("names", [[], ["critical_recovery"], ["critical_recovery", "warning_recovery"]])
def test_monitors_of_events_have_no_recovery_thresholds(kind, names):
    body = {"type": kind, "options": {"thresholds": {"critical": 1, **dict.fromkeys(names, 0)}}}
    said = (
        []
        if not names or kind == "metric alert"
        else [f"Invalid threshold statuses found: {', '.join(names)}."]
    )
    assert list(_recovery(body, None)) == said


def test_the_catalogue_of_a_project_has_the_documented_name():
    assert own_metrics.FILE == "stepscope.metrics.toml"


@pytest.mark.parametrize("unit", ["", "byte"])
def test_a_metric_without_a_unit_has_no_line_for_it(unit):
    metric = own_metrics.OwnMetric("count", unit)
    text = own_metrics.catalogue_text(own_metrics.OwnMetrics({"a.b": metric}))
    assert ("unit = " in text) is bool(unit)
    assert f'unit = "{unit}"' in text or not unit


# --- references to a file of several: docs/deploy.md

STAGES = Instances("stages", ("x", "y"))
FILES = {"a": STAGES, "other": Instances("others", ("y", "z")), "empty": Instances("stages", ()), "one": None}


def lookup(kind, key):
    assert kind in {"monitor", "dashboard"}
    return FILES[key]


@pytest.mark.parametrize(
    ("own", "name", "text", "settled"),
    [
        (None, "", "${monitor:a}", "${monitor:a[x]}"),
        (STAGES, "x", "${monitor:a}", "${monitor:a[x]}"),
        (STAGES, "y", "${monitor:a}", "${monitor:a[y]}"),
        (STAGES, "w", "${monitor:a}", "${monitor:a[x]}"),
        (STAGES, "y", "${monitor:other}", "${monitor:other[y]}"),
        (STAGES, "z", "${monitor:other}", "${monitor:other[y]}"),
        (Instances("others", ("z",)), "z", "${monitor:other}", "${monitor:other[z]}"),
        (STAGES, "y", "${monitor:a[x]}", "${monitor:a[x]}"),
        (STAGES, "y", "${monitor:empty}", "${monitor:empty}"),
        (STAGES, "y", "${monitor:one}", "${monitor:one}"),
        (
            STAGES,
            "y",
            "see ${monitor:a}, ${dashboard:a} and ${var:a}",
            "see ${monitor:a[y]}, ${dashboard:a[y]} and ${var:a}",
        ),
        (STAGES, "y", "no reference", "no reference"),
    ],
)
def test_a_reference_to_one_of_several_means_the_entry_of_the_same_list_else_the_first(
    own, name, text, settled
):
    for wrap, unwrap in ((lambda v: v, lambda v: v), (lambda v: {"k": [v, 1]}, lambda v: v["k"][0])):
        assert unwrap(_settled(wrap(text), own, name, lookup)) == settled
    assert _settled({"k": [1, None, True]}, own, name, lookup) == {"k": [1, None, True]}


def test_an_instance_is_named_by_its_file_and_its_entry():
    assert instance_key("orders", "berlin") == "orders[berlin]"


def test_only_a_file_with_for_each_asks_for_the_values_of_the_project(tmp_path):
    texts = {"several": '{"type": "query alert", "query": "q", "for_each": "shops"}', "one": '{"query": "q"}'}
    for name, text in texts.items():
        (tmp_path / f"{name}.json").write_text(text)
    (tmp_path / "folder.json").mkdir()
    asked = []

    def variables():
        asked.append(1)
        return {"shops": ["a", "b"]}

    of = instances_in(lambda kind, key: tmp_path / f"{key}.json", variables)
    assert of("monitor", "one") is of("monitor", "absent") is of("monitor", "folder") is None
    assert asked == []
    assert of("monitor", "several") == of("monitor", "several") == Instances("shops", ("a", "b"))
    assert asked == [1]


# --- settings that are not TOML


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a = = 3", (1, 5)),
        ("a = 1\nbcd = = 3", (2, 7)),
        ("a = [", (1, 6)),
        ("a = 1\nb = [1,\n  2", (3, 4)),
        ('a = "', (1, 6)),
    ],
)
def test_what_is_not_toml_is_said_at_its_place_and_at_the_end_where_something_is_missing(text, place):
    values, (fault,) = parse_settings(text)
    assert values == {}
    assert fault.place == place
    assert fault.message.startswith("not valid TOML: ")
    assert "(at " not in fault.message


# --- an update keeps what it does not name

FIRST = {
    "type": "query alert",
    "name": "N",
    "message": "@a",
    "tags": ["a:b"],
    "query": "avg(last_5m):avg:a{*} > 5",
    "options": {"thresholds": {"critical": 5.0}, "notify_audit": True},
    "priority": 2,
    "restricted_roles": ["r"],
    "restriction_policy": {"bindings": []},
    "draft_status": "draft",
    "assets": [{"name": "n", "url": "u", "category": "runbook"}],
}


@pytest.mark.parametrize("named", FIRST)
def test_an_update_changes_what_it_names_and_nothing_else(named):
    stored = monitor(FIRST, 7, 1_700_000_000.0)
    again = monitor({named: FIRST[named]}, 7, 1_700_000_100.0, stored)
    assert {key: again[key] for key in stored if key != "modified"} == {
        key: stored[key] for key in stored if key != "modified"
    }
    assert again["priority"] == 2
    assert again["assets"][0]["monitor_id"] == 7


def test_a_character_of_a_text_stands_behind_its_escapes_and_never_behind_its_end():
    text = '{"a": "x\\n\\u00e9y"}'
    document = Document("f", text, None)
    assert [text[document.inside(("a",), at)] for at in range(4)] == ["x", "\\", "\\", "y"]
    assert document.inside(("a",), 4) == document.inside(("a",), 99) == text.rindex('"')
    plain = Document("f", '{"a": "xy"}', None)
    assert [plain.inside(("a",), at) for at in (0, 1, 2, 99)] == [7, 8, 9, 9]


def test_a_file_that_cannot_be_read_is_said_where_instances_are_asked_for(tmp_path):
    (tmp_path / "m.json").write_text('{"for_each": "shops"')
    with pytest.raises(InputError):
        instances_in(lambda kind, key: tmp_path / "m.json", dict)("monitor", "m")
