"""The pages about queries say what the code does."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitoring.cli.group import root
from monitoring.query import FUNCTIONS, MODIFIERS, QueryError, Switches, format, parse, parse_monitor  # noqa: A004

DOCS = Path(__file__).parents[2] / "docs"
SHORT = re.compile(r"(top|bottom)\d+")


@pytest.fixture(scope="module")
def functions():
    return (DOCS / "query-functions.md").read_text().splitlines()


def test_every_function_is_listed_as_it_is(functions):
    listed = {line for line in functions if line.startswith("| `") and line.count(" | ") == 3}
    for function in FUNCTIONS.values():
        if SHORT.match(function.name):
            continue
        row = f"| `{function.usage()}` | {function.summary} | {function.exactness} | {function.source} |"
        assert row in listed
        listed.discard(row)
    assert [line for line in listed if "`top5(query)` … `bottom20_l2norm(query)`" not in line] == []


def test_every_modifier_is_listed_as_it_is(functions):
    for modifier in MODIFIERS.values():
        assert f"| `{modifier.usage}` | {modifier.summary} | {modifier.source} |" in functions


def test_every_switch_is_listed_with_its_default():
    page = (DOCS / "query.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", page.partition("leave open")[2], re.MULTILINE))
    assert list(rows) == [field.name for field in fields(Switches)]
    for name, values in rows.items():
        default = getattr(Switches(), name)
        written = {None: "none", True: "true", False: "false"}.get(default, str(default))
        assert f"**{written}**" in values, name


def test_every_option_of_the_command_is_listed():
    page = (DOCS / "query.md").read_text()
    shown = CliRunner().invoke(root, ["query", "--help"]).output
    options = set(re.findall(r"--[a-z-]+", shown)) - {"--help"}
    assert options
    assert all(f"`{option}" in page or f"{option} " in page for option in options)


def test_queries_of_the_pages_can_be_read():
    page = (DOCS / "query.md").read_text()
    for text in re.findall(r'parse\("(.*?)"\)', page):
        assert parse(format(parse(text))) == parse(text)
    for text in re.findall(r'parse_monitor\("(.*?)"\)', page):
        assert parse_monitor(text).threshold == 90
    with pytest.raises(QueryError) as refused:
        parse("default_zeros(avg:m{*})")
    assert str(refused.value) in page.replace("stepscope: ", "")
