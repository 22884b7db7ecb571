"""`stepscope cost`: what a template costs a month at AWS and Datadog, before it is deployed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from monitoring.cli.output import echo_document
from monitoring.terminal import echo, fitted, room, table_row, wrapped

if TYPE_CHECKING:
    from monitoring.cost.estimate import Estimate, Item

_FAMILIES = ("calls", "enhanced", "executions", "forwarder", "business", "percentiles", "logs", "traces")


@click.command("cost")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    default=Path(),
    metavar="TEMPLATE",
    help="The template, or a folder that holds one.  [default: this folder]",
)
@click.option(
    "--executions",
    type=click.IntRange(min=1, max=10**12),
    required=True,
    help="Executions a month of each state machine that no other one starts.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="A database, or a folder with one: durations, logs and metrics as measured.",
)
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    help="A value of the template's parameters.",
)
@click.option("--without", multiple=True, type=click.Choice(_FAMILIES), help="Leave out a family.")
@click.option(
    "--items", type=click.IntRange(min=0), default=10, show_default=True, help="Items of a Map state."
)
@click.option(
    "--duration-ms",
    type=click.FloatRange(min=1),
    default=200.0,
    show_default=True,
    help="Duration of an invocation that was not measured.",
)
@click.option(
    "--log-bytes", type=click.IntRange(min=0), default=300, show_default=True, help="A call's own log lines."
)
@click.option(
    "--own-metrics",
    type=click.IntRange(min=0),
    default=2,
    show_default=True,
    help="Own time series a function.",
)
@click.option(
    "--extension-ms",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="What datadog-lambda's extension adds to an invocation.",
)
@click.option("--explain", is_flag=True, help="Say of each figure what it was made of.")
@click.option("--json", "as_json", is_flag=True, help="The items, as one JSON document.")
def command(
    source: Path, data: Path | None, parameters: tuple[str, ...], explain: bool, as_json: bool, **options: Any
) -> int:
    """Estimate a month's costs of a template, by function and item, beside datadog-lambda's extension.

    List prices without discounts and free tiers. What is not measured (--data) is an assumption, which an
    option states; --explain says of each figure what it was made of.

    \b
    stepscope cost --from template.yaml --executions 100000
    stepscope cost --from template.yaml --executions 100000 --data run --explain
    stepscope cost --executions 100000 --without percentiles --without traces
    """
    from monitoring.cli.application import pairs
    from monitoring.cost.estimate import Assumptions, estimate
    from monitoring.cost.measured import read_measurements
    from monitoring.cost.usage import read_application

    application = read_application(source, pairs(parameters, "--parameter"), options["items"])
    assumed = Assumptions(**{**options, "without": frozenset(options["without"])})
    result = estimate(application, assumed, read_measurements(data) if data else None)
    if as_json:
        echo_document(_as_data(result, application.notes))
    else:
        _print(result, application.notes, explain=explain)
    return 0


def _sums(items: "list[Item]") -> dict[str, float]:
    datadog = sum(item.usd for item in items if item.service.startswith("Datadog"))
    total = sum(item.usd for item in items)
    return {
        "total_usd": round(total, 4),
        "aws_usd": round(total - datadog, 4),
        "datadog_usd": round(datadog, 4),
    }


def _as_data(result: "Estimate", notes: tuple[str, ...]) -> dict[str, Any]:
    from monitoring.cost.prices import PRICES, READ_ON

    used = sorted({item.price for item in (*result.items, *result.beside)})
    return {
        "items": [item.as_data() for item in result.items],
        **_sums(result.items),
        "beside": {
            "name": "datadog-lambda with its extension",
            "items": [item.as_data() for item in result.beside],
            **_sums(result.beside),
        },
        "prices": {"read_on": READ_ON, **{name: PRICES[name]._asdict() for name in used}},
        "notes": list(notes),
    }


def _print(result: "Estimate", notes: tuple[str, ...], *, explain: bool) -> None:
    from monitoring.cost.prices import READ_ON

    items = sorted(result.items, key=lambda item: (item.service, item.name))
    rows = [
        (f"{item.usd:,.2f} $", item.service, item.name, f"{item.quantity:,.2f} {item.unit}") for item in items
    ]
    widths = fitted(rows, room())
    for item, row in zip(items, rows, strict=True):
        for line in table_row(row, widths, right={0}):
            echo(*line)
        for text in wrapped(item.explain, room() - 4) if explain else ():
            echo("    ", (text, "dim"))
    for name, sums in (("this", _sums(result.items)), ("datadog-lambda, extension", _sums(result.beside))):
        total, aws, datadog = (sums[key] for key in ("total_usd", "aws_usd", "datadog_usd"))
        amount = f"{total:,.2f} $"
        echo(f"{amount:>{widths[0]}}  {name}: AWS {aws:,.2f} $, Datadog {datadog:,.2f} $")
    echo(
        f"List prices of {READ_ON}, us-east-1, no free tier and no discount; --explain says what each is of."
    )
    for note in notes:
        echo(f"note: {note}")
