"""`stepscope apply`: make Datadog what the files say."""

from pathlib import Path

import click

from monitoring.cli.deploying import carry_out, confirmed, environment, project_options, show, tell


@click.command()
@click.argument("saved", required=False, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@project_options
@click.option("--yes", is_flag=True, help="Do not ask; needed where standard input is not a terminal")
@click.option(
    "--allow-deletes", default=0, metavar="N", help="Let up to N resources be deleted, however many"
)
@click.option("--json", "as_json", is_flag=True, help="What was done and what failed, as one JSON document")
def command(
    saved: Path | None, root: Path, env: str, url: str, yes: bool, allow_deletes: int, as_json: bool
) -> int:
    """Create, update and delete until Datadog is what the files say.

    With SAVED, a file of `stepscope plan --out`, fails if the plan has changed since SAVED was written.
    """
    from monitoring.deploy.refusal import refuse_mass_deletes, refuse_twins
    from monitoring.deploy.saved import insist, read
    from monitoring.deploy.session import open_session

    wanted = read(saved) if saved else None
    session = open_session(root, env or (wanted or {}).get("env", ""), environment(url))
    if saved and wanted:
        insist(wanted, session.plan, saved)
    refuse_mass_deletes(session.plan, "stepscope apply", allow_deletes)
    refuse_twins(session.twins)
    if not as_json:
        show(session.plan)
    if not confirmed("Apply this?", session.plan, "stepscope apply", yes=yes or saved is not None):
        return 1
    return tell(carry_out(session, session.plan), as_json=as_json)
