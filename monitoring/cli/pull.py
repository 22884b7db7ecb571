"""`stepscope pull`: bring a dashboard or monitor from Datadog into a file."""

from pathlib import Path

import click

from monitoring.cli.deploying import echo_json, environment, project_options
from monitoring.errors import writing


@click.command()
@click.argument("wanted", nargs=-1, required=True)
@project_options
@click.option("--adopt", is_flag=True, help="The next apply takes the original over, and makes no second one")
@click.option("--force", is_flag=True, help="Overwrite a file of that name")
@click.option("--json", "as_json", is_flag=True, help="Names and bodies as data; nothing is written")
def command(
    wanted: tuple[str, ...], root: Path, env: str, url: str, adopt: bool, force: bool, as_json: bool
) -> int:
    """Write dashboards, monitors, SLOs, downtimes into files: by id, address of their page, or title."""
    import json

    from monitoring.deploy.pull import Pulled, as_file, find
    from monitoring.deploy.session import connect

    client = connect(environment(url))
    found = {(kind, id_): body for text in wanted for kind, id_, body in find(client, text)}
    pulled: list[Pulled] = []
    for (kind, id_), body in found.items():
        taken = [Path(one.path).stem for one in pulled]
        taken += [] if force else [path.stem for path in (root / f"{kind}s").glob("*.json")]
        pulled.append(as_file(kind, body, id_ if adopt else "", taken))
    if as_json:
        echo_json([{"path": one.path, "body": json.loads(one.text)} for one in pulled])
        return 0
    for one in pulled:
        path = root / one.path
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(one.text, encoding="utf-8")
        click.echo(f"wrote {path}")
    return 0
