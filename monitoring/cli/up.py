"""`stepscope up`: the user's own application on this machine, until told to stop."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from monitoring.cli.application import answers_of, deployment_options, pairs
from monitoring.cli.project_option import project_option
from monitoring.cli.run import tell_stand_ins
from monitoring.terminal import echo

if TYPE_CHECKING:
    from monitoring.local_pipeline import Pipeline


@click.command("up")
@click.argument("template", type=click.Path(path_type=Path), default=Path())
@deployment_options
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8126,
    show_default=True,
    help="Where Datadog and its pages listen; 0 takes a free port.",
)
@click.option(
    "--aws-port",
    type=click.IntRange(0, 65535),
    default=8127,
    show_default=True,
    help="Where AWS listens; 0 takes a free port.",
)
@click.option(
    "--database",
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep Datadog's data in this DuckDB file.  [default: in memory]",
)
@project_option("The folder whose dashboards/ and monitors/ are applied and shown. [this one]", exists=True)
@click.option("--no-schedules", is_flag=True, help="Do not let scheduled rules invoke anything.")
@click.option("--no-record-metrics", is_flag=True, help="Leave stepscope.metrics.toml as it is.")
def command(
    template: Path,
    parameters: tuple[str, ...],
    stack: str,
    answers: tuple[str, ...],
    speed: float,
    port: int,
    aws_port: int,
    database: Path | None,
    root: Path,
    no_schedules: bool,
    no_record_metrics: bool,
) -> int:
    """Run your own application on the embedded AWS and Datadog, until Ctrl-C.

    TEMPLATE is a SAM or CloudFormation template, a cdk.out folder, or a folder that holds one. It is deployed
    with its real handlers; the project's dashboards and monitors are applied, and evaluated every minute;
    code and template are deployed anew when a file is saved. Executions start from the page `/run`, from
    `stepscope run MACHINE --url ADDRESS`, and by the template's own triggers. The metrics that functions emit
    are added to the project's stepscope.metrics.toml, which `stepscope lint` reads.
    """
    from monitoring.local_pipeline import PipelineOptions
    from monitoring.serve import Stop
    from monitoring.serve.sinks import Terminal
    from monitoring.up import UpOptions, run_up

    options = UpOptions(
        PipelineOptions(
            template,
            pairs(parameters, "--parameter"),
            stack,
            answers_of(answers),
            database=database,
            speed=speed,
            port=port,
            aws_port=aws_port,
        ),
        root,
        schedules=not no_schedules,
        record=not no_record_metrics,
    )
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop.set)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    run_up(options, [Terminal(echo)], lambda text: echo(text, err=True), stop, _ready)
    echo("ended", err=True)
    return 0


def _ready(pipeline: "Pipeline") -> None:
    tell_stand_ins(pipeline, lambda text: echo(text, err=True))
    echo(f"Datadog, embedded: {pipeline.datadog.url}")
    echo(f"AWS, embedded:     {pipeline.aws.endpoint_url}  (AWS_ENDPOINT_URL, any credentials)")
    for name, arn in pipeline.deployment.state_machines.items():
        echo(f"state machine      {name} ({arn.rpartition(':')[2]})")
    for name, address in pipeline.deployment.addresses.items():
        label = "API" if address.startswith("http") else "repository"
        echo(f"{label:<18} {name}: {address}")
    for schedule in pipeline.aws.schedules():
        moment = f"{schedule.next:%Y-%m-%d %H:%M} UTC" if schedule.next else "never"
        echo(f"schedule           {schedule.name}: {schedule.expression}, next at {moment}")
    url = pipeline.datadog.url
    echo(f"start executions:  {url}/run, or: stepscope run MACHINE --url {url}")
