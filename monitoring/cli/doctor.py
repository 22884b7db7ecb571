"""`stepscope doctor`: does what a function prints reach Datadog, and at which step does it end?"""

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from monitoring.cli.output import counted, echo_document
from monitoring.errors import InputError
from monitoring.terminal import echo

if TYPE_CHECKING:
    from monitoring.doctor.checks import Check

_MARKS = {"ok": "✓", "fault": "✗", "unknown": "?"}


@click.command()
@click.option(
    "--function", "functions", multiple=True, metavar="NAME", help="Functions; * for any characters."
)
@click.option("--forwarder", default="", metavar="NAME", help="The forwarder, where there are several.")
@click.option(
    "--since", default=3600, show_default=True, type=click.IntRange(60), help="Seconds to look back."
)
@click.option("--most", default=50, show_default=True, type=click.IntRange(1), help="How many functions.")
@click.option("--endpoint-url", default="", metavar="URL", help="An embedded AWS instead of the account.")
@click.option("--url", default="", metavar="URL", help="An embedded Datadog instead of the forwarder's site.")
@click.option(
    "--recorded",
    nargs=2,
    metavar="OURS THEIRS",
    help="Compare the recorded outputs of two forwarders instead.",
)
@click.option(
    "--shadow", nargs=2, metavar="OURS THEIRS", help="Compare in Datadog what carries two tags instead."
)
@click.option("--json", "as_json", is_flag=True, help="The checks, as one JSON document.")
def command(*, as_json: bool, **arguments: Any) -> int:
    """Walk the way of a printed line through an AWS account to Datadog, and say where it ends.

    Asks AWS with the credentials of the environment, and changes nothing. DD_APP_KEY lets it look whether
    points are there. With --recorded or --shadow it compares two forwarders of the same log groups. Ends
    with 1 where a step does not work, or the other forwarder makes something that ours does not.
    """
    from monitoring.forwarder.intake import check_url

    for address in filter(None, (arguments["url"], arguments["endpoint_url"])):
        check_url(address)
    checks = []
    for check in _checks(arguments):
        checks.append(check)
        if not as_json:
            echo(f"{_MARKS[check.status]} {check.name}: {check.message} [{check.where}]")
            if check.hint:
                echo(f"    next: {check.hint}")
    faults = sum(check.status == "fault" for check in checks)
    if as_json:
        echo_document({"checks": [check._asdict() for check in checks], "faults": faults})
    else:
        open_steps = sum(check.status == "unknown" for check in checks)
        echo(f"{counted(len(checks), 'check')}: {counted(faults, 'fault')}, {open_steps} not checked")
    return 1 if faults else 0


def _checks(arguments: dict[str, Any]) -> Iterator["Check"]:
    """Return the checks that the options ask for."""
    from monitoring.doctor import shadow
    from monitoring.doctor.walk import DoctorOptions, walk

    app_key = os.environ.get("DD_APP_KEY", "")
    if arguments["recorded"]:
        return shadow.compare(*map(shadow.read_output, arguments["recorded"]))
    if arguments["shadow"]:
        from monitoring.doctor.datadog import Datadog

        site = os.environ.get("DD_SITE", "datadoghq.com")
        base, now = arguments["url"] or f"https://api.{site}", int(time.time())
        datadog = Datadog(base, os.environ.get("DD_API_KEY", ""), app_key)
        ours, theirs = arguments["shadow"]
        return shadow.compare_live(datadog, ours, theirs, now - arguments["since"], now)
    options = DoctorOptions(
        arguments["functions"],
        arguments["forwarder"],
        arguments["url"],
        app_key,
        arguments["since"],
        arguments["most"],
    )
    return walk(options, _Clients(arguments["endpoint_url"]))


class _Clients:
    """boto3's clients of the account or of the embedded AWS, each made once."""

    def __init__(self, endpoint_url: str) -> None:
        self._endpoint_url = endpoint_url
        self._made: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        if service not in self._made:
            import boto3
            from botocore.exceptions import BotoCoreError

            more = {"endpoint_url": self._endpoint_url} if self._endpoint_url else {}
            try:
                self._made[service] = boto3.client(service, **more)  # type: ignore[call-overload]
            except BotoCoreError as error:
                raise InputError(str(error), where="AWS", hint="set AWS_REGION, or AWS_PROFILE") from error
        return self._made[service]
