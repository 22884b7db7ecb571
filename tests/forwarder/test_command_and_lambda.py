"""`stepscope forward` over exported logs and the Lambda path over the same objects give the same telemetry."""

import gzip
import json
import os
from collections import Counter

from click.testing import CliRunner
from roads import Bucket, forwarder

from monitoring.cli.forward import command

MEGABYTES = float(os.environ.get("STEPSCOPE_MEGABYTES", "2"))
STAMP = "2026-11-23T10:00:00.000Z"


def exported():
    """An exported log: invocations with metrics, Lambda's lines, logs, and lines that are refused."""
    lines, size, number = [], 0, 0
    while size < MEGABYTES * 1_000_000:
        request = f"8d2f4b1c-6a0e-4c3d-9b7f-{number:012x}"
        lines += [
            f"{STAMP} START RequestId: {request} Version: $LATEST",
            f"{STAMP} MONITORING|1795428000|{number}|count|shop.orders|#zone:{number % 7}",
            f"{STAMP} " + json.dumps({"m": "shop.paid", "v": number, "e": 1795428000, "t": ["zone:a"]}),
            f"{STAMP} order {number} accepted",
            f"{STAMP} MONITORING|1795428000|12ms|count|shop.orders",
            f"{STAMP} END RequestId: {request}",
            f"{STAMP} REPORT RequestId: {request}\tDuration: 3.00 ms\tBilled Duration: 3 ms\tMemory Size: 128 MB\tMax Memory Used: 60 MB",
        ]  # fmt: skip
        size += sum(map(len, lines[-7:]))
        number += 1
    return ("\n".join(lines) + "\n").encode()


def told(intake):
    """Points and messages that arrived, without what tells the file from the object."""
    points = Counter((name, second, value, tags) for name, second, value, tags in intake.points())
    return points, Counter(entry["message"].strip() for entry in intake.logs())


def test_the_command_and_the_function_give_the_same(intake, tmp_path, monkeypatch):
    body, name = gzip.compress(exported(), 1), "task/2026-11-23-[$LATEST]0/000000.gz"
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    file.write_bytes(body)
    for key, value in {"DD_URL": intake.url, "DD_API_KEY": "k", "MONITORING_OWN_METRICS": "false"}.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    monkeypatch.setenv("MONITORING_LOG_PLATFORM", "false")
    CliRunner().invoke(command, [str(file)], standalone_mode=False)
    by_command = told(intake)
    intake.received.clear()
    bucket = Bucket()
    bucket.put(name, body)
    record = {"eventSource": "aws:s3", "s3": {"bucket": {"name": "b"}, "object": {"key": name}}}
    forwarder(intake.url, bucket).handle({"Records": [record]}, 10**7)
    by_function = told(intake)
    assert sum(by_command[0].values()) > 100
    assert by_command[1]
    assert by_command == by_function
