"""The pages on monitor tests: their examples run, and their tables say what the code knows."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from monitoring.monitor.switches import Switches
from monitoring.monitor.template import CONDITIONALS
from monitoring.query import Switches as QuerySwitches
from monitoring.testing import explain, loads, run_case
from monitoring.testing.expectations import _KEYS
from monitoring.testing.loader import CASE_KEYS
from monitoring.testing.notation import parse_values

DOCS = Path(__file__).parents[2] / "docs"
TESTS = (DOCS / "monitor-tests.md").read_text()
SEMANTICS = (DOCS / "monitor-semantics.md").read_text()
BODY = json.loads(re.search(r"```json\n(.*?)```", TESTS, re.DOTALL)[1])


@pytest.mark.parametrize(
    "part", ["start: 2026-03-01T00:00:00Z\nseries:", "start: 2026-03-01T00:00:00Z\ntests:"]
)
def test_the_examples_of_the_page_pass(tmp_path, part):
    (tmp_path / "failed-executions.json").write_text(json.dumps(BODY))
    (example,) = (text for text in re.findall(r"```yaml\n(.*?)```", TESTS, re.DOTALL) if part in text)
    for case in loads(example, key="failed-executions"):
        assert explain(run_case(case, tmp_path)) == ""


def test_every_key_of_a_case_and_every_expectation_is_on_the_page():
    assert [key for key in CASE_KEYS if f"`{key}`" not in TESTS and f"{key}:" not in TESTS] == []
    assert [key for key in _KEYS if key not in TESTS] == []


def test_the_notation_on_the_page_can_be_read():
    page = TESTS.replace("0*10 1", "0x10 1")  # the mistake of an example
    for text in re.findall(r"values: ([^\n}\]]+)", page):
        assert parse_values(text.split("  #")[0])


def test_every_switch_of_monitors_and_every_conditional_is_on_the_page():
    own = {field.name for field in fields(Switches)} - {field.name for field in fields(QuerySwitches)}
    assert [name for name in own if f"`{name}`" not in SEMANTICS] == []
    assert [name for name in CONDITIONALS if name not in SEMANTICS] == []
