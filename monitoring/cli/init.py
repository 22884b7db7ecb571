"""`stepscope init`: dashboards and monitors for a project of one's own."""

from pathlib import Path

import click

from monitoring.cli.output import counted, echo_document
from monitoring.cli.project_option import project_option


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
@project_option()
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True),
    help="template.yaml, serverless.yml, a cdk.out folder or a state machine's definition",
)
@click.option("--downtimes", is_flag=True, help="Also a nightly maintenance window, in downtimes/")
@click.option("--handlers", is_flag=True, help="Also the example's handlers, in handlers/")
@click.option("--force", is_flag=True, help="Write edited files of an earlier init anew")
@click.option("--json", "as_json", is_flag=True, help="What was found and written, as one JSON document")
def command(
    folder: Path | None,
    root: Path,
    source: Path | None,
    downtimes: bool,
    handlers: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Put dashboards/, monitors/, slos/ and stepscope.toml into the project's folder (--project, or FOLDER).

    With --from, dashboard, monitors and SLO are made for exactly the functions and state machines that the
    template describes, and thresholds come from it: a function's duration against its own time-out.

    Run again, it adds what is new and updates what is as it wrote it. A file that was edited stays, and one
    that it did not write always does. .stepscope-init.json says what it wrote.
    """
    from dataclasses import asdict

    from monitoring.deploy.start import files_of, write
    from monitoring.discovery import discover

    folder = folder or root
    project = folder.resolve().name or "stepscope"
    project = "".join(char if char.isalnum() or char in "-_." else "-" for char in project)
    application = discover(source) if source else None
    extra = [name for name, asked in (("downtimes", downtimes), ("handlers", handlers)) if asked]
    done = write(files_of(application, project, extra), folder, force=force)
    if as_json:
        echo_document({"found": asdict(application) if application else None, **done._asdict()})
        return 0
    if application:
        functions = counted(len(application.functions), "function")
        machines = counted(len(application.state_machines), "state machine")
        click.echo(f"{source} describes {functions} and {machines}.")
        if application.unnamed:
            names = ", ".join(application.unnamed)
            click.echo(f"Named only when they are deployed, so nothing watches them: {names}", err=True)
    click.echo(f"Wrote {counted(len(done.written), 'file')} into {folder.resolve()}")
    if done.kept:
        click.echo(f"Left as they are, edited, deleted or not written by init: {', '.join(done.kept)}")
    if done.gone:
        click.echo(f"No longer written, delete what you do not need: {', '.join(done.gone)}")
    click.echo("Next: stepscope lint, stepscope test, stepscope preview, stepscope plan.")
    return 0
