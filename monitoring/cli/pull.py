"""`stepscope pull`: bring a dashboard or monitor from Datadog into a file."""

from pathlib import Path

import click

from monitoring.cli.deploying import environment, project_options
from monitoring.cli.writing import keys_of, write_files
from monitoring.errors import InputError


@click.command()
@click.argument("wanted", nargs=-1)
@project_options
@click.option("--all", "everything", is_flag=True, help="Everything that there is")
@click.option("--adopt", is_flag=True, help="The next apply takes the original over, and makes no second one")
@click.option("--force", is_flag=True, help="Overwrite a file of that name")
@click.option(
    "--json", "as_json", is_flag=True, help="Paths and bodies, as one JSON document; nothing is written"
)
def command(
    wanted: tuple[str, ...],
    root: Path,
    env: str,
    url: str,
    everything: bool,
    adopt: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Write dashboards, monitors, SLOs, downtimes into files: by id, address of their page, or title.

    What is pulled together refers to one another by key.
    """
    from monitoring.deploy import pull
    from monitoring.deploy.session import connect

    if bool(wanted) == everything:
        raise InputError("name what to pull, or write --all", hint="stepscope pull --all")
    client = connect(environment(url))
    rows = (
        pull.everything(client) if everything else [row for text in wanted for row in pull.find(client, text)]
    )
    resources = {(kind, id_): (kind, id_, body) for kind, id_, body in rows}
    taken = {} if force else keys_of(root)
    write_files(pull.as_files(resources.values(), taken, adopt=adopt), root, as_json=as_json)
    return 0
