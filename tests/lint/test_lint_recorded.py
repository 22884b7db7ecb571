"""Lint compares the project's own metrics with its catalogue, and says nothing where there is none."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitoring.cli.lint import command
from monitoring.lint.engine import lint_file
from monitoring.resources.own_metrics import FILE

RULES = frozenset({"unknown-metric", "unknown-tag", "many-groups"})
CATALOGUE = """
common_tags = ["squad"]
[metrics."shop.orders"]
type = "count"
tags = {"region" = 3, "customer" = 101, "shelf" = 100}
[metrics."shop.seconds"]
type = "histogram"
[metrics."claims.broken"]
type = "count"
tags = {"claim" = 2}
"""


def monitor(query: str) -> tuple[str, dict]:
    options = {"thresholds": {"critical": 5}}
    body = {"name": "a", "type": "query alert", "query": f"sum(last_5m):{query} > 5", "message": "@a"}
    return "monitors", {**body, "options": options}


def board(query: str) -> tuple[str, dict]:
    widget = {"definition": {"type": "timeseries", "requests": [{"q": query}]}}
    rows = [
        {"name": "shop", "prefix": "region", "defaults": ["*"]},
        {"name": "bad", "prefix": "regoin", "defaults": ["*"]},
    ]
    return "dashboards", {
        "title": "a",
        "layout_type": "ordered",
        "template_variables": rows,
        "widgets": [widget],
    }


def objective(query: str) -> tuple[str, dict]:
    thresholds = [{"timeframe": "7d", "target": 99}]
    numbers = {"numerator": query, "denominator": "sum:shop.orders{*}.as_count()"}
    return "slos", {"name": "a", "type": "metric", "query": numbers, "thresholds": thresholds}


def said(folder: Path, made: tuple[str, dict], catalogue: str = CATALOGUE) -> list[str]:
    kind, body = made
    if catalogue:
        (folder / FILE).write_text(catalogue)
    path = folder / kind / "a.json"
    path.parent.mkdir()
    path.write_text(json.dumps(body, indent=2))
    findings = lint_file(str(path), RULES).findings
    lines = path.read_text().splitlines()
    for finding in findings:
        word = lines[finding.line - 1][finding.column - 1 : finding.end_column - 1]
        assert word.removeprefix("$") in f"{finding.message} bad", finding
    return [finding.message for finding in findings]


WRONG = {
    "sum:shop.orderz{*}": "nothing here emits shop.orderz. Did you mean shop.orders?",
    "sum:sohp.orders{*}": "nothing here emits sohp.orders. Did you mean shop.orders?",
    "sum:shop.refunds{*}": f"nothing here emits shop.refunds. {FILE} has what tests and stepscope up have seen",
    "sum:claims.brokn{*}": "nothing here emits claims.brokn. Did you mean claims.broken?",
    "sum:stepscope.error{*}": "nothing here emits stepscope.error. Did you mean stepscope.errors?",
    "sum:shop.orders{regoin:eu}": "no point of shop.orders carries the tag regoin. Did you mean region?",
    "sum:shop.orders{!regoin:eu}": "no point of shop.orders carries the tag regoin. Did you mean region?",
    "sum:shop.orders{*} by {regoin}": "no point of shop.orders carries the tag regoin. Did you mean region?",
    "sum:shop.orders{colour:red}": "no point of shop.orders carries the tag colour. "
    "They carry customer, region, shelf, squad",
    "sum:shop.orders{region:eu} by {customer}": "the tag customer of shop.orders has had 101 values, each a group "
    "of its own. Group by another tag, and put customer on a span",
}
RIGHT = (
    "sum:shop.orders{region:eu,env:prod,functionname:pay} by {region,statemachine,state}",
    "sum:shop.orders{squad:a} by {shelf}",
    "sum:shop.orders{customer:7}",
    "p95:shop.seconds{service:x} by {version}",
    "sum:claims.verified{claim:a}",
    "sum:stepscope.errors{*} by {error_type}",
    "avg:redis.mem.used{role:main} by {shard}",
    "sum:aws.sqs.number_of_messages_sent{queuename:a}",
)


@pytest.mark.parametrize("form", [monitor, board, objective])
@pytest.mark.parametrize("query", WRONG)
def test_what_no_point_has_is_found_at_its_place(tmp_path: Path, query: str, form):
    assert said(tmp_path, form(f"{query}.as_count()")) == [WRONG[query]]


@pytest.mark.parametrize("query", RIGHT)
def test_what_points_have_is_right(tmp_path: Path, query: str):
    assert said(tmp_path, board(query)) == []


@pytest.mark.parametrize("query", WRONG)
def test_without_a_catalogue_nothing_is_said(tmp_path: Path, query: str):
    assert said(tmp_path, board(query), catalogue="") == []


def test_a_template_variable_is_its_tag(tmp_path: Path):
    wanted = ["no point of shop.orders carries the tag regoin. Did you mean region?"]
    assert said(tmp_path, board("sum:shop.orders{$shop,$bad}")) == wanted


def test_a_catalogue_of_1000_values_says_that_there_may_be_more(tmp_path: Path):
    text = CATALOGUE.replace("101", "1000")
    assert "has had 1000 or more values" in said(tmp_path, board("sum:shop.orders{*} by {customer}"), text)[0]


def test_a_catalogue_that_cannot_be_read_ends_lint(tmp_path: Path):
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "dashboards" / "a.json").write_text(json.dumps(board("sum:shop.orders{*}")[1]))
    (tmp_path / FILE).write_text("[metrics")
    done = CliRunner().invoke(command, [str(tmp_path)], standalone_mode=False)
    assert "stepscope.metrics.toml:1:9: not valid TOML" in str(done.exception)
