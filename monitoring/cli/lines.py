"""`stepscope lines`: checks log lines, and says of each that is wrong where, why, and what to write."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from monitoring.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command()
@click.argument("files", nargs=-1, type=click.Path(allow_dash=True))
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON, one object.")
@click.option(
    "--canonical", is_flag=True, help="Also report lines that are read, but not the canonical form."
)
def command(files: tuple[str, ...], as_json: bool, canonical: bool) -> int:
    """Check MONITORING lines and trace lines in FILES; `-` or none is standard input.

    Exits with 0 where all are well formed, 1 where some are not.
    """
    from monitoring.line_check import Findings

    findings = Findings(canonical=canonical)
    for name in files or ("-",):
        for number, line in enumerate(_lines_of(name), start=1):
            for finding in findings.look(name, number, line):
                if not as_json:
                    click.echo(finding.shown(line))
    if as_json:
        click.echo(json.dumps(findings.as_data(), ensure_ascii=False))
    else:
        click.echo(findings.summary(), err=True)
    return 1 if findings.found else 0


def _lines_of(name: str) -> Iterator[str]:
    try:
        with click.open_file(name, encoding="utf-8", errors="replace") as file:
            for line in file:
                yield line.rstrip("\r\n")
    except OSError as error:
        reason: Any = error.strerror or error
        raise InputError(
            f"cannot be read: {reason}", where=name, hint="Give a file, or - for standard input."
        ) from None
