"""`stepscope destroy`: delete what the project owns, and nothing else."""

import sys
from pathlib import Path

import click

from monitoring.cli.deploying import carry_out, confirmed, environment, project_options, show, tell
from monitoring.errors import InputError


@click.command()
@project_options
@click.option("--yes", is_flag=True, help="Do not ask")
@click.option("--json", "as_json", is_flag=True, help="What was done and what failed, as data")
def command(root: Path, env: str, url: str, yes: bool, as_json: bool) -> int:
    """Delete every resource that carries this project's and environment's marker."""
    from monitoring.deploy.session import open_session

    session = open_session(root, env, environment(url), destroy=True)
    if not as_json:
        show(session.plan)
    doomed = len(session.plan.delete)
    if doomed and not yes and not sys.stdin.isatty():
        raise InputError(f"{doomed} resources would be deleted", hint="If intended: stepscope destroy --yes")
    if doomed and not confirmed("Delete these?", yes=yes):
        return 1
    return tell(carry_out(session, session.plan), as_json=as_json)
