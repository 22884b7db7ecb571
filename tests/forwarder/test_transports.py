"""deploy/forwarder.yaml with a Kinesis stream and with Firehose, on the embedded AWS: lines arrive, and an outage loses none."""

import json

import pytest
from test_installed_forwarder import SHOP, aws, datadog, filters, install, total, waiting  # noqa: F401

pytestmark = pytest.mark.checkout


@pytest.fixture(scope="module", params=["kinesis", "firehose"])
def installed(aws, datadog, request, tmp_path_factory):  # noqa: F811
    """The application, and a forwarder with the transport."""
    name = request.param
    template = tmp_path_factory.mktemp("shop") / "template.json"
    text = json.dumps(SHOP).replace("shop-pay", f"shop-{name}").replace("orders", f"orders-{name}")
    template.write_text(text)
    shop = aws.deploy(template, stack=f"shop-{name}")
    chosen = {
        "Transport": name,
        "LogGroupPrefixes": f"/aws/lambda/shop-{name}",
        "StateMachines": f"orders-{name}*",
    }
    deployment = install(aws, datadog, stack=f"by-{name}", **chosen)
    url = deployment.outputs["SpoolQueue"]
    aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "0"})
    yield name, deployment
    aws.delete(deployment)
    assert filters(aws, f"/aws/lambda/shop-{name}") == {}
    aws.delete(shop)


def test_log_groups_are_subscribed_to_the_stream(aws, installed):  # noqa: F811
    name, deployment = installed
    stream = deployment.outputs["StreamArn" if name == "kinesis" else "DeliveryStreamArn"]
    assert filters(aws, f"/aws/lambda/shop-{name}") == {f"stepscope-by-{name}": stream}
    assert filters(aws, f"/app/orders-{name}-machine") == {f"stepscope-by-{name}": stream}


def test_what_a_function_prints_arrives_once(aws, datadog, installed):  # noqa: F811
    name, _ = installed
    before = total(datadog, "shop.paid")
    aws.invoke(f"shop-{name}", {"n": 5})
    aws.drain()
    assert total(datadog, "shop.paid", f"functionname:shop-{name}") == 5
    assert total(datadog, "shop.paid") == before + 5


def test_a_state_machine_is_told_with_its_durations(aws, datadog, installed):  # noqa: F811
    name, _ = installed
    aws.wait(aws.start(f"orders-{name}", {"n": 1}))
    aws.drain()
    machine = f"statemachinename:orders-{name}"
    assert total(datadog, "aws.states.enhanced.execution.succeeded", machine) == 1
    assert len(datadog.store.series("aws.states.enhanced.state.duration", tags=[machine])) == 1


def test_an_outage_is_spooled_and_sent_when_it_is_over(aws, datadog, installed):  # noqa: F811
    name, deployment = installed
    before, datadog.outage.down = total(datadog, "shop.paid"), True
    try:
        for number in (1, 2, 3):
            aws.invoke(f"shop-{name}", {"n": number})
        aws.drain()
        assert waiting(aws, deployment) > 0
        assert total(datadog, "shop.paid") == before
    finally:
        datadog.outage.down = False
    aws.invoke(deployment.functions["Forwarder"], {"stepscope": "redrive"})
    assert waiting(aws, deployment) == 0
    assert total(datadog, "shop.paid") == before + 6
