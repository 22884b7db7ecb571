"""List prices, in US dollars without tax, discounts and free tiers, in us-east-1 and with annual billing.

`READ_ON` is the day on which they were last compared with AWS's and Datadog's pages; docs/cost.md shows this
table.
"""

from typing import NamedTuple

READ_ON = "2026-11-27"

_LAMBDA = "https://aws.amazon.com/lambda/pricing/"
_STATES = "https://aws.amazon.com/step-functions/pricing/"
_CLOUDWATCH = "https://aws.amazon.com/cloudwatch/pricing/"
_DYNAMODB = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
_DATADOG = "https://www.datadoghq.com/pricing/list/"


class Price(NamedTuple):
    """One price.

    Attributes:
        usd: dollars for `per` units.
        per: the number of units for this price.
        unit: the unit.
        source: the page with the price.
        compared: whether it was compared on `READ_ON` with a copy of that page, or of one that quotes it.
    """

    usd: float
    per: float
    unit: str
    source: str
    compared: bool = True

    def of(self, quantity: float) -> float:
        """Return the cost of a quantity in dollars."""
        return quantity / self.per * self.usd


PRICES: dict[str, Price] = {
    "lambda.requests": Price(0.20, 1_000_000, "requests", _LAMBDA),
    "lambda.x86_64": Price(0.0000166667, 1, "GB-seconds", _LAMBDA),
    "lambda.arm64": Price(0.0000133334, 1, "GB-seconds", _LAMBDA),
    "states.transitions": Price(0.025, 1_000, "state transitions", _STATES),
    "states.express.requests": Price(1.00, 1_000_000, "requests", _STATES),
    "states.express.duration": Price(0.00001667, 1, "GB-seconds", _STATES),
    "logs.ingestion": Price(0.50, 1, "GB", _CLOUDWATCH),
    "dynamodb.writes": Price(0.625, 1_000_000, "write request units", _DYNAMODB, compared=False),
    "dynamodb.reads": Price(0.125, 1_000_000, "read request units", _DYNAMODB, compared=False),
    "datadog.logs.ingestion": Price(0.10, 1, "GB", _DATADOG),
    "datadog.logs.indexing": Price(1.70, 1_000_000, "log events", _DATADOG),
    "datadog.metrics": Price(5.00, 100, "custom metrics", _DATADOG),
    "datadog.apm": Price(10.00, 1_000_000, "traced invocations", _DATADOG, compared=False),
    "datadog.functions": Price(5.00, 1, "functions", _DATADOG, compared=False),
}
