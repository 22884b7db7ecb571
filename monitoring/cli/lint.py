"""`stepscope lint`: checks dashboards, monitors and templates offline."""

import sys
from pathlib import Path

import click

from monitoring.errors import InputError
from monitoring.terminal import echo, room

FORMATS = ("text", "json", "sarif", "github")


@click.command()
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The findings, as one JSON document: --format json.")
@click.option("--format", "style", type=click.Choice(FORMATS), default="text", help="How to report.")
@click.option("--fix", is_flag=True, help="Fix in the files what can be fixed safely.")
@click.option("--strict", is_flag=True, help="Warnings end with status 1 too.")
@click.option("--select", multiple=True, metavar="RULE", help="Only these rules.")
@click.option("--ignore", multiple=True, metavar="RULE", help="Not these rules.")
@click.option(
    "--coverage", is_flag=True, help="Every metric of Lambda and Step Functions, and where it is shown."
)
@click.option("--rules", is_flag=True, help="List the rules and leave.")
@click.option("--jobs", type=click.IntRange(1), help="Processes; default: as many as pay.")
def command(
    paths: tuple[Path, ...],
    as_json: bool,
    style: str,
    fix: bool,
    strict: bool,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    coverage: bool,
    rules: bool,
    jobs: int | None,
) -> int:
    """Check dashboards, monitors and templates, offline.

    PATHS are files and folders; without any, dashboards/, monitors/, slos/, downtimes/ and the template here.
    Templates are SAM's, CloudFormation's, serverless.yml, folders of Terraform or cdk.out, and definitions in
    Amazon States Language.

    Exit status: 0 nothing wrong, 1 an error was found (with --strict: a warning too), 2 a path or rule that
    does not exist.
    """
    from monitoring.lint import report, run

    style = "json" if as_json else style
    codes = run.selected(select, ignore)
    if rules:
        echo(report.rules_table(style))
        return 0
    files, missing = run.find(paths or run.default_paths())
    if missing and not files:
        raise InputError("there is no such file or folder", where=", ".join(map(str, missing)))
    if fix:
        fixed = run.fix(files, codes)
        echo(report.fixed_line(fixed), err=True)
    result = run.lint(files, codes, jobs)
    wrong = bool(result.errors or (strict and result.warnings))
    if coverage:
        wrong |= _covered(files, style)
    elif style == "text":
        for line in report.text_lines(result, *([room()] if sys.stdout.isatty() else [])):
            echo(*line)
        if not paths:
            _covered(files, "summary")
    else:
        echo(report.FORMATS[style](result), nl=style != "github")
    for path in missing:
        echo(f"stepscope: {path}: there is no such file or folder", err=True)
    sys.stdout.flush()
    return 2 if missing else int(wrong)


def _covered(files: list[Path], style: str) -> bool:
    """Print which metrics the files show and watch; whether one is missing."""
    from monitoring.lint import coverage

    shown = {"json": coverage.as_json, "summary": coverage.summary}.get(style, coverage.full)
    table = coverage.of_files(files)
    echo(shown(table))
    return bool(coverage.gaps(table))
