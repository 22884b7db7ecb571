"""`stepscope import`: bring the resources in files of other tools into the project."""
# ruff: noqa: N999 - the module has the name of its command

from pathlib import Path

import click

from monitoring.cli.deploying import DIRECTORY
from monitoring.cli.writing import keys_of, write_files
from monitoring.errors import InputError
from monitoring.terminal import echo


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path))
@DIRECTORY
@click.option(
    "--adopt", is_flag=True, help="The next apply takes the originals over, and makes no second ones"
)
@click.option("--force", is_flag=True, help="Overwrite files of the same name")
@click.option(
    "--json", "as_json", is_flag=True, help="Paths and bodies, as one JSON document; nothing is written"
)
def command(folders: tuple[Path, ...], root: Path, adopt: bool, force: bool, as_json: bool) -> int:
    """Read FOLDERS of other tools, and write tidy files with references by key.

    Exports and backups (a resource, a list, or objects by id), Terraform's JSON and assets of integrations
    are read. A file that is not JSON is named, the others are imported, and the exit status is 1.
    """
    from monitoring.deploy.foreign import read_foreign
    from monitoring.deploy.pull import as_files

    parts = [read_foreign(folder) for folder in folders]
    rows = [row for part in parts for row in part.resources]
    problems = [problem for part in parts for problem in part.problems]
    for problem in problems:
        echo(f"stepscope: {problem}", err=True)
    if not rows:
        names = ", ".join(map(str, folders))
        raise InputError(f"there is no dashboard, monitor, SLO or downtime in the JSON files of {names}")
    taken = {} if force else keys_of(root)
    write_files(as_files(rows, taken, adopt=adopt), root, as_json=as_json)
    others = sum(len(part.others) for part in parts)
    if others:
        echo(f"stepscope: {others} of the files hold something else and were left out", err=True)
    return 1 if problems else 0
