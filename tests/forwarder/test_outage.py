"""An hour in which Datadog takes nothing, with the settings of the template: nothing is lost, twice is counted.

Events bring full batches all the while, the schedule redrives every five minutes, and then Datadog is back.
"""

import itertools
import json
import random
from collections import Counter
from pathlib import Path

import boto3
import pytest
import yaml
from moto import mock_aws
from roads import NOW, ROADS, forwarder, stored
from test_conservation import KilledError, Process

from monitoring.forwarder import forwarder as invocation

TEMPLATE = Path(__file__).parents[2] / "deploy" / "template.yaml"
EVENTS, REDRIVES = 6, 12


class _Template(yaml.SafeLoader):
    pass


_Template.add_multi_constructor("!", lambda loader, suffix, node: {suffix: getattr(node, "value", None)})


def template():
    return yaml.load(TEMPLATE.read_text(), _Template)["Resources"]


@pytest.fixture
def cloud(monkeypatch):
    """The template's queue and table, and the environment that it gives the forwarder."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(invocation, "print_summary", lambda summary: None)
    resources = template()
    with mock_aws():
        queue = resources["Spool"]["Properties"]
        attributes = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in queue.items()
        }
        attributes["VisibilityTimeout"] = "0"  # a test does not wait 12 minutes for an entry to come again
        url = boto3.client("sqs").create_queue(QueueName="spool", Attributes=attributes)["QueueUrl"]
        table = dict(resources["Digests"]["Properties"])
        del table["TimeToLiveSpecification"]
        boto3.client("dynamodb").create_table(TableName="digests", **table)
        yield {"Spool": url, "Digests": "digests"}


def settings(cloud):
    """The variables of the template's forwarder, those that name a resource resolved."""
    variables = template()["ForwarderFunction"]["Properties"]["Environment"]["Variables"]
    return {
        name: cloud[value["Ref"]] if isinstance(value, dict) else str(value)
        for name, value in variables.items()
        if not isinstance(value, dict) or value.get("Ref") in cloud
    }


def full_batches(number):
    """Messages of one event: 2,000 log lines of ids that do not compress, and as many points."""
    rng = random.Random(number)
    lines = [
        json.dumps({"event": number, "ids": [f"{rng.getrandbits(256):x}" for _ in range(12)]})
        for _ in range(1500)
    ]
    return lines + [f"MONITORING|{NOW}|1|count|outage.line|#zone:{number}"] * 1500


def expected(messages):
    found = Counter()
    for message in messages:
        if message.startswith("MONITORING"):
            found["points", "outage.line", message.partition("#")[2]] += 1
        else:
            found["logs", message, ""] += 1
    return found


OUTAGES = {
    "503": lambda: (503, {}, b""),
    "throttling": lambda: (429, {"X-RateLimit-Reset": "60"}, b""),
    "time-outs": lambda: "silence",
}


def start(intake, cloud, timeout="10"):
    return forwarder(
        intake.url,
        clients=boto3.client,
        **settings(cloud) | {"MONITORING_TIMEOUT": timeout},
    )


@pytest.mark.parametrize("kind", OUTAGES)
def test_an_hour_of_outage_loses_nothing_and_sends_nothing_twice(intake, cloud, kind):
    intake.slow, intake.script = 0.1, lambda *_: OUTAGES[kind]()
    job, wanted = start(intake, cloud, "0.05" if kind == "time-outs" else "10"), Counter()
    for minute in range(REDRIVES):
        if minute % 2 == 0:
            messages = full_batches(minute)
            wanted += expected(messages)
            summary = job.handle(ROADS["direct"](None, messages, 1), 120)
            assert summary["conservation"]["logs"] == {"read": 1500, "accounted": 1500, "spooled": 1500}
        job.handle({"stepscope": "redrive"}, 120)
    assert not stored(intake)
    intake.script = None
    later = start(intake, cloud)  # after an hour it is another process
    while later.handle({"stepscope": "redrive"}, 120).get("redriven"):
        pass
    assert stored(intake) == wanted


@pytest.mark.parametrize("seed", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in range(2, 21))])
def test_killed_again_and_again_in_an_outage_loses_nothing(intake, cloud, seed):
    """What arrives twice was taken by Datadog from a process that died before it could note it."""
    rng, window, wanted = random.Random(seed), Counter(), Counter()
    intake.script = lambda *_: (503, {}, b"") if rng.random() < 0.7 else None
    lives = itertools.chain((rng.randrange(1, 40) for _ in range(8)), itertools.repeat(float("inf")))

    def handle(event):
        nonlocal window
        while True:
            process, job = Process(next(lives)), start(intake, cloud)
            job._intake = process.mortal(job._intake, "send")
            job._delivered = process.mortal(job._delivered, "add", "save")
            job._spool = process.mortal(job._spool, "put", "delete", "failed")
            try:
                return job.handle(event, 120)
            except KilledError:
                job.close()  # its threads end, too: then it is known what Datadog had taken
                window += process.window(table=True)
            except invocation.UndeliveredError:
                pass
            finally:
                job.close()

    for number in range(3):
        messages = full_batches(100 * seed + number)
        wanted += expected(messages)
        handle(ROADS["direct"](None, messages, 1))
        handle({"stepscope": "redrive"})
    intake.script = None
    while handle({"stepscope": "redrive"}).get("redriven"):
        pass
    held = stored(intake)
    assert not wanted - held
    assert not held - wanted - window
    print(
        f"seed {seed}: {sum(wanted.values()):,} items, 0 lost, {sum((held - wanted).values()):,} twice, all in the window"
    )
