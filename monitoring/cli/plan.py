"""`stepscope plan`: what an apply would do."""

from pathlib import Path

import click

from monitoring.cli.deploying import environment, project_options, show
from monitoring.cli.output import echo_document
from monitoring.terminal import echo


@click.command()
@project_options
@click.option(
    "--json", "as_json", is_flag=True, help="create, update, delete, unchanged, as one JSON document"
)
@click.option("--markdown", is_flag=True, help="For a pull request")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Save it for `stepscope apply FILE`"
)
@click.option("--check", is_flag=True, help="Exit with 1 if there is anything to do: drift, on a schedule")
def command(
    root: Path, env: str, url: str, as_json: bool, markdown: bool, out: Path | None, check: bool
) -> int:
    """Show what an apply would create, update and delete."""
    from monitoring.deploy.plan_report import as_data, as_markdown
    from monitoring.deploy.saved import save
    from monitoring.deploy.session import open_session

    session = open_session(root, env, environment(url))
    plan = session.plan
    for twin in session.twins:
        echo(f"stepscope: warning: {twin}", err=True)
    if out:
        save(plan, out, session.project.name, session.project.env)
    if as_json:
        echo_document(as_data(plan))
    elif markdown:
        echo(as_markdown(plan), nl=False)
    else:
        show(plan)
    return 1 if check and plan.steps else 0
