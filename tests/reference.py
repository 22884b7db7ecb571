"""What is made from the code: the pages of commands and settings in docs/reference/, and the list of settings for hints.

python tests/reference.py             says which page is not what the code says; the exit status is 1 then
python tests/reference.py --write     writes them
"""

import argparse
import dataclasses
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from monitoring.cli.commands import COMMANDS, THEMES  # noqa: E402 - run as a script, it is found by then
from monitoring.cli.group import root  # noqa: E402
from monitoring.forwarder.settings import ForwarderSettings  # noqa: E402

MADE = "<!-- made by `python tests/reference.py --write` -->\n\n"
COMMANDS_HEAD = """# Commands

Every command ends with one of these statuses:

| status | meaning |
| --- | --- |
| 0 | fine |
| 1 | something was found: an error of lint, a test that fails, a fault that nobody notices, an execution that does not succeed |
| 2 | wrong usage or input, said in a sentence: what, where, what to do next |
| 3 | a bug; `MONITORING_DEBUG=1` shows where |
| 130 | interrupted with Ctrl-C |

`--json` prints one JSON document that begins with its `version` ([shapes](json.md)), also where the command fails. Two commands
differ: `forward` prints JSON Lines, and `query` what `/api/v1/query` answers. Results go to standard output; notes, progress and
errors to standard error. `NO_COLOR`, `TERM=dumb` and `COLUMNS` are obeyed.

The project's folder is `--project` in every command. `stepscope completion SHELL` completes commands and options
([how](../install.md#completion-in-your-shell)).
"""
SETTINGS_HEAD = """# Settings

All settings are variables of the environment; those of Datadog have Datadog's names. A value that is not allowed is reported once
on standard error by functions, and is an error (status 2) for commands. A misspelt `MONITORING_…` is named by every command.

What differs between environments (handles, thresholds) stands in `stepscope.toml`:
[dashboards and monitors as code](../deploy.md#values-for-each-environment).
"""
NAMES = ROOT / "monitoring" / "cli" / "environment.py"
COMMAND_SETTINGS = {
    "DD_API_KEY": "the API key; any where the Datadog is embedded",
    "DD_APP_KEY": "the application key, for `plan`, `apply`, `pull`, `destroy` and `backtest --fetch`",
    "DD_SITE": "the site of Datadog: `datadoghq.com`",
    "DD_URL": "an embedded Datadog instead, as `--url` names it",
    "DD_ENV": "the environment, as `--env` names it",
    "MONITORING_DEBUG": "`1`: a bug prints where it happened",
    "NO_COLOR": "not empty: no colour",
    "TERM": "`dumb`: no colour, no progress bars",
    "COLUMNS": "characters of a line",
}


def commands_page() -> str:
    """Return the help of every command, by job."""
    parts = [COMMANDS_HEAD]
    for job, names in THEMES.items():
        parts.append(f"\n## {job}\n")
        for name in names:
            parts.append(f"\n### stepscope {name}\n\nInstall `stepscope[{COMMANDS[name][0]}]`.\n")
            parts.append(f"\n```text\n{help_of(name)}\n```\n")
    return "".join(parts)


def help_of(name: str) -> str:
    """Return the help of a command, and of the commands below it, at 100 characters."""
    context = click.Context(root, info_name="stepscope", terminal_width=100)
    command = root.get_command(context, name)
    assert command is not None, name
    below = click.Context(command, info_name=name, parent=context, terminal_width=100)
    texts = [command.get_help(below)]
    for child, inner in getattr(command, "commands", {}).items():
        texts.append(inner.get_help(click.Context(inner, info_name=child, parent=below, terminal_width=100)))
    return "\n\n".join(line.rstrip() for text in texts for line in [text]).replace(" \n", "\n")


def settings_page() -> str:
    """Return the settings of functions, of the forwarder and of the commands."""
    functions = (ROOT / "docs" / "functions.md").read_text(encoding="utf-8")
    table = re.search(r"^\| variable \|.*?\n\n", functions, re.MULTILINE | re.DOTALL)
    assert table is not None, "docs/functions.md has no table of settings"
    forwarder = [
        f"| `{field.metadata['name']}` | {shown(field.default)} | {field.metadata['meaning']} |"
        for field in dataclasses.fields(ForwarderSettings)
    ]
    commands = [f"| `{name}` | {meaning} |" for name, meaning in COMMAND_SETTINGS.items()]
    sections = (
        ("In a function", "[More](../functions.md#settings).\n\n" + table[0].rstrip()),
        (
            "In the forwarder",
            "[More](../forwarder.md).\n\n| variable | without it | meaning |\n| --- | --- | --- |\n"
            + "\n".join(forwarder),
        ),
        ("For commands", "| variable | meaning |\n| --- | --- |\n" + "\n".join(commands)),
    )
    return SETTINGS_HEAD + "".join(f"\n## {title}\n\n{text}\n" for title, text in sections)


def widgets_page() -> str:
    """Return every widget type: how it is drawn, or why it is not."""
    from monitoring.preview.widgets import LISTINGS, PLACEHOLDERS, WIDGETS

    rows = [f"| `{name}` | drawn |" for name in WIDGETS if name not in {*LISTINGS, *PLACEHOLDERS}]
    rows += [f"| `{name}` | drawn, a table on a page |" for name in LISTINGS]
    rows += [
        f"| `{name}` | a note in its place. {reason} |" if reason else f"| `{name}` | drawn |"
        for name, reason in PLACEHOLDERS.items()
    ]
    head = "# Widgets\n\nWhat `stepscope preview` and the pages of `stepscope serve` do with each type of widget ([more](../preview.md)).\n"
    return head + "\n| type | here |\n| --- | --- |\n" + "\n".join(sorted(rows)) + "\n"


METRICS_HEAD = """# Metrics

Every metric with its type, unit and tags. The forwarder submits counts, histograms and distributions as distributions, unless
`MONITORING_METRICS=native` is set; ask a count for its `sum`.

## Of a function

`@monitored` prints them ([how they are meant](../metrics.md)). All but the last also carry {call_tags}.

"""
FORWARDER_HEAD = """
## Of the forwarder

Made from Lambda's lines, from Step Functions' events and from its own work ([more](../forwarder-metrics.md)). Each also carries the tags
of what it is made from, where the line or event gives them, and `DD_TAGS` of the forwarder:

"""
AWS_HEAD = """
## Of AWS

What Datadog's integration brings of Lambda and Step Functions; `stepscope lint` knows them. Tags of the AWS resource come on top; where
the column is empty, Datadog's documentation names none.

"""


def metrics_page() -> str:
    """Return the metrics of functions, of the forwarder and of AWS, with types, units and tags."""
    from monitoring.log_events import names
    from monitoring.resources import catalogue, function_metrics

    own = [
        (metric.name, metric.type, metric.unit, metric.meaning, ticked(metric.tags))
        for metric in function_metrics.METRICS
    ]
    families = [(family, ticked(tags)) for family, tags in names.FAMILY_TAGS.items()]
    forwarded = [
        (metric.name, metric.type, metric.unit, metric.family, metric.meaning, ticked(metric.tags))
        for metric in names.METRICS
    ]
    aws = [
        (row.name, row.type, row.unit, f"{row.cloudwatch_metric} {row.statistic}".strip(), ticked(row.tags))
        for row in catalogue.rows()
        if row.name and row.name not in {metric.name for metric in names.METRICS}
    ]
    return "".join(
        (
            METRICS_HEAD.format(call_tags=ticked(function_metrics.CALL_TAGS)),
            table(("metric", "type", "unit", "what it is", "tags of its own"), own),
            FORWARDER_HEAD,
            table(("made from", "tags"), families),
            "\n",
            table(("metric", "type", "unit", "made from", "what it says", "tags of its own"), forwarded),
            AWS_HEAD,
            table(("metric", "type", "unit", "CloudWatch", "tags"), aws),
        )
    )


def ticked(names: Sequence[str]) -> str:
    """Return names as code, with commas."""
    return ", ".join(f"`{name}`" for name in names)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a metric's name in the first column is code."""
    cells = [(f"`{row[0]}`" if "." in row[0] else row[0], *row[1:]) for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *cells)) + "\n"


def addresses_page() -> str:
    """Return the address of every page of `serve` and `up`, with what it shows."""
    from monitoring.serve.pages.routes import PAGES as ROUTES

    texts = (
        (address, (make.__doc__ or "").splitlines()[0].removeprefix("Return ")) for address, make in ROUTES
    )
    rows = [f"| `{address}` | {text[:1].upper()}{text[1:]} |" for address, text in texts]
    head = "# Pages\n\nThe pages of `stepscope serve` and `stepscope up` ([more](../local-datadog.md#the-pages)). `up` also has `/run`.\n"
    return head + "\n| address | what it shows |\n| --- | --- |\n" + "\n".join(rows) + "\n"


def shown(default: object) -> str:
    """Return a default as the environment has it."""
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default in ("", (), None) else str(getattr(default, "value", default))


def relinked(text: str) -> str:
    """Return text of a page of docs/ with its links as a page of docs/reference/ has them."""
    return re.sub(r"\]\((?!\.\./|https?:|#|json\.md)([\w-]+\.md)", r"](../\1", text)


PAGES = {
    "commands.md": commands_page,
    "metrics.md": metrics_page,
    "pages.md": addresses_page,
    "settings.md": settings_page,
    "widgets.md": widgets_page,
}


def stale() -> list[Path]:
    """Return the pages that are not what the code says."""
    return [path for path, text in made().items() if not path.exists() or path.read_text("utf-8") != text]


def made() -> dict[Path, str]:
    """Return the pages as the code says."""
    folder = ROOT / "docs" / "reference"
    pages = {folder / name: MADE + relinked(make()) for name, make in PAGES.items()}
    return {**pages, NAMES: names_module()}


def names_module() -> str:
    """Return the module that lists every variable `MONITORING_…` that the code reads."""
    texts = (path.read_text("utf-8") for path in (ROOT / "monitoring").rglob("*.py") if path != NAMES)
    names = sorted(
        {name for text in texts for name in re.findall(r"""["'](MONITORING_[A-Z_]*[A-Z])["']""", text)}
    )
    rows = "".join(f'    "{name}",\n' for name in names)
    return (
        '"""The settings of the package that the environment may hold, for the hint about a misspelt one."""\n\n'
        f"SETTINGS = (\n{rows})\n"
        '"""Every variable `MONITORING_…` that the code reads: `python tests/reference.py --write`."""\n'
    )


def main() -> int:
    """Write the pages, or say which differ."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        for path, text in made().items():
            path.write_text(text, encoding="utf-8")
        return 0
    for path in stale():
        print(f"{path.relative_to(ROOT)}: run python tests/reference.py --write")
    return 1 if stale() else 0


if __name__ == "__main__":
    sys.exit(main())
