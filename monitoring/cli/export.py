"""`stepscope export`: the same definitions for another tool."""

from pathlib import Path

import click

from monitoring.cli.deploying import DIRECTORY, ENVIRONMENT
from monitoring.errors import writing
from monitoring.terminal import echo


@click.group()
def command() -> None:
    """Write the project's resources for another tool."""


@command.command()
@DIRECTORY
@ENVIRONMENT
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The file to write [stdout]")
def terraform(root: Path, env: str, out: Path | None) -> int:
    """Write Terraform configuration; references between resources are kept."""
    from monitoring.deploy.references import order
    from monitoring.deploy.terraform import as_terraform
    from monitoring.resources.project import load_project, load_resources

    resources = load_resources(load_project(root, env))
    order({(resource.kind, resource.key): resource.body for resource in resources})
    text = as_terraform(resources)
    if out:
        with writing(out):
            out.write_text(text, encoding="utf-8")
    else:
        echo(text, nl=False)
    return 0
