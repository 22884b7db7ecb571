"""Executions recorded on AWS: run here, and compared event by event."""

import contextlib
import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monitoring.errors import InputError
from monitoring.local_aws import ACCOUNT, LocalAws

Case = dict[str, Any]
RECORDED_ACCOUNT = "111111111111"
# What differs from one execution to the next, or depends on the service that was called and not on Step Functions.
IGNORED = {
    *("stackTrace", "requestId", "LogResult", "SdkHttpMetadata", "SdkResponseMetadata", "ResponseMetadata"),
    *(
        "roleArn",
        "ETag",
        "ChecksumCRC32",
        "ChecksumType",
        "ServerSideEncryption",
        "MD5OfMessageBody",
        "region",
    ),
    *("MD5OfMessageAttributes", "ExecutedVersion", "RedriveCount", "billingDetails", "previousEventId"),
    "ConsumedCapacity",  # moto gives it without being asked
}
TIMES = {"StartDate", "StopDate", "StartTime", "EnteredTime", "timestamp", "LastModified"}
ANY = (
    r"<(?:[^<>\s]|<[^<>\s]*>)*>|s(?:nf|fn)_role_arn|(?<![A-Za-z])(?:timestamp|date|datetime|uuid)(?![A-Za-z])"
)


def ours(value: Any, urls: dict[str, str]) -> Any:
    """Return recorded data with this AWS's account, region and queue URLs."""
    if isinstance(value, str):
        for recorded, here in {
            **urls,
            "<partition>": "aws",
            "<region>": "us-east-1",
            RECORDED_ACCOUNT: ACCOUNT,
        }.items():
            value = value.replace(recorded, here)
        return value
    if isinstance(value, dict):
        return {ours(key, urls): ours(inner, urls) for key, inner in value.items()}
    return [ours(inner, urls) for inner in value] if isinstance(value, list) else value


class Expected:
    """What a case recorded; its placeholders stand for what the case says, or for anything."""

    def __init__(self, case: Case, urls: dict[str, str]) -> None:
        self._known = {token: ours(value, urls) for token, value in case["placeholders"].items()}
        tokens = sorted([*self._known, *case["anything"]], key=len, reverse=True)
        self._token = re.compile("|".join([*map(re.escape, tokens), ANY]))

    def pattern(self, text: str) -> str:
        """Return a regular expression for a recorded text."""
        parts, at = [], 0
        for match in self._token.finditer(text):
            known = {"<partition>": "aws", "<region>": "us-east-1"}.get(match[0], self._known.get(match[0]))
            parts += [re.escape(text[at : match.start()]), re.escape(known) if known else r"[\s\S]*"]
            at = match.end()
        return "".join([*parts, re.escape(text[at:])]).replace(RECORDED_ACCOUNT, ACCOUNT)

    def differs(self, recorded: Any, here: Any, path: str = "$") -> str:
        """Return where two values differ, or nothing."""
        recorded, here = parsed(recorded), parsed(here)
        if isinstance(recorded, str):
            shown = here if isinstance(here, str) else json.dumps(here, default=str)
            free = self._token.fullmatch(recorded) and not self._known.get(recorded)
            return (
                ""
                if free or re.fullmatch(self.pattern(recorded), shown)
                else f"{path}: {recorded!r}, here {here!r}"
            )
        if isinstance(recorded, dict) and isinstance(here, dict):
            free = any(self._token.fullmatch(key) for key in recorded)
            names = [key for key in recorded if key not in IGNORED and not self._token.fullmatch(key)]
            extra = [] if free else [key for key in here if key not in recorded and key not in IGNORED]
            if extra or not set(names) <= here.keys():
                return f"{path}: the fields {sorted(names)}, here {sorted(here)}"
            found = (
                self.differs(recorded[key], here[key], f"{path}.{key}") for key in names if key not in TIMES
            )
            return next(filter(None, found), "")
        if isinstance(recorded, list) and isinstance(here, list) and len(recorded) == len(here):
            pairs = enumerate(zip(recorded, here, strict=True))
            return next(filter(None, (self.differs(*pair, f"{path}[{n}]") for n, pair in pairs)), "")
        alike = (recorded == here and type(recorded) is type(here)) or json.dumps(recorded) == here
        return "" if alike else f"{path}: {recorded!r}, here {here!r}"


def parsed(value: Any) -> Any:
    """Return the JSON in a text that holds an object or array."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value


def difference(case: Case, urls: dict[str, str], end: dict[str, Any], events: list[dict[str, Any]]) -> str:
    """Return where an execution differs from the recorded one, or nothing."""
    recorded, expected = case["recorded"], Expected(case, urls)
    for key in ("status", "output", "error", "cause"):
        if recorded[key] is not None and (found := expected.differs(recorded[key], end.get(key), key)):
            return found
    if not recorded["events"]:
        return ""
    kinds, here = [event["type"] for event in recorded["events"]], [event["type"] for event in events]
    if kinds != here:
        return f"events: {kinds}, here {here}"
    for event, other in zip(recorded["events"], events, strict=True):
        details = next((value for key, value in other.items() if key.endswith("EventDetails")), {})
        if found := expected.differs(
            event["details"], json.loads(json.dumps(details, default=str)), event["type"]
        ):
            return found
        if isinstance(event["id"], int) and event["previous"] != other["previousEventId"]:
            return f"{event['type']} {event['id']} comes after {event['previous']}, here {other['previousEventId']}"
    return ""


# -- running


def run_case(aws: LocalAws, case: Case, home: Path) -> str:
    """Return where a case differs when it is run, or nothing."""
    stop = threading.Event()
    try:
        urls = prepare(aws, case, home, stop)
        definition = ours(json.dumps(case["definition"]), urls)
        aws.deploy_state_machine(case["machine"], definition, type=case["type"])
        execution = aws.start(case["machine"], ours(case["input"], urls), name=case["execution"])
        end = aws.wait(execution, 20)
    except (InputError, TimeoutError) as failed:
        return str(failed)
    finally:
        stop.set()
    express = case["type"] == "EXPRESS" and not case["recorded"]["events"]
    return difference(case, urls, end, [] if express else aws.history(execution))


def prepare(aws: LocalAws, case: Case, home: Path, stop: threading.Event) -> dict[str, str]:
    """Deploy what a case needs and return the URLs of its queues."""
    urls: dict[str, str] = {}
    for name, function in case["functions"].items():
        folder = home / name
        folder.mkdir(parents=True)
        (folder / f"{function['handler'].partition('.')[0]}.py").write_text(function["code"])
        aws.deploy_function(
            name, handler=function["handler"], code=folder, timeout=function["timeout"], check=False
        )
    for resource in case["resources"]:
        arguments = ours(resource["args"], urls)
        if resource["service"] == "worker":
            work = answer_queue if resource["call"] == "queue_tokens" else answer_activity
            threading.Thread(target=answering, args=(work, aws, arguments, stop), daemon=True).start()
            continue
        made = getattr(aws.client(resource["service"]), resource["call"])(**arguments)
        if resource["call"] == "create_queue":
            urls[f"https://sqs.us-east-1.amazonaws.com/{RECORDED_ACCOUNT}/{arguments['QueueName']}"] = made[
                "QueueUrl"
            ]
    for machine in case["machines"]:
        definition = machine["definition"]
        text = definition if isinstance(definition, str) else json.dumps(definition)
        aws.deploy_state_machine(machine["name"], ours(text, urls), type=machine["type"])
    return urls


def answering(
    work: Callable[..., None], aws: LocalAws, arguments: dict[str, Any], stop: threading.Event
) -> None:
    while not stop.is_set():
        with contextlib.suppress(Exception):
            work(aws, arguments)
        stop.wait(0.1)


def answer_queue(aws: LocalAws, arguments: dict[str, Any]) -> None:
    states = aws.client("stepfunctions")
    received = aws.client("sqs").receive_message(QueueUrl=arguments["QueueUrl"], WaitTimeSeconds=0)
    for message in received.get("Messages", []):
        body = json.loads(message["Body"])
        if arguments["answer"] == "fail":
            states.send_task_failure(
                taskToken=body["TaskToken"], error="Failure error", cause="Failure cause"
            )
            continue
        if arguments["answer"] == "heartbeat":
            states.send_task_heartbeat(taskToken=body["TaskToken"])
        states.send_task_success(taskToken=body["TaskToken"], output=json.dumps(body["Message"]))


def answer_activity(aws: LocalAws, arguments: dict[str, Any]) -> None:
    states = aws.client("stepfunctions")
    worker = {"workerName": arguments["workerName"]} if arguments.get("workerName") else {}
    task = states.get_activity_task(activityArn=arguments["activityArn"], **worker)
    if not task.get("taskToken"):
        return
    if arguments["answer"] == "fail":
        states.send_task_failure(taskToken=task["taskToken"], error="Programmatic Error", cause=task["input"])
    elif arguments["answer"] != "timeout":
        states.send_task_success(taskToken=task["taskToken"], output=task["input"])
