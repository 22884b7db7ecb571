"""Lambda's own lines: whose they are, and each fact counted once, in whatever order and payloads they come."""

import itertools
import json
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.forwarder.enrich import describe
from monitoring.forwarder.settings import ForwarderSettings
from monitoring.log_events.memory import Memory
from monitoring.log_events.reader import Reader, Rules
from monitoring.log_events.telemetry import Telemetry

NOW = 1_763_000_000_000
A, B = "79b5e81f-9cdd-4145-b1f6-7c50ef8a2a36", "0c1d2e3f-0000-4000-8000-00000000000b"
C = "0c1d2e3f-0000-4000-8000-00000000000c"
Line = tuple[int, str]  # milliseconds after NOW, message


def read(lines: list[Line], memory: Memory | None = None, unit: str = "", **rules: Any) -> Telemetry:
    """What one payload of one log stream amounts to."""
    memory = memory or Memory()
    memory.unit = unit
    source = describe(
        ForwarderSettings(), "eu-west-1", "123456789012", "/aws/lambda/orders", "2026/11/23/[7]ab"
    )
    reader = Reader(source, memory, Rules(**rules))
    for number, (time, message) in enumerate(lines, 1):
        reader.read(message, NOW + time, number)
    return reader.out


def counts(*found: Telemetry) -> Counter[str]:
    """How often each metric was counted."""
    names: Counter[str] = Counter()
    for each in found:
        names.update(point.metric.rpartition(".")[2] for point in each.points)
    return names


def platform(kind: str, **record: Any) -> str:
    return json.dumps({"time": "2025-11-13T02:13:20Z", "type": f"platform.{kind}", "record": record})


def report(request: str, status: str = "", used: int = 90, **fields: str) -> str:
    tail = "".join(f"\t{name.replace('_', ' ')}: {value}" for name, value in fields.items())
    ended = f"\tStatus: {status}" if status else ""
    return (
        f"REPORT RequestId: {request}\tDuration: 3000.00 ms\tBilled Duration: 3000 ms"
        f"\tMemory Size: 128 MB\tMax Memory Used: {used} MB{ended}{tail}\n"
    )


def report_json(request: str, status: str = "success", error: str = "", used: int = 90) -> str:
    metrics = {"durationMs": 3000.0, "billedDurationMs": 3000, "memorySizeMB": 128, "maxMemoryUsedMB": used}
    more = {"errorType": error} if error else {}
    return platform("report", requestId=request, metrics=metrics, status=status, **more)


RUNTIMES = {
    "Python": "[ERROR] MemoryError\nTraceback (most recent call last):\n  File x\n",
    "Python, with a message": "[ERROR] MemoryError: cannot allocate",
    "Python, as one line": "[ERROR] MemoryError\tTraceback (most recent call last):\r  File x",
    "numpy": "[ERROR] _ArrayMemoryError: Unable to allocate 8.00 GiB for an array",
    "Python, a fork": "[ERROR] OSError: [Errno 12] Cannot allocate memory",
    "Node.js": "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
    "Node.js 22": "# Fatal JavaScript out of memory: Reached heap limit",
    "Java": "java.lang.OutOfMemoryError: Java heap space",
    "Java, as Lambda prints it": "Java heap space: java.lang.OutOfMemoryError\njava.lang.OutOfMemoryError: Java heap space",
    "Java, another thread": 'Exception in thread "main" java.lang.OutOfMemoryError: Metaspace',
    "Java, in its own handler": "Exception: java.lang.OutOfMemoryError thrown from the UncaughtExceptionHandler",
    "the Java machine": "# There is insufficient memory for the Java Runtime Environment to continue.",
    ".NET": "Unhandled exception. System.OutOfMemoryException: Exception of type thrown.\n   at Orders.Handle()",
    ".NET, the runtime": "Out of memory.\n   at Orders.Handle()",
    ".NET, its last words": "Process is terminating due to OutOfMemoryException.",
    ".NET, Lambda's logger": f"2025-11-13T02:13:20.1Z\t{A}\tfail\tSystem.OutOfMemoryException: thrown.\n   at X",
    "Go": "fatal error: runtime: out of memory\n\nruntime stack:",
    "Ruby": "Error raised from handler method: failed to allocate memory (NoMemoryError)",
    "Ruby, as Lambda prints it": '{"errorMessage": "failed to allocate memory", "errorType": "Function<NoMemoryError>", "stackTrace": []}',
    "Rust": "memory allocation of 268435456 bytes failed",
    "killed": f"RequestId: {A} Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n",
    "killed, with a time": f"2025-11-13T02:13:20Z RequestId: {A} Error: Runtime exited with error: signal: killed",
}  # fmt: skip


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_process_that_dies_for_want_of_memory_is_counted_in_its_own_words(runtime: str) -> None:
    lines = [(0, f"START RequestId: {A} Version: 7\n"), (10, RUNTIMES[runtime]), (20, report(A))]
    found = read(lines)
    assert counts(found)["out_of_memory"] == 1
    assert [log.message for log in found.logs] == [RUNTIMES[runtime]]
    assert found.logs[0].body()["lambda"]["request_id"] == A


@pytest.mark.parametrize(
    "text",
    [
        "used 12 MB of memory", "MemoryError handled", "retrying after MemoryError: will be fine",
        "[INFO] MemoryError: handled", "[ERROR] the worker raised MemoryError and was replaced",
        "caught java.lang.OutOfMemoryError from the worker", "OutOfMemoryException is not handled here",
        "no JavaScript heap out of memory any more", "Runtime.OutOfMemory happens at 128 MB",
        '{"message": "cache memory full"}', '{"level": "INFO", "message": "java.lang.OutOfMemoryError: no"}',
        "Out of memory. Buying more.", "not terminating due to OutOfMemoryException.", "see fatal errors: out of memory",
    ],
)  # fmt: skip
def test_a_log_that_mentions_memory_is_a_log(text: str) -> None:
    found = read([(0, f"START RequestId: {A} Version: 7\n"), (10, text), (20, report(A))])
    assert not counts(found)["out_of_memory"]
    assert [log.message for log in found.logs] == [text]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (report(A, "error", 128, Error_Type="Runtime.OutOfMemory"), {"out_of_memory": 1}),
        (report(A, "timeout", 128), {"timeouts": 1, "out_of_memory": 1}),
        (report(A, "timeout", 129), {"timeouts": 1, "out_of_memory": 1}),
        (report(A, "timeout", 127), {"timeouts": 1}),
        (report(A, "error", 128, Error_Type="Runtime.ExitError"), {"out_of_memory": 1}),
        (report(A, "error", 128, Error_Type="Runtime.Unknown"), {}),
        (report(A, "", 128), {}),
        (report_json(A, "error", "Runtime.OutOfMemory"), {"out_of_memory": 1}),
        (report_json(A, "timeout", used=128), {"timeouts": 1, "out_of_memory": 1}),
        (report_json(A, "timeout"), {"timeouts": 1}),
        (report_json(A, used=128), {}),
        (platform("runtimeDone", requestId=A, status="error", errorType="Runtime.OutOfMemory"), {"out_of_memory": 1}),
        (platform("runtimeDone", requestId=A, status="failure", errorType="OutOfMemory"), {"out_of_memory": 1}),
        (platform("runtimeDone", requestId=A, status="error", errorType="MemoryError"), {"out_of_memory": 1}),
        (platform("runtimeDone", requestId=A, status="timeout"), {"timeouts": 1}),
        (platform("runtimeDone", requestId=A, status="success"), {}),
        (platform("runtimeDone", requestId=A, status="error", errorType="Runtime.ExitError"), {}),
        (f"2025-11-13T02:13:20.123Z {A} Task timed out after 3.00 seconds\n\n", {"timeouts": 1}),
    ],
)  # fmt: skip
def test_the_end_of_an_invocation_is_counted(line: str, expected: dict[str, int]) -> None:
    found = counts(read([(0, line)]))
    assert {name: found[name] for name in ("timeouts", "out_of_memory") if found[name]} == expected


def test_all_memory_used_and_a_time_out_in_two_lines_are_one_out_of_memory() -> None:
    lines = [(0, report(A, "", 128)), (1, f"2025-11-13T02:13:20Z {A} Task timed out after 3.00 seconds")]
    for order in (lines, lines[::-1]):
        found = counts(read(order))
        assert (found["timeouts"], found["out_of_memory"]) == (1, 1)
    assert not counts(read([lines[0], (1, f"2025-11-13T02:13:20Z {B} Task timed out after 3.00 seconds")]))[
        "out_of_memory"
    ]


TOLD: dict[str, list[Line]] = {
    "text": [
        (0, f"START RequestId: {A} Version: 7\n"),
        (5, "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"),
        (7, f"RequestId: {A} Error: Runtime exited with error: signal: killed\nRuntime.ExitError\n"),
        (8, f"END RequestId: {A}\n"),
        (9, report(A, "error", 128, Error_Type="Runtime.OutOfMemory")),
    ],
    "JSON": [
        (0, platform("start", requestId=A, version="7")),
        (5, "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"),
        (8, platform("runtimeDone", requestId=A, status="error", errorType="Runtime.OutOfMemory")),
        (9, report_json(A, "error", "Runtime.OutOfMemory", 128)),
    ],
    "both": [
        (0, f"START RequestId: {A} Version: 7\n"),
        (3, "[ERROR] MemoryError\tTraceback (most recent call last):"),
        (4, f"2025-11-13T02:13:20Z {A} Task timed out after 3.00 seconds"),
        (8, platform("runtimeDone", requestId=A, status="timeout")),
        (9, report(A, "timeout", 128)),
    ],
}


def other(lines: list[Line], after: int) -> list[Line]:
    return [(time + after, text.replace(A, B)) for time, text in lines]


@pytest.mark.parametrize("form", TOLD)
def test_an_invocation_is_out_of_memory_once_in_every_order_of_its_lines(form: str) -> None:
    for order in itertools.permutations(TOLD[form]):
        assert counts(read(list(order)))["out_of_memory"] == 1, order


@pytest.mark.parametrize("form", TOLD)
@pytest.mark.parametrize("same_time", [True, False])
def test_two_invocations_are_two_cut_anywhere_and_delivered_twice(form: str, same_time: bool) -> None:
    lines = [*TOLD[form], *other(TOLD[form], 1000)]
    lines = [(0 if same_time else time, text) for time, text in lines]
    for first, second in itertools.combinations(range(len(lines) + 1), 2):
        memory = Memory()
        parts = [lines[:first], lines[first:second], lines[second:]]
        once, again = ([], [])  # type: list[Telemetry], list[Telemetry]
        for number, part in enumerate(parts):
            once.append(read(part, memory, f"unit {number}"))
            again.append(read(part, memory, f"unit {number}"))
        assert counts(*once)["out_of_memory"] == 2, (first, second)
        assert [out.points for out in once] == [out.points for out in again], (first, second)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(TOLD)), st.randoms(use_true_random=False), st.integers(1, 4))
def test_payloads_in_any_order_count_an_invocation_once(form: str, chance: random.Random, size: int) -> None:
    lines = TOLD[form]
    payloads = [lines[i : i + size] for i in range(0, len(lines), size)]
    payloads += chance.sample(payloads, chance.randrange(len(payloads) + 1))
    order = chance.sample(range(len(payloads)), len(payloads))
    memory, seen, found = Memory(), set(), []
    for i in order:
        out = read(payloads[i], memory, str(payloads[i]))
        if str(payloads[i]) not in seen:  # what comes again is known by its place, and not sent again
            found.append(out)
        seen.add(str(payloads[i]))
    assert counts(*found)["out_of_memory"] == 1


def test_a_line_without_a_request_id_belongs_to_the_invocation_that_ran_then() -> None:
    heap = "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory"
    memory = Memory()
    read(
        [
            (0, f"START RequestId: {A} Version: 7\n"),
            (9, report(A)),
            (5000, f"START RequestId: {B} Version: 7\n"),
        ],
        memory,
    )
    found = read([(5, heap), (6, "text"), (5005, heap), (5006, "text")], memory, "late")
    assert counts(found)["out_of_memory"] == 2
    assert not counts(read([(5009, report(B, "error", Error_Type="Runtime.OutOfMemory"))], memory))[
        "out_of_memory"
    ]


def test_a_payload_goes_on_with_the_invocation_that_the_one_before_it_began() -> None:
    memory = Memory()
    read([(0, f"START RequestId: {A} Version: 7\n")], memory, "1")
    bodies = [log.body() for log in read([(5, "between"), (8, report(A)), (9, "behind")], memory, "2").logs]
    assert [body["lambda"]["request_id"] for body in bodies] == [A, A]
    assert [log.body()["lambda"] for log in read([(9000, "much later")], memory, "3").logs] == [
        {"arn": "arn:aws:lambda:eu-west-1:123456789012:function:orders"}
    ]


def test_platform_lines_that_are_logs_too_carry_their_own_request() -> None:
    lines = [
        (0, platform("start", requestId=A)), (1, platform("start", requestId=B)),
        (2, report_json(A)), (3, report_json(B)),
    ]  # fmt: skip
    found = [log.body()["lambda"]["request_id"] for log in read(lines, log_platform=True).logs]
    assert found == [A, B, A, B]


def test_a_text_of_one_of_several_concurrent_invocations_names_none() -> None:
    lines = [
        (0, platform("start", requestId=A)), (1, "A alone"), (2, platform("start", requestId=B)),
        (3, "A or B"), (3, platform("start", requestId=C)), (3, "any"), (3, report_json(C)), (3, "A or B again"),
        (4, report_json(A)), (5, "B alone"), (6, report_json(B)), (7, "B still"),
    ]  # fmt: skip
    found = {log.message: log.body()["lambda"].get("request_id") for log in read(lines).logs}
    none = {"A or B": None, "any": None, "A or B again": None}
    assert found == {"A alone": A, "B alone": B, "B still": B} | none


def test_a_trace_is_joined_to_the_logs_of_the_invocation_that_it_names() -> None:
    span = {
        "trace_id": "0fa1b2c3d4e5f607", "span_id": "00000000000000aa", "parent_id": "0000000000000001",
        "service": "s", "resource": "r", "name": "aws.lambda", "error": 0, "start": 1, "duration": 5,
        "meta": {"request_id": A}, "metrics": {}, "type": "serverless",
    }  # fmt: skip
    lines = [
        (0, platform("start", requestId=A)), (1, "of A"), (2, platform("start", requestId=B)), (3, "of nobody"),
        (4, json.dumps({"traces": [[span]]})), (5, report_json(A)), (6, "of B"),
    ]  # fmt: skip
    found = {log.message: log.body().get("dd", {}).get("trace_id") for log in read(lines).logs}
    assert found == {"of A": str(0x0FA1B2C3D4E5F607), "of nobody": None, "of B": None}


@pytest.mark.parametrize(
    ("qualifier", "tag"), [(":live", ["resource:orders:live"]), (":7", []), ("", []), (":$LATEST", [])]
)
def test_an_invocation_by_an_alias_is_tagged_with_it(qualifier: str, tag: list[str]) -> None:
    arn = f"arn:aws:lambda:eu-west-1:123456789012:function:orders{qualifier}"
    found = read(
        [(0, platform("start", requestId=A, functionArn=arn, version="7")), (9, report_json(A, "timeout"))]
    )
    for point in found.points:
        assert [t for t in point.tags if t.startswith("resource:")] == tag
        assert "executedversion:7" in point.tags


@pytest.mark.parametrize(
    ("line", "metric", "value", "tags"),
    [
        ("RESTORE_REPORT Restore Duration: 511.25 ms", "restore_duration", 0.51125, ()),
        ("RESTORE_REPORT Restore Duration: 1236.04 ms\tStatus: error\tError Type: Runtime.ExitError",
         "restore_errors", 1, ("status:error", "error_type:runtime.exiterror")),
        (report(A, Restore_Duration="498.21 ms", Billed_Restore_Duration="200 ms"), "restore_duration", 0.49821, ()),
        (platform("restoreReport", status="success", metrics={"durationMs": 15.19}), "restore_duration", 0.01519, ()),
        (platform("restoreReport", status="error", errorType="Runtime.X"), "restore_errors", 1,
         ("status:error", "error_type:runtime.x")),
        ("INIT_REPORT Init Duration: 10009.13 ms\tPhase: init\tStatus: timeout", "init_errors", 1,
         ("status:timeout", "phase:init")),
        (platform("initReport", phase="invoke", status="error", errorType="Runtime.OutOfMemory"), "init_errors", 1,
         ("status:error", "phase:invoke", "error_type:runtime.outofmemory")),
        (platform("extension", name="agent", state="LaunchError", events=[], errorType="UnknownError"),
         "extension_errors", 1, ("status:LaunchError", "extension:agent", "error_type:unknownerror")),
        ("EXTENSION\tName: agent\tState: LaunchError\tEvents: []\tError Type: UnknownError", "extension_errors", 1,
         ("status:LaunchError", "extension:agent", "error_type:unknownerror")),
        ("IMAGE\tLaunch error: fork/exec /app: exec format error\tEntrypoint: [/app]\tCmd: []\tWorkingDir: [/]",
         "image_errors", 1, ()),
        (platform("logsDropped", reason="slow", droppedRecords=123, droppedBytes=12345), "logs_dropped", 123, ()),
    ],
)  # fmt: skip
def test_what_lambda_says_of_its_environment_becomes_a_point(
    line: str, metric: str, value: float, tags: tuple[str, ...]
) -> None:
    for text in (line, line.replace("\t", " ")):  # a console's copy has spaces for tabs
        points = [p for p in read([(0, text)]).points if p.metric == f"stepscope.lambda.{metric}"]
        assert [(round(p.value, 9), p.tags[: len(tags)]) for p in points] == [(value, tags)]


@pytest.mark.parametrize(
    "line",
    [
        "INIT_START Runtime Version: python:3.13.v9\tRuntime Version ARN: arn:aws:lambda:eu-west-1::runtime:ab",
        "RESTORE_START Runtime Version: java:21.v12\tRuntime Version ARN: arn:aws:lambda:eu-west-1::runtime:ab",
        "EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]",
        "TELEMETRY\tName: agent\tState: Subscribed\tTypes: [Platform, Function]",
        "LOGS\tName: agent\tState: Subscribed\tTypes: [Platform]",
        "LOGS Name: an agent State: Subscribed Types: [Platform]",
        platform("initStart", initializationType="lambda-managed-instances", phase="init", functionVersion="7"),
        platform("initRuntimeDone", initializationType="on-demand", status="success", spans=[]),
        platform("initReport", initializationType="snap-start", phase="init", status="success",
                 metrics={"durationMs": 125.33}),
        platform("start", requestId=A, version="7", tracing={"spanId": "5"}),
        platform("runtimeDone", requestId=A, status="success", metrics={"durationMs": 1.0, "producedBytes": 16}),
        platform("end", requestId=A),
        platform("restoreStart", functionName="orders", functionVersion="7", instanceMaxMemory=128),
        platform("restoreRuntimeDone", status="success", spans=[]),
        platform("extension", name="agent", state="Ready", events=["INVOKE"]),
        platform("telemetrySubscription", name="agent", state="Subscribed", types=["platform"]),
        platform("logsSubscription", name="agent", state="Subscribed", types=["platform"]),
        platform("logsDropped", reason="none", droppedRecords=0, droppedBytes=0),
        platform("yetUnknown", requestId=A, metrics=[1], status=5, name=None),
    ],
)  # fmt: skip
def test_what_lambda_says_of_no_fault_is_neither_a_point_nor_a_log(line: str) -> None:
    found = read([(0, line)])
    assert (found.points, found.logs, found.refused) == ([], [], [])
    assert [log.message for log in read([(0, line)], log_platform=True).logs] == [line]


def test_a_restore_that_two_lines_tell_of_is_one_and_a_second_one_is_another() -> None:
    lines = [
        (0, "RESTORE_REPORT Restore Duration: 498.21 ms"),
        (9, report(A, Restore_Duration="498.21 ms", Billed_Restore_Duration="200 ms")),
        (90, platform("restoreReport", status="success", metrics={"durationMs": 17.5})),
    ]
    for order in itertools.permutations(lines):
        points = [p.value for p in read(list(order)).points if p.metric.endswith("restore_duration")]
        assert sorted(points) == [0.0175, 0.49821]


def test_why_an_extension_or_an_image_did_not_start_is_a_log_as_well() -> None:
    for line in (
        "EXTENSION\tName: agent\tState: LaunchError\tEvents: []\tError Type: PermissionDenied",
        "IMAGE\tLaunch error: no such file\tEntrypoint: []\tCmd: [app]\tWorkingDir: [/]",
    ):
        for rules in ({}, {"log_platform": True}):
            assert [log.message for log in read([(0, line)], **rules).logs] == [line]
    fault = json.dumps(
        {"time": "x", "type": "platform.fault", "record": f"RequestId: {A} Process exited before it"}
    )
    (log,) = read([(0, fault)]).logs
    assert (log.message, log.body()["lambda"]["request_id"]) == (fault, A)


@pytest.mark.parametrize("kind", ["function", "extension"])
def test_what_the_telemetry_api_wraps_is_read_as_if_it_stood_alone(kind: str) -> None:
    def wrapped(record: Any) -> str:
        return json.dumps({"time": "2025-11-13T02:13:20Z", "type": kind, "record": record})

    log = {"timestamp": "x", "level": "INFO", "message": "a log", "requestId": A}
    found = read([
        (0, wrapped("MONITORING|1763000000|1|count|a.b|#x:y\n")), (1, wrapped("text\n")), (2, wrapped(log)),
        (3, json.dumps({"type": kind, "record": "a log of one's own"})), (4, wrapped(wrapped(wrapped("deep")))),
    ])  # fmt: skip
    assert [point.metric for point in found.points] == ["a.b"]
    texts = [log.message for log in found.logs]
    assert (texts[0], json.loads(texts[1]), texts[3]) == ("text\n", log, "deep")
    assert texts[2].startswith("{")
    assert found.logs[1].body()["lambda"]["request_id"] == A


def entry(request: str, message: Any, key: str = "requestId", level: str = "INFO", **more: Any) -> str:
    """A line of a JSON log format."""
    return json.dumps(
        {"timestamp": "2025-11-13T02:13:20Z", "level": level, "message": message, key: request, **more}
    )


REVERSED = json.dumps({"AWSRequestId": A, "message": "of A", "log_level": "INFO", "timestamp": "x"})


@pytest.mark.parametrize("start", [True, False])
@pytest.mark.parametrize(
    "line",
    [
        entry(A, "of A"), entry(A, "of A", "AWSRequestId"), entry(A, "of A", "function_request_id"), REVERSED,
        entry(A, {"note": "of A"}), entry(A, "of A", level="ERROR"), f"[INFO]\t2025-11-13T02:13:20.123Z\t{A}\tof A\n",
        f"2025-11-13T02:13:20.123Z\t{A}\tINFO\tof A\n", f"2025-11-13T02:13:20.123Z\t{A}\tinfo\tof A",
        f'2025-11-13T02:13:20.123Z\t{A}\tERROR\tInvoke Error \t{{"errorType":"TypeError","errorMessage":"x"}}',
    ],
)  # fmt: skip
def test_a_log_is_of_the_invocation_that_it_names(line: str, start: bool) -> None:
    begun = [(0, platform("start", requestId=A)), (1, platform("start", requestId=B))] if start else []
    for lines in ([*begun, (2, line)], [*begun, (2, entry(B, "of B")), (3, line), (4, entry(B, "again"))]):
        found = {log.message: log.body()["lambda"].get("request_id") for log in read(lines).logs}
        assert found[line] == A
        assert {request for text, request in found.items() if text != line} <= {B}


@pytest.mark.parametrize(
    "line",
    [
        json.dumps({"requestId": B, "msg": "an API's"}), json.dumps({"level": "info", "requestId": B, "message": "x"}),
        entry(B, "an API's, in the form of an entry"), f"see {B}", '{"timestamp": 1, "level": 2, "requestId": 7}',
        '{"timestamp": 1, "level": 2, "requestId": null, "AWSRequestId": ["a"]}',
    ],
)  # fmt: skip
def test_an_id_of_something_else_is_not_the_request_id_of_an_invocation(line: str) -> None:
    found = read([(0, f"START RequestId: {A} Version: 7\n"), (1, line), (2, report(A))])
    assert [log.body()["lambda"]["request_id"] for log in found.logs] == [A]


def test_an_id_in_a_line_of_another_form_is_not_taken_for_the_request_id() -> None:
    lines = [json.dumps({"requestId": B, "msg": "an API's"}), json.dumps({"level": "info", "requestId": B})]
    found = read([(0, platform("start", requestId=A)), *((1, line) for line in lines)])
    assert [log.body()["lambda"]["request_id"] for log in found.logs] == [A, A]


def test_a_line_that_was_counted_before_its_invocation_was_heard_of_counts_again_when_it_comes_again() -> (
    None
):
    memory = Memory()
    heap = [(5, "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory")]
    assert counts(read(heap, memory, "1"))["out_of_memory"] == 1
    later = [*TOLD["text"][:1], TOLD["text"][-1], (5, f"START RequestId: {B} Version: 7\n")]
    assert not counts(read(later, memory, "2"))["out_of_memory"]
    assert counts(read(heap, memory, "1"))["out_of_memory"] == 1
    told = [(9, report(B, "error", Error_Type="Runtime.OutOfMemory"))]
    assert counts(read(told, memory, "3"))["out_of_memory"] == 1


ENTRIES = {
    "Python": {"log_level": "ERROR", "errorMessage": "", "errorType": "MemoryError", "stackTrace": ["x"]},
    "Node.js": {"level": "ERROR", "message": {"errorType": "OutOfMemoryError", "errorMessage": "x"}},
    "Java": {
        "level": "FATAL",
        "message": "Java heap space: java.lang.OutOfMemoryError\njava.lang.OutOfMemoryError: x",
    },
    ".NET": {
        "level": "Error",
        "errorType": "System.OutOfMemoryException",
        "errorMessage": "x",
        "message": "x",
    },
    "Ruby": {
        "level": "ERROR",
        "errorType": "Function<NoMemoryError>",
        "errorMessage": "failed to allocate memory",
    },
}


@pytest.mark.parametrize("runtime", ENTRIES)
@pytest.mark.parametrize("key", ["requestId", "AWSRequestId"])
def test_an_uncaught_error_for_want_of_memory_in_json_is_of_its_invocation(runtime: str, key: str) -> None:
    lines = [
        (0, platform("start", requestId=A)), (1, platform("start", requestId=B)),
        (2, json.dumps({key: A, "timestamp": "x", **ENTRIES[runtime]})),
        (3, report_json(A, "error", "Runtime.OutOfMemory")), (4, report_json(B)),
    ]  # fmt: skip
    for order in itertools.permutations(lines):
        found = read(list(order))
        assert counts(found)["out_of_memory"] == 1
        assert [log.body()["lambda"]["request_id"] for log in found.logs] == [A]
    assert (
        counts(
            read([*lines, (5, platform("runtimeDone", requestId=B, status="error", errorType="OutOfMemory"))])
        )["out_of_memory"]
        == 2
    )


@pytest.mark.parametrize(
    "line",
    [
        entry(A, "MemoryError: handled"), entry(A, {"errorType": "MemoryError"}), entry(A, "x", errorType="MemoryError"),
        entry(A, "java.lang.OutOfMemoryError: handled", level="WARN"), entry(A, "x", exception_name="MemoryError"),
        entry(A, "x", errorType=["MemoryError"], errorMessage="x"), entry(A, [1], errorType="MemoryErrors", errorMessage=""),
    ],
)  # fmt: skip
def test_a_json_log_that_mentions_memory_is_a_log(line: str) -> None:
    found = read([(0, platform("start", requestId=A)), (1, line)])
    assert not found.points
    assert [log.message for log in found.logs] == [line]


def test_a_time_out_in_json_is_of_the_invocation_that_it_names() -> None:
    for line in (
        entry(A, "Task timed out after 3.00 seconds", level="ERROR"),
        entry("", f"2025-11-13T02:13:20.123Z {A} Task timed out after 3.00 seconds"),
    ):
        assert counts(read([(0, line), (1, report_json(A, "timeout"))]))["timeouts"] == 1
