"""The schema: what Datadog accepts has no fault, and a fault has an exact path and the probable word."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared_data import shared_data

from monitoring.resources.document import parse_document
from monitoring.resources.monitor_errors import errors
from monitoring.resources.schema import faults, is_valid, schema


def recorded(name):
    with shared_data(name).open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("name", "kind"), [("accepted_dashboards", "dashboard"), ("accepted_monitors", "monitor")]
)
def test_no_body_that_datadog_accepted_has_an_error(name, kind):
    for row in recorded(f"{name}.jsonl"):
        for body in (row["request"], row["response"] or row["request"]):
            wrong = [fault for fault in faults(kind, body) if not fault.unverified]
            assert not wrong, row["source"]


def board(definition):
    return {"title": "x", "layout_type": "ordered", "widgets": [{"definition": definition}]}


LINE = {"data_source": "metrics", "name": "a", "query": "avg:system.load.1{*}"}
DEFINITION = ("widgets", 0, "definition")


@pytest.mark.parametrize(
    ("definition", "pointer", "words"),
    [
        ({"type": "timeserie", "requests": []}, (*DEFINITION, "type"), "Did you mean timeseries?"),
        ({"type": "note"}, DEFINITION, "has no content"),
        ({"type": "note", "content": 3}, (*DEFINITION, "content"), "is 3, not a string"),
        ({"type": "note", "content": "x", "colour": "red"}, (*DEFINITION, "colour"), "no key colour"),
        ({}, DEFINITION, "has no type"),
        ({"type": "timeseries", "requests": []}, (*DEFINITION, "requests"), "needs at least 1"),
        (
            {"type": "timeseries", "requests": [{"display_type": "lines"}]},
            (*DEFINITION, "requests", 0, "display_type"),
            "Did you mean line?",
        ),
        (
            {"type": "timeseries", "requests": [{"queries": [{**LINE, "agregator": "avg"}]}]},
            (*DEFINITION, "requests", 0, "queries", 0, "agregator"),
            "Did you mean aggregator?",
        ),
        (
            {"type": "timeseries", "requests": [{"q": "x"}], "time": {"live_span": "9h"}},
            (*DEFINITION, "time", "live_span"),
            "not one of",
        ),
        (
            {"type": "group", "layout_type": "ordered", "widgets": [{"definition": {"type": "note"}}]},
            (*DEFINITION, "widgets", 0, "definition"),
            "has no content",
        ),
        ({"type": "topology_map", "requests": []}, (*DEFINITION, "requests"), "needs at least 1"),
    ],
)
def test_a_fault_names_its_exact_path_and_the_way_out(definition, pointer, words):
    (fault,) = faults("dashboard", board(definition))
    assert fault.pointer == pointer
    assert words in f"{fault.message}. {fault.hint}"


def test_an_unknown_key_or_source_is_unverified_and_a_misspelt_one_too():
    found = list(faults("dashboard", board({"type": "note", "content": "x", "newer": 1})))
    assert [fault.unverified for fault in found] == [True]
    newer = {"type": "timeseries", "requests": [{"queries": [{**LINE, "data_source": "quantum_flows"}]}]}
    assert [fault.unverified for fault in faults("dashboard", board(newer))] == [True]


def test_nulls_of_optional_keys_and_references_are_no_faults():
    body = board({"type": "manage_status", "query": "x", "sort": None})
    body["description"] = None
    assert not list(faults("dashboard", body))
    monitor = {"type": "composite", "query": "${monitor:a} && ${monitor:b}", "priority": "${var:priority|2}"}
    assert not list(faults("monitor", monitor))


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_body_changed_anywhere_never_breaks_the_check_and_a_wrong_type_is_found_where_it_is(data):
    rows = recorded("accepted_dashboards.jsonl")
    body = json.loads(json.dumps(data.draw(st.sampled_from(rows))["request"]))
    holder, steps = body, []
    while isinstance(holder, dict | list) and holder:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = data.draw(st.sampled_from(keys))
        steps.append(key)
        inner = holder[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            holder[key] = data.draw(st.sampled_from([None, 3, "word", [], {}, [[3]], True]))
            break
        holder = inner
    found = list(faults("dashboard", body))
    document = parse_document("x.json", json.dumps(body))
    for fault in found:
        assert document.span(fault.pointer)
    assert found or is_valid("dashboard", body) or holder[key] is None


def models(root):
    """Every widget type and every enumeration that the public client knows."""
    pytest.importorskip("datadog_api_client")
    from datadog_api_client.v1.model import widget_definition

    found = {}
    for cls in widget_definition.WidgetDefinition._composed_schemas["oneOf"]:
        for one in getattr(cls, "_composed_schemas", {}).get("oneOf", [cls]):
            for value in one.openapi_types["type"][0].allowed_values:
                found.setdefault(value, set()).update(one.attribute_map.values())
    return found


def test_every_widget_type_and_key_of_the_public_client_is_in_the_schema():
    definitions = schema("dashboard")["$defs"]
    ours = {}
    for rule in definitions.values():
        for value in rule.get("properties", {}).get("type", {}).get("enum", ()):
            ours.setdefault(value, set()).update(rule["properties"])
    theirs = models("dashboard")
    assert len(theirs) >= 40
    assert not {
        kind: keys - ours.get(kind, set()) for kind, keys in theirs.items() if keys - ours.get(kind, set())
    }


@pytest.mark.parametrize(
    ("query", "scheduling", "refused"),
    [
        (
            "sum(current_1mo):sum:a{*} > 1",
            {"evaluation_window": {"day_starts": "00:00", "month_starts": 17}},
            False,
        ),
        ("sum(current_1h):sum:a{*} > 1", None, True),
        ("sum(last_1h):sum:a{*} > 1", {"evaluation_window": {"hour_starts": 0}}, True),
        ("sum(last_1h):sum:a{*} > 1", {"custom_schedule": {"recurrences": [{"rrule": "FREQ=DAILY"}]}}, False),
    ],
)
def test_a_cumulative_window_and_its_options_go_together(query, scheduling, refused):
    options = {"thresholds": {"critical": 1}} | ({"scheduling_options": scheduling} if scheduling else {})
    body = {"type": "query alert", "name": "x", "query": query, "options": options}
    assert list(faults("monitor", body)) == []
    assert ["must have a current query period" in text for text in errors(body)] == [True] * refused
