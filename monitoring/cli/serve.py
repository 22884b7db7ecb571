"""`stepscope serve`: the embedded Datadog as a server."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import click

from monitoring.cli.project_option import project_option
from monitoring.terminal import echo


@click.command("serve")
@click.option("--host", "--address", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8126,
    show_default=True,
    help="The port; 0 takes a free one.",
)
@click.option(
    "--database",
    "--db",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("datadog.duckdb"),
    show_default=True,
    help="The DuckDB file; created where it is missing.",
)
@click.option(
    "--replay",
    default="",
    metavar="PLACE",
    help="A replay's folder or s3:// prefix, whose points are queried beside the database's, where they lie.",
)
@click.option("--with-demo", is_flag=True, help="Fill a new database with a day of the example pipeline.")
@click.option(
    "--api-key", help="The only key that is taken; needed for any address but loopback.  [env: DD_API_KEY]"
)
@click.option(
    "--historical", is_flag=True, help="Take points that are up to 15 months old, not only an hour."
)
@click.option(
    "--allow-host", multiple=True, metavar="NAME", help="A further name that a Host header may carry."
)
@click.option(
    "--rate-limit",
    multiple=True,
    metavar="NAME=N/SECONDS",
    help="Really keep a rate limit; `datadog` keeps Datadog's own. By default there are only the headers.",
)
@click.option("--no-evaluation", is_flag=True, help="Do not evaluate the monitors.")
@click.option(
    "--notify-file", type=click.Path(dir_okay=False, path_type=Path), help="Append notifications as JSON."
)
@click.option("--notify-webhook", metavar="URL", help="POST notifications as JSON.")
@project_option("The folder whose dashboards/ and monitors/ the pages show. [this one]", exists=True)
def command(**values: Any) -> int:
    """Serve the embedded Datadog: intake, query, monitors, dashboards, SLOs, downtimes, and pages to look at.

    Point a client at its address (DD_URL for the forwarder, DATADOG_HOST or api_host for datadogpy) with any
    key. Monitors are evaluated every minute; their notifications are printed, and go to a file or a webhook.
    """
    from monitoring.serve import Stop, run

    options, sinks = _configured(values)
    stop = Stop()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop.set)
    run(options, sinks, lambda text: echo(text, err=True), stop)
    return 0


def _configured(values: dict[str, Any]) -> tuple[Any, list[Any]]:
    from monitoring.local_datadog import Access, Settings, rate_limits
    from monitoring.local_datadog.guard import LOOPBACK
    from monitoring.serve import ServeOptions
    from monitoring.serve.sinks import JsonLines, Sink, Terminal, Webhook

    # On loopback any key is taken: DD_API_KEY may be set there for a client, and holds a real key then.
    loopback = values["host"] in {"127.0.0.1", "localhost", "::1"}
    key = values["api_key"] or (None if loopback else os.environ.get("DD_API_KEY"))
    hosts = LOOPBACK | {name.lower() for name in values["allow_host"]}
    settings = Settings(
        Access(key, hosts),
        historical=values["historical"],
        rate_limits=rate_limits.read(values["rate_limit"]),
    )
    sinks: list[Sink] = [Terminal(echo)]
    if values["notify_file"]:
        sinks.append(JsonLines.opened(values["notify_file"]))
    if values["notify_webhook"]:
        sinks.append(Webhook.to(values["notify_webhook"], lambda text: echo(text, err=True)))
    options = ServeOptions(
        database=values["database"],
        host=values["host"],
        port=values["port"],
        settings=settings,
        project=values["root"],
        with_demo=values["with_demo"],
        evaluate=not values["no_evaluation"],
        replay=values["replay"],
    )
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    return options, sinks
