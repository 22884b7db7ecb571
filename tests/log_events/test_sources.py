"""Whose log events they are: function, version, account and region, out of what names them."""

import base64
import gzip
import json
from typing import Any

import pytest

from monitoring.forwarder.enrich import describe
from monitoring.forwarder.inputs import Inputs
from monitoring.forwarder.reading import PieceReader
from monitoring.forwarder.resource_tags import ResourceTags
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.forwarder.stats import Tally
from monitoring.log_events.source import function_of, source_kind
from monitoring.log_events.telemetry import Telemetry

HASH = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("group", "stream", "function"),
    [
        ("/aws/lambda/orders", f"2026/11/23/[$LATEST]{HASH}", ("orders", "$LATEST", "")),
        ("/aws/lambda/orders", f"2026/11/23/[7]{HASH}", ("orders", "7", "")),
        ("/aws/lambda/orders", f"2026/11/23/[$LATEST.PUBLISHED]{HASH}", ("orders", "$LATEST.PUBLISHED", "")),
        ("/aws/lambda/orders", "", ("orders", "", "")),
        ("/aws/lambda/orders", "anything", ("orders", "", "")),
        ("/shop/all", f"2026/11/23/orders[$LATEST]{HASH}", ("orders", "$LATEST", "")),
        ("/shop/all", f"2026/11/23/pay_ments-2[12]{HASH}", ("pay_ments-2", "12", "")),
        ("/shop/all", f"2026/11/23/orders[12][{HASH}]", ("orders", "12", "")),
        ("/aws/lambda/x", f"2026/11/23/orders[$LATEST]{HASH}", ("orders", "$LATEST", "")),
        ("", f"2026-11-23-orders[3]{HASH}", ("orders", "3", "")),
        ("/aws/lambda/orders", f"2026-11-23-[3]{HASH}", ("orders", "3", "")),
        ("/aws/lambda/us-east-1.edge", f"2026/11/23/[3]{HASH}", ("edge", "3", "us-east-1")),
        ("/shop/all", f"2026/11/23/us-east-1.edge[3]{HASH}", ("edge", "3", "us-east-1")),
        ("/aws/lambda/us-gov-west-1.edge", "", ("edge", "", "us-gov-west-1")),
        ("/shop/all", f"2026/11/23/[3]{HASH}", ("", "", "")),
        ("/shop/all", "ecs/orders[3]/task", ("", "", "")),
        ("/aws/lambda/capacity/orders", "i-1", ("", "", "")),
        ("/aws/vendedlogs/states/orders", "states/orders/2026-11-23-10-00/ab", ("", "", "")),
        ("", "", ("", "", "")),
    ],
)
def test_the_stream_names_the_function_and_else_the_log_group(
    group: str, stream: str, function: tuple[str, str, str]
) -> None:
    assert function_of(group, stream) == function
    assert (source_kind(group, stream) == "lambda") == (bool(function[0]) or group.startswith("/aws/lambda/"))


def test_a_function_of_lambda_at_edge_lives_in_its_own_region_and_logs_in_another() -> None:
    source = describe(
        ForwarderSettings(), "eu-west-1", "123456789012", "/aws/lambda/us-east-1.Edge", "2026/11/23/[3]ab"
    )
    assert {"functionname:edge", "executedversion:3", "region:eu-west-1"} <= set(source.tags)
    values = source.log_fields.values
    assert values["lambda"]["arn"] == "arn:aws:lambda:us-east-1:123456789012:function:Edge"
    assert (values["hostname"], values["service"]) == (values["lambda"]["arn"].lower(), "Edge")


def read(*events: dict[str, Any], **head: str) -> Telemetry:
    """What a subscription payload amounts to."""
    told = [{"id": str(n), "timestamp": 1_763_000_000_000, **event} for n, event in enumerate(events)]
    payload = {"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "/aws/lambda/orders"}
    payload |= {"logStream": f"2026/11/23/[7]{HASH}", **head, "logEvents": told}
    data = base64.b64encode(gzip.compress(json.dumps(payload).encode())).decode()
    reader = PieceReader(
        ForwarderSettings(),
        "us-east-1",
        ResourceTags(ForwarderSettings(), lambda service: service),
        lambda: 1_763_000_000.0,
    )
    out = Telemetry()
    for unit in Inputs(lambda service: service).units({"awslogs": {"data": data}}):
        for piece in unit.pieces:
            found = reader.read(piece, Tally())  # type: ignore[arg-type]
            out.points += found.points
            out.logs += found.logs
    return out


def place(tags: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    found = dict(tag.split(":", 1) for tag in tags)
    return found["functionname"], found["account_id"], found["aws_account"], found["region"]


HOME = ("orders", "111122223333", "111122223333", "us-east-1")
AWAY = ("orders", "444455556666", "444455556666", "eu-west-1")
FIELDS = {"@aws.account": "444455556666", "@aws.region": "eu-west-1"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (FIELDS, AWAY),
        ({"@aws.account": "444455556666"}, (*AWAY[:3], "us-east-1")),
        ({"@aws.region": "eu-west-1"}, (*HOME[:3], "eu-west-1")),
        ({"@aws.account": None, "@aws.region": 5}, HOME),
        ({"@aws.account": "x,y:z", "@aws.region": "a b"}, HOME),
        ({"$1": "first word"}, HOME),
        ({}, HOME),
        (None, HOME),
        (["odd"], HOME),
        ("odd", HOME),
    ],
)
def test_a_centralised_event_is_of_the_account_and_region_that_it_was_written_in(
    fields: Any, expected: tuple[str, ...]
) -> None:
    out = read(
        {"message": "before"},
        {"message": "MONITORING|1763000000|1|count|a.b|#x:y", "extractedFields": fields},
        {"message": "text", "extractedFields": fields},
        {"message": "after"},
    )
    assert [place(point.tags[1:]) for point in out.points] == [expected]
    found = {log.message: log.body() for log in out.logs}
    assert {text: place(body["ddtags"].split(",")) for text, body in found.items()} == {
        "before": HOME, "text": expected, "after": HOME,
    }  # fmt: skip
    assert f":{expected[3]}:{expected[1]}:function:orders" in found["text"]["hostname"]
    assert {body["aws"]["awslogs"]["owner"] for body in found.values()} == {"111122223333"}


def test_two_functions_in_one_log_group_stay_two() -> None:
    line = {"message": "REPORT RequestId: a-1\tDuration: 1.00 ms\tBilled Duration: 1 ms\t"}
    functions = [
        place(read(line, logGroup="/shop/all", logStream=f"2026/11/23/{name}[7]{HASH}").points[0].tags)[0]
        for name in ("orders", "payments")
    ]
    assert functions == ["orders", "payments"]
