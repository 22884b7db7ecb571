"""Functions of the embedded AWS: what handlers see and return, and what they leave in the log."""

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from monitoring.errors import InputError
from monitoring.local_aws import InvocationError, LocalAws

CODE = Path(__file__).parent / "code"
ID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
START = rf"START RequestId: {ID} Version: \$LATEST"
END = rf"END RequestId: {ID}"
REPORT = (
    rf"REPORT RequestId: {ID}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB"
    r"\tMax Memory Used: \d+ MB\t"
)
INIT = (
    r"INIT_START Runtime Version: python:3\.\d+\.v\d+"
    r"\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:\w+"
)
COLD = r"Init Duration: \d+\.\d\d ms\t"


def log_of(aws: LocalAws, name: str) -> list[str]:
    return [event.message for event in aws.log_events() if event.log_group == f"/aws/lambda/{name}"]


def assert_lines(lines: list[str], patterns: list[str]) -> None:
    assert len(lines) == len(patterns), lines
    for line, pattern in zip(lines, patterns, strict=True):
        assert re.fullmatch(pattern, line, re.DOTALL), (line, pattern)


def test_a_worker_is_used_again_and_only_its_first_invocation_is_a_cold_start(
    aws: LocalAws, deploy: Callable[..., str]
) -> None:
    name = deploy("warm", "environment")
    first, second = aws.invoke(name, []), aws.invoke(name, [])
    assert first["pid"] == second["pid"]
    assert first["log_stream"] == second["log_stream"]
    assert first["request_id"] != second["request_id"]
    assert aws.functions.workers()[name] == 1
    assert_lines(log_of(aws, name), [INIT, START, END, REPORT + COLD, START, END, REPORT])


def test_a_handler_sees_what_lambda_gives_it(aws: LocalAws, deploy: Callable[..., str]) -> None:
    name = deploy("seen", "environment", environment={"STAGE": "dev"}, timeout=7, memory=256)
    wanted = {
        "AWS_LAMBDA_FUNCTION_NAME": "seen",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/seen",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": aws.endpoint_url,
        "AWS_ACCESS_KEY_ID": "ASIALOCALLOCALLOCAL0",
        "LAMBDA_TASK_ROOT": str(CODE),
        "TZ": ":UTC",
        "STAGE": "dev",
        "_HANDLER": "steps.environment",
    }
    seen = aws.invoke(name, [*wanted, "_X_AMZN_TRACE_ID", "AWS_EXECUTION_ENV", "VIRTUAL_ENV", "HTTP_PROXY"])
    variables = seen["variables"]
    assert {key: variables[key] for key in wanted} == wanted
    assert variables["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    assert variables["AWS_EXECUTION_ENV"].startswith("AWS_Lambda_python3.")
    assert variables["VIRTUAL_ENV"] is None
    assert seen["arn"] == aws.function_arn("seen")
    assert seen["memory"] == "256"
    assert 6000 < seen["remaining"] <= 7000
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", seen["log_stream"])


def test_lines_stay_whole_and_in_order(aws: LocalAws, deploy: Callable[..., str]) -> None:
    name = deploy("several_lines")
    aws.invoke(name, {})
    said = [line for line in log_of(aws, name) if not re.match("INIT|START|END|REPORT", line)]
    assert said[0] == "before"
    assert re.fullmatch(rf"\[WARNING\]\t\S+Z\t{ID}\tone\ntwo", said[1])
    assert said[2:] == ["after", "and after that", "no newline at the end"]


def test_the_json_format_wraps_what_is_logged_and_not_what_is_printed(
    aws: LocalAws, deploy: Callable[..., str]
) -> None:
    name = deploy("json_lines", "several_lines", log_format="JSON")
    aws.invoke(name, {})
    lines = log_of(aws, name)
    assert lines[2] == "before"
    logged = json.loads(lines[3])
    assert (logged["level"], logged["message"]) == ("WARNING", "one\ntwo")
    events = [json.loads(line) for line in (*lines[:2], lines[-1])]
    assert [event["type"] for event in events] == ["platform.initStart", "platform.start", "platform.report"]
    metrics = events[-1]["record"]["metrics"]
    assert list(metrics) == [
        "durationMs",
        "billedDurationMs",
        "memorySizeMB",
        "maxMemoryUsedMB",
        "initDurationMs",
    ]
    assert events[-1]["record"]["status"] == "success"


FAILURES = [
    (
        "fails",
        {},
        "ValueError",
        "row 7 is bad",
        [r"\[ERROR\] ValueError: row 7 is bad\nTraceback .*in fails.*", END, REPORT + COLD],
    ),
    (
        "exits",
        {},
        "Runtime.ExitError",
        f"RequestId: {ID} Error: Runtime exited with error: exit status 3",
        [
            "going",
            rf"RequestId: {ID} Error: Runtime exited with error: exit status 3 Runtime\.ExitError",
            END,
            REPORT + COLD + r"Status: error\tError Type: Runtime\.ExitError",
        ],
    ),
    (
        "is_killed",
        {},
        "Runtime.ExitError",
        f"RequestId: {ID} Error: Runtime exited without providing a reason",
        [
            "going down",
            rf"RequestId: {ID} Error: Runtime exited without providing a reason Runtime\.ExitError",
            END,
            REPORT + COLD + r"Status: error\tError Type: Runtime\.ExitError",
        ],
    ),
    (
        "eats_memory",
        {},
        "Runtime.ExitError",
        f"RequestId: {ID} Error: Runtime exited with error: signal: killed",
        [
            rf"RequestId: {ID} Error: Runtime exited with error: signal: killed Runtime\.ExitError",
            END,
            REPORT.replace(r"\d+ MB\t", r"128 MB\t")
            + COLD
            + r"Status: error\tError Type: Runtime\.OutOfMemory",
        ],
    ),
    (
        "sleeps",
        {"seconds": 60},
        "Sandbox.Timedout",
        rf"RequestId: {ID} Error: Task timed out after 1\.00 seconds",
        [
            rf"\d{{4}}-\d\d-\d\dT\S+Z {ID} Task timed out after 1\.00 seconds",
            END,
            REPORT.replace(r"Duration: \d+\.\d\d", r"Duration: 1000\.00", 1) + COLD + "Status: timeout",
        ],
    ),
]


@pytest.mark.parametrize(
    ("function", "event", "kind", "message", "lines"), FAILURES, ids=lambda f: str(f)[:12]
)
def test_an_invocation_that_fails_says_so_to_the_caller_and_in_the_log(
    aws: LocalAws,
    deploy: Callable[..., str],
    function: str,
    event: object,
    kind: str,
    message: str,
    lines: list[str],
) -> None:
    name = deploy(f"failing_{function}", function, timeout=1 if function == "sleeps" else 5)
    with pytest.raises(InvocationError) as failed:
        aws.invoke(name, event)
    assert failed.value.payload["errorType"] == kind
    assert re.fullmatch(message, failed.value.payload["errorMessage"])
    assert_lines(log_of(aws, name), [INIT, START, *lines])


@pytest.mark.parametrize(
    ("function", "status", "kind"),
    [
        ("fails", "error", None),
        ("exits", "error", "Runtime.ExitError"),
        ("sleeps", "timeout", None),
    ],
)
def test_the_json_report_has_the_status(
    aws: LocalAws, deploy: Callable[..., str], function: str, status: str, kind: str | None
) -> None:
    name = deploy(f"json_{function}", function, timeout=1, log_format="JSON")
    with pytest.raises(InvocationError):
        aws.invoke(name, {"seconds": 60})
    record = json.loads(log_of(aws, name)[-1])["record"]
    assert (record["status"], record.get("errorType")) == (status, kind)


def test_after_a_failure_of_the_process_the_next_invocation_starts_cold(
    aws: LocalAws, deploy: Callable[..., str]
) -> None:
    name = deploy("twice_killed", "is_killed")
    for _ in range(2):
        with pytest.raises(InvocationError):
            aws.invoke(name, {})
    assert sum(line.startswith("INIT_START") for line in log_of(aws, name)) == 2


def test_an_import_that_fails_is_tried_twice_and_told_as_lambda_does(aws: LocalAws) -> None:
    aws.deploy_function("broken", handler="broken.handler", code=CODE)
    with pytest.raises(InvocationError, match=r"Runtime.ImportModuleError: Unable to import module 'broken'"):
        aws.invoke("broken", {})
    lines = [line for line in log_of(aws, "broken") if "LAMBDA_WARNING" not in line]
    tried = [
        r"\[ERROR\] Runtime\.ImportModuleError: Unable to import module 'broken': No module named .*",
        (
            r"INIT_REPORT Init Duration: \d+\.\d\d ms\tPhase: {}\tStatus: error"
            r"\tError Type: Runtime\.ImportModuleError"
        ),
    ]
    last = REPORT + r"Status: error\tError Type: Runtime\.ImportModuleError"
    patterns = [p.replace("{}", phase) for phase in ("init", "invoke") for p in tried]
    assert_lines(lines, [INIT, *patterns, START, END, last])


def test_concurrent_invocations_have_workers_of_their_own(aws: LocalAws, deploy: Callable[..., str]) -> None:
    name = deploy("side_by_side", "sleeps")
    aws.invoke(name, {"seconds": 0})
    threads = [threading.Thread(target=aws.invoke, args=(name, {"seconds": 0.6})) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert aws.functions.workers()[name] == 3


def test_a_handler_reaches_the_other_services(aws: LocalAws, deploy: Callable[..., str]) -> None:
    aws.client("s3").create_bucket(Bucket="shared")
    name = deploy("uses_aws", timeout=20)
    assert aws.invoke(name, {"bucket": "shared"}) == "from the worker"
    assert aws.client("s3").get_object(Bucket="shared", Key="a")["Body"].read() == b"from the worker"


def test_new_settings_start_new_workers(aws: LocalAws, deploy: Callable[..., str]) -> None:
    name = deploy("changed", "environment", environment={"STAGE": "one"})
    before = aws.invoke(name, ["STAGE"])
    aws.client("lambda").update_function_configuration(
        FunctionName=name, Environment={"Variables": {"STAGE": "two"}}
    )
    after = aws.invoke(name, ["STAGE"])
    assert (before["variables"], after["variables"]) == ({"STAGE": "one"}, {"STAGE": "two"})
    assert aws.functions.workers()[name] == 1


def test_a_function_deployed_by_boto3_runs_the_code_of_its_archive(aws: LocalAws) -> None:
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("mine.py", "def run(event, context):\n    return [event, 'from the archive']\n")
    aws.client("lambda").create_function(
        FunctionName="mine",
        Role="arn:aws:iam::123456789012:role/local",
        Handler="mine.run",
        Runtime="python3.12",
        Code={"ZipFile": packed.getvalue()},
    )
    assert aws.invoke("mine", 1) == [1, "from the archive"]


def test_an_event_invocation_returns_before_the_handler_does(
    aws: LocalAws, deploy: Callable[..., str]
) -> None:
    name = deploy("later", "sleeps")
    answer = aws.client("lambda").invoke(
        FunctionName=name, InvocationType="Event", Payload=json.dumps({"seconds": 1})
    )
    assert (answer["StatusCode"], answer["Payload"].read()) == (202, b"")
    assert not any(line.startswith("REPORT") for line in log_of(aws, name))
    assert aws.drain(10).pending == 0
    assert log_of(aws, name)[-1].startswith("REPORT")


def test_the_log_tail_comes_with_the_answer_when_asked_for(aws: LocalAws, deploy: Callable[..., str]) -> None:
    import base64

    answer = aws.client("lambda").invoke(FunctionName=deploy("echo"), LogType="Tail", Payload=b'"x"')
    assert "echo x\nEND RequestId" in base64.b64decode(answer["LogResult"]).decode()


REFUSED = [
    ("steps.nothing", r"steps\.py: the module steps defines no nothing"),
    ("no.such.module", r"the module no\.such of handler no\.such\.module is not in .*code"),
    ("handler", "'handler' is not a handler"),
]


@pytest.mark.parametrize(("handler", "message"), REFUSED)
def test_a_handler_that_is_not_there_is_refused_when_deployed(
    aws: LocalAws, handler: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        aws.deploy_function("refused", handler=handler, code=CODE)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "no spaces"}, "function no spaces: 'no spaces' is not a valid function name"),
        ({"timeout": 901}, "a timeout of 901 seconds is not within Lambda's 1 to 900"),
        ({"memory": 64}, "a memory of 64 MB is not within Lambda's 128 to 10240"),
        ({"log_format": "XML"}, "log format 'XML' is neither Text nor JSON"),
    ],
)
def test_settings_that_lambda_has_not_are_refused(aws: LocalAws, settings: dict, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        aws.deploy_function(**{"name": "refused", "handler": "steps.echo", "code": CODE, **settings})


def test_a_function_that_is_not_there_cannot_be_invoked(aws: LocalAws) -> None:
    with pytest.raises(InputError, match=r"invocation of nobody: ResourceNotFoundException"):
        aws.invoke("nobody", {})


def test_a_module_that_is_no_python_is_refused_with_the_place(aws: LocalAws, tmp_path: Path) -> None:
    (tmp_path / "typo.py").write_text("x = 1\ndef handler(event context):\n    pass\n")
    with pytest.raises(InputError, match=r"typo\.py:2:\d+: the module of handler typo\.handler is not valid"):
        aws.deploy_function("refused", handler="typo.handler", code=tmp_path)
