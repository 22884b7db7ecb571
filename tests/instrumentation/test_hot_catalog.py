"""The catalogue of metrics against what a call really prints."""

import pytest
from spec_reader import read_output

from monitoring import monitored
from monitoring.resources.function_metrics import BY_NAME, CALL_TAGS

SQS = {
    "Records": [
        {
            "messageId": "1",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:photos",
            "attributes": {"SentTimestamp": "1700000000000"},
            "body": "{}",
        }
    ]
}


def test_every_printed_metric_and_tag_key_stands_in_the_catalogue(capsys):
    failures = {"batchItemFailures": [{"itemIdentifier": "1"}], "padding": "x" * 512}
    monitored(lambda event, context: failures)({**SQS, "padding": "x" * 512}, None)
    with pytest.raises(ZeroDivisionError):
        monitored(verify=lambda event, result: False)(lambda event, context: 1 / 0)({}, None)
    monitored(verify=lambda event, result: False, name="done")(lambda event, context: 1)({}, None)
    monitored(verify=lambda event, result: True, name="done")(lambda event, context: 1)({}, None)
    points, traces, others = read_output(capsys.readouterr().out)
    assert len(traces) == 4
    assert not others
    assert {point.metric for point in points} >= {
        "stepscope.invocations",
        "stepscope.errors",
        "stepscope.duration",
        "stepscope.batch.failures",
        "stepscope.event.age",
        "stepscope.request.size",
        "stepscope.response.size",
        "claims.verified",
        "claims.broken",
    }
    for point in points:
        known = BY_NAME[point.metric]
        assert point.type == known.type
        assert {tag.partition(":")[0] for tag in point.tags} <= {*known.tags, *CALL_TAGS}
