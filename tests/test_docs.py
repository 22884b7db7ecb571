"""The documentation says what there is: commands, settings, links and workflows."""

import re
import tomllib
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from monitoring.cli import COMMANDS
from monitoring.cli.group import root
from monitoring.drill.faults import ALL
from monitoring.lint.rules import modules
from monitoring.log_events import names as forwarder_metrics
from monitoring.preview.widgets import LISTINGS, WIDGETS
from monitoring.query.functions import FUNCTIONS
from monitoring.resources import function_metrics
from monitoring.serve.pages import routes

pytestmark = pytest.mark.checkout
ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = "\n".join(page.read_text() for page in PAGES)
SETTING = re.compile(r"""["'](MONITORING_[A-Z_]+|DD_[A-Z_]+)["']""")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_documented_and_helps(name):
    assert f"stepscope {name}" in TEXT
    shown = CliRunner().invoke(root, [name, "--help"])
    assert shown.exit_code == 0
    assert "Usage:" in shown.output


def test_no_command_is_documented_that_does_not_exist():
    named = set(re.findall(r"^(?:\$ )?stepscope ([a-z-]+)", TEXT, re.MULTILINE))
    assert named <= set(COMMANDS), named - set(COMMANDS)


def test_every_setting_that_the_code_reads_is_documented():
    read = {
        name for path in (ROOT / "monitoring").rglob("*.py") for name in SETTING.findall(path.read_text())
    }
    missing = {name for name in read if name not in TEXT and not name.endswith("_")}
    assert missing == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page):
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text())
    broken = [link for link in links if not (page.parent / link).exists()]
    assert broken == []


@pytest.mark.parametrize("path", sorted((ROOT / "deploy" / "ci").glob("*.yml")), ids=lambda path: path.name)
def test_the_workflows_call_commands_with_options_that_exist(path):
    text = path.read_text()
    yaml.safe_load(text)
    calls = re.findall(r"stepscope ([a-z]+)((?: --?[a-z-]+(?: [^\s>-]\S*)?)*)", text)
    assert {name for name, _ in calls} >= {"lint", "test", "preview", "plan", "apply"}
    for name, rest in calls:
        shown = CliRunner().invoke(root, [name, "--help"]).output
        for option in re.findall(r"--[a-z-]+", rest):
            assert option in shown, (name, option)


def test_what_is_counted_in_the_readme_is_what_there_is():
    counts = {
        r"\[(\d+) monitors\]": len(list((ROOT / "monitors").glob("*.json"))),
        r"\[(\d+) rules\]": len(modules()),
        r"\[(\w+) dashboards\]": len(list((ROOT / "dashboards").glob("*.json"))),
    }
    words = {"five": "5", "six": "6", "seven": "7", "eight": "8"}
    for pattern, number in counts.items():
        (found,) = re.findall(pattern, PAGES[0].read_text())
        assert words.get(found.lower(), found) == str(number), pattern


def headings(page):
    """Return the anchors of a page's headings, as the repository's host and the site make them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = (
        re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        for title in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    )
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_anchor_is_a_heading(page):
    links = re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)#([^)\s]+)\)", page.read_text())
    targets = [((page.parent / path) if path else page, anchor) for path, anchor in links]
    broken = [f"{path.name}#{anchor}" for path, anchor in targets if anchor not in headings(path)]
    assert broken == []


def options(command, name):
    """The options of a command and of those below it that its help shows: (command, option)."""
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            yield name, next((text for text in option.opts if text.startswith("--")), option.opts[0])
    for child, inner in getattr(command, "commands", {}).items():
        yield from options(inner, f"{name} {child}")


LISTED = {
    "options": lambda: [
        f"{option}"
        for name in COMMANDS
        for _, option in options(root.get_command(click.Context(root), name), name)
    ],
    "metrics of a call": lambda: [f"`{metric.name}`" for metric in function_metrics.METRICS],
    "metrics of the forwarder": lambda: [metric.name for metric in forwarder_metrics.METRICS],
    "rules of lint": lambda: [f"lint/{rule}.md" for rule in modules()],
    "query functions": lambda: [
        name
        for name in FUNCTIONS
        if not re.match(r"(top|bottom)\d+(_|$)", name)  # listed as a pattern
    ],
    "widgets": lambda: [f"`{name}`" for name in {**WIDGETS, **LISTINGS}],
    "faults of the drill": lambda: [f"| {fault.name} |" for fault in ALL],
    "pages": lambda: [f"`{path.partition('{')[0].rstrip('/') or '/'}" for path, _ in routes.PAGES],
}


@pytest.mark.parametrize("kind", LISTED)
def test_what_the_code_has_is_listed(kind):
    missing = [name for name in LISTED[kind]() if name not in TEXT]
    assert missing == []


def test_every_command_is_listed_with_the_extra_that_it_needs():
    rows = re.findall(
        r"^\| `\[(\w+)\]` \| (.*) \|$", (ROOT / "docs" / "install.md").read_text(), re.MULTILINE
    )
    listed = {extra: re.findall(r"`([a-z]+)`", commands) for extra, commands in rows}
    assert {name: name in listed[extra] for name, (extra, _) in COMMANDS.items()} == dict.fromkeys(
        COMMANDS, True
    )


def test_the_readme_is_short():
    assert len(PAGES[0].read_text().splitlines()) < 150


def pages_of(navigation):
    """The paths in the navigation of zensical.toml: a list of one-key tables, of a path or a list again."""
    for entry in navigation:
        for target in entry.values():
            yield from [target] if isinstance(target, str) else pages_of(target)


def test_every_page_is_in_the_navigation_of_the_site_once():
    """The pages of the lint rules are reached from the table of rules; package.md is the text of the package index."""
    listed = list(pages_of(tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]))
    docs = ROOT / "docs"
    pages = {str(path.relative_to(docs)) for path in docs.rglob("*.md") if path.parent.name != "lint"}
    assert sorted(listed) == sorted(pages - {"package.md"})
