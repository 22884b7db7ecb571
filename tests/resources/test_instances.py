"""One file, several resources: lists, values, references, and what is refused."""

import json
import re

import pytest

from monitoring.errors import InputError
from monitoring.resources.project import load_project, load_resources
from monitoring.resources.variables import fill_in

MONITOR = {"for_each": "shops", "name": "${var:each}", "type": "query alert"}
QUERY = "sum(last_5m):sum:orders.failed{${var:scope|*}}.as_count() > ${var:most|3}"


def project(tmp_path, settings, **monitors):
    (tmp_path / "stepscope.toml").write_text(settings)
    (tmp_path / "monitors").mkdir(exist_ok=True)
    for key, body in monitors.items():
        (tmp_path / "monitors" / f"{key}.json").write_text(json.dumps(body))
    return tmp_path


def made(root, env=""):
    return {one.key: one.body for one in load_resources(load_project(root, env))}


LISTS = {
    "names": ('[defaults]\nshops = ["berlin", "paris"]', ["berlin", "paris"]),
    "a table": ("[defaults.shops.berlin]\nmost = 1\n[defaults.shops.paris]", ["berlin", "paris"]),
    "one left out": ("[defaults.shops]\nberlin = {}\nparis = false", ["berlin"]),
    "none": ("[defaults]\nshops = []", []),
    "an empty table": ("[defaults.shops]", []),
}


@pytest.mark.parametrize(("settings", "names"), LISTS.values(), ids=LISTS)
def test_a_file_makes_one_resource_for_each_entry(tmp_path, settings, names):
    root = project(tmp_path, settings, **{"orders-failed": {**MONITOR, "query": QUERY}})
    bodies = made(root)
    assert list(bodies) == [f"orders-failed[{name}]" for name in names]
    assert [body["name"] for body in bodies.values()] == names
    assert not any("for_each" in body for body in bodies.values())


def test_a_list_that_nobody_sets_makes_one_resource_with_the_key_of_the_file(tmp_path):
    body = {**MONITOR, "name": "all shops", "query": QUERY}
    assert made(project(tmp_path, "", orders=body)) == {
        "orders": {"name": "all shops", "type": "query alert", "query": QUERY_BY_DEFAULT}
    }


QUERY_BY_DEFAULT = "sum(last_5m):sum:orders.failed{*}.as_count() > 3"


def test_values_of_an_entry_stand_before_those_of_the_environment_and_the_project(tmp_path):
    settings = """
[defaults]
scope = "env:${var:env}"
most = 7
[defaults.shops.berlin]
scope = "${var:scope} AND shop:${var:each}"
[defaults.shops.paris]
most = 1
[env.prod]
most = 5
[env.prod.shops.paris]
most = 2
[env.dev.shops]
paris = false
"""
    root = project(tmp_path, settings, orders={**MONITOR, "query": QUERY})
    assert made(root, "prod")["orders[berlin]"]["query"] == (
        "sum(last_5m):sum:orders.failed{env:prod AND shop:berlin}.as_count() > 5"
    )
    assert made(root, "prod")["orders[paris]"]["query"].endswith("{env:prod}.as_count() > 2")
    assert list(made(root, "dev")) == ["orders[berlin]"]
    assert made(root, "dev")["orders[berlin]"]["query"].endswith("> 7")


def test_a_reference_means_the_instance_of_the_same_name_or_the_first(tmp_path):
    composite = {"type": "composite", "query": "${monitor:orders} && ${monitor:plain}", "name": "n"}
    root = project(
        tmp_path,
        '[defaults]\nshops = ["berlin", "paris"]\nother = ["x"]',
        orders={**MONITOR, "query": QUERY},
        plain={"type": "query alert", "query": QUERY, "name": "p"},
        down={**composite, "for_each": "shops"},
        alone=composite,
        elsewhere={**composite, "for_each": "other"},
        exact={**composite, "query": "${monitor:orders[paris]} && ${monitor:plain}"},
    )
    queries = {key: body["query"] for key, body in made(root).items() if body["type"] == "composite"}
    assert queries == {
        "down[berlin]": "${monitor:orders[berlin]} && ${monitor:plain}",
        "down[paris]": "${monitor:orders[paris]} && ${monitor:plain}",
        "alone": "${monitor:orders[berlin]} && ${monitor:plain}",
        "elsewhere[x]": "${monitor:orders[berlin]} && ${monitor:plain}",
        "exact": "${monitor:orders[paris]} && ${monitor:plain}",
    }


REFUSED = {
    "a number": ("[defaults]\nshops = 3", MONITOR, "shops is not a list that for_each can go through"),
    "numbers": ("[defaults]\nshops = [1]", MONITOR, "shops is not a list that for_each can go through"),
    "a table of values": ("[defaults.shops]\na = 1", MONITOR, "shops is not a list"),
    "a name twice": ('[defaults]\nshops = ["a", "a"]', MONITOR, "names 'a' twice"),
    "not a name": ('[defaults]\nshops = ["a b"]', MONITOR, "'a b' is not a valid name"),
    "for_each is a list": ("", {**MONITOR, "for_each": ["a"]}, "for_each is not the name of a list"),
    "an id of several": (
        '[defaults]\nshops = ["a", "b"]',
        {**MONITOR, "id": 7},
        "the id 7 is of one resource, and for_each makes 2",
    ),
    "a circle": (
        '[defaults]\na = "${var:b}"\nb = "${var:a}"',
        MONITOR,
        "mention each other in a circle: a, b",
    ),
    "a value of nobody": ('[defaults]\na = "${var:b}"', MONITOR, "no value for ${var:b}"),
}


@pytest.mark.parametrize(("settings", "body", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_gone_through_is_refused(tmp_path, settings, body, message):
    root = project(tmp_path, settings, orders={**body, "query": QUERY})
    with pytest.raises(InputError, match=re.escape(message)):
        made(root)


def test_a_threshold_that_is_false_is_left_out_with_its_recovery(tmp_path):
    thresholds = {"critical": 3, "warning": "${var:most_warning|1}", "warning_recovery": 0}
    body = {"type": "query alert", "query": QUERY, "options": {"thresholds": thresholds}}
    root = project(tmp_path, "[env.prod]\nmost_warning = false\n[env.dev]\nmost_warning = 0", orders=body)
    assert made(root, "prod")["orders"]["options"]["thresholds"] == {"critical": 3}
    assert made(root, "dev")["orders"]["options"]["thresholds"]["warning"] == 0


SCOPES = {
    "everything is left out": ("*", "{claim:paid}"),
    "one tag": ("env:prod", "{env:prod AND claim:paid}"),
    "tags with commas": ("env:prod,team:a", "{env:prod AND team:a AND claim:paid}"),
    "one of several": ("env:a OR env:b", "{(env:a OR env:b) AND claim:paid}"),
}


@pytest.mark.parametrize(("scope", "filled"), SCOPES.values(), ids=SCOPES)
def test_a_scope_in_front_of_further_tags_is_joined_with_them(scope, filled):
    body = {"query": "{${var:scope|*} AND claim:paid}"}
    assert fill_in(body, {"scope": scope})["query"] == filled
    assert fill_in(body, {})["query"] == "{claim:paid}"
