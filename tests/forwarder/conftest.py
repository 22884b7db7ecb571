"""What the tests of the forwarder share: a loopback intake, and events as AWS sends them."""

import base64
import gzip
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from intake_server import Intake, running


@pytest.fixture
def intake():
    """A loopback intake; `intake.url` is its address."""
    found = Intake()
    with running(found) as url:
        found.url = url
        yield found


@pytest.fixture
def subscription():
    return subscription_event


def subscription_event(
    messages, group="/aws/lambda/orders", stream="2026/11/23/[$LATEST]abc", now=1_763_000_000
):
    """A CloudWatch Logs subscription event; a message may be (seconds, text)."""
    events = [
        {
            "id": f"{i:056d}",
            "timestamp": int((m[0] if isinstance(m, tuple) else now) * 1000),
            "message": m[-1] if isinstance(m, tuple) else m,
        }
        for i, m in enumerate(messages)
    ]
    payload = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": group,
        "logStream": stream,
        "subscriptionFilters": ["stepscope"],
        "logEvents": events,
    }
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(payload).encode())).decode()}}
