"""The page of the embedded Datadog is checked against what it describes."""

import re
from pathlib import Path

import click
from starlette.routing import Route

from monitoring.cli.serve import command
from monitoring.local_datadog import create_app, rate_limits
from monitoring.store import Store

PAGE = (Path(__file__).parents[2] / "docs" / "local-datadog.md").read_text()


QUIET = {"--port", "--database", "--db", "--address", "--project", "--dir"}


def test_every_option_of_the_page_is_one_of_the_command_and_every_option_that_changes_an_answer_is_told():
    options = {name for option in command.params if isinstance(option, click.Option) for name in option.opts}
    assert set(re.findall(r"--[a-z][a-z-]+", PAGE)) - {"--config"} <= options
    assert options - set(re.findall(r"--[a-z][a-z-]+", PAGE)) <= QUIET


def test_every_route_of_the_page_is_served_and_every_route_is_told():
    with Store.open() as store:
        paths = {route.path for route in create_app(store).routes if isinstance(route, Route)}
    told = set(re.findall(r"/api/v[0-9.]+/[a-z0-9_/-]+[a-z]|/v1/input", PAGE))
    stems = {path.partition("/{")[0] for path in paths}
    for path in told:
        assert any(stem == path or stem.startswith(path) for stem in stems), path
    families = {re.match(r"/(api/v[0-9.]+/[a-z_]+|v1/input|status)", path)[0] for path in paths}
    untold = {family for family in families if family not in PAGE}
    assert untold == {"/api/v2/dashboard"}  # what newer clients ask beside v1


def test_the_rate_limit_of_the_page_can_be_read():
    assert "post_monitors=5/10" in PAGE
    assert rate_limits.read(("post_monitors=5/10",))["post_monitors"].requests == 5
