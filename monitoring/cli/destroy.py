"""`stepscope destroy`: delete what the project owns, and nothing else."""

from pathlib import Path

import click

from monitoring.cli.deploying import carry_out, confirmed, environment, project_options, show, tell


@click.command()
@project_options
@click.option("--yes", is_flag=True, help="Do not ask")
@click.option("--json", "as_json", is_flag=True, help="What was done and what failed, as one JSON document")
def command(root: Path, env: str, url: str, yes: bool, as_json: bool) -> int:
    """Delete every resource that carries this project's and environment's marker."""
    from monitoring.deploy.session import open_session

    session = open_session(root, env, environment(url), destroy=True)
    if not as_json:
        show(session.plan)
    if not confirmed("Delete these?", session.plan, "stepscope destroy", yes=yes):
        return 1
    return tell(carry_out(session, session.plan), as_json=as_json)
