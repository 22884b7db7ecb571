"""`stepscope init`: dashboards and monitors for a project of one's own."""

from pathlib import Path

import click

from monitoring.cli.output import counted, echo_document
from monitoring.cli.project_option import project_option
from monitoring.terminal import echo


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
@project_option()
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True),
    help="Your template or its folder: SAM, CloudFormation, serverless.yml, Terraform, cdk.out, definitions",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="DB",
    help="With --from: thresholds of durations from what this database measured",
)
@click.option("--downtimes", is_flag=True, help="Also a nightly maintenance window, in downtimes/")
@click.option("--handlers", is_flag=True, help="Also the example's handlers, in handlers/")
@click.option("--force", is_flag=True, help="Write edited files of an earlier init anew")
@click.option("--json", "as_json", is_flag=True, help="What was found and written, as one JSON document")
def command(
    folder: Path | None,
    root: Path,
    source: Path | None,
    data: Path | None,
    downtimes: bool,
    handlers: bool,
    force: bool,
    as_json: bool,
) -> int:
    """Put dashboards/, monitors/, slos/ and stepscope.toml into the project's folder (--project, or FOLDER).

    With --from, monitors and SLOs are made for exactly the functions and state machines that the template
    describes, one file for all of a kind: application.toml lists them, with thresholds from the template
    (time-outs, memory) and from --data. Dashboards show these resources alone. Where stepscope.metrics.toml
    lists the metrics that the handlers emit, claims and counts get monitors too, and each metric a graph.

    Run again, it adds what is new and updates what is as it wrote it. A file that was edited stays, and one
    that it did not write always does. .stepscope-init.json says what it wrote.
    """
    from dataclasses import asdict

    from monitoring.deploy.measured import read_measured
    from monitoring.deploy.start import files_of, write
    from monitoring.discovery.source import discover
    from monitoring.errors import InputError
    from monitoring.resources.own_metrics import catalogue_path, read_own_metrics

    if data and not source:
        raise InputError("--data is for thresholds of --from", hint="Name the template: --from template.yaml")

    folder = folder or root
    project = folder.resolve().name or "stepscope"
    project = "".join(char if char.isalnum() or char in "-_." else "-" for char in project)
    application = discover(source) if source else None
    extra = [name for name, asked in (("downtimes", downtimes), ("handlers", handlers)) if asked]
    measured = read_measured(data) if data else None
    own = read_own_metrics(catalogue_path(folder.resolve())) if source else None
    done = write(files_of(application, project, extra, measured, own), folder, force=force)
    if as_json:
        echo_document({"found": asdict(application) if application else None, **done._asdict()})
        return 0
    if application:
        functions = counted(len(application.functions), "function")
        machines = counted(len(application.state_machines), "state machine")
        echo(f"{source} describes {functions} and {machines}.")
        if application.unnamed:
            names = ", ".join(application.unnamed)
            echo(f"Named only when they are deployed, so nothing watches them: {names}", err=True)
    echo(f"Wrote {counted(len(done.written), 'file')} into {folder.resolve()}")
    if done.kept:
        echo(f"Left as they are, edited, deleted or not written by init: {', '.join(done.kept)}")
    if done.gone:
        echo(f"No longer written, delete what you do not need: {', '.join(done.gone)}")
    echo("Next: stepscope lint, stepscope test, stepscope preview, stepscope plan.")
    return 0
