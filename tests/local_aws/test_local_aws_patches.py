"""What moto does without each patch, so that none outlives its reason; and what is said when moto changed."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.logs.models import LogEvent
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext, EventManager
from moto.stepfunctions.parser.asl.jsonata import jsonata as asl_jsonata
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import boto_client, json_path

from monitoring.errors import InputError
from monitoring.local_aws import LocalAws
from monitoring.local_aws.clock import Interrupted
from monitoring.local_aws.moto_patches import PATCHES, Patch, applied, resolve

ROLE = "arn:aws:iam::123456789012:role/r"
SHOWN: dict[str, Callable[..., None]] = {}
ASL = "moto.stepfunctions.parser.asl"
EXECUTION = "moto.stepfunctions.parser.backend.execution"


def shows(*targets: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The function shows what moto does wrong where these patches are not applied."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        SHOWN.update(dict.fromkeys(targets, function))
        return function

    return register


class Stock:
    """moto as it comes, executing state machines."""

    def client(self, service: str) -> Any:
        return boto3.client(
            service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )

    def start(self, state: dict[str, Any], event: Any = None, **machine: Any) -> str:
        states = self.client("stepfunctions")
        logging = machine.pop("logging", {})
        definition = json.dumps({"StartAt": "A", "States": {"A": {"End": True, **state}}, **machine})
        name = f"m{time.monotonic_ns()}"
        arn = states.create_state_machine(name=name, definition=definition, roleArn=ROLE, **logging)
        started = states.start_execution(
            stateMachineArn=arn["stateMachineArn"], name="x", input=json.dumps(event or {})
        )
        return str(started["executionArn"])

    def describe(self, execution: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.client("stepfunctions").describe_execution(executionArn=execution)
        return answer

    def wait(self, execution: str, status: str = "") -> dict[str, Any]:
        deadline = time.monotonic() + 10
        while (done := self.describe(execution))["status"] == "RUNNING":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return done

    def history(self, execution: str) -> list[str]:
        events = self.client("stepfunctions").get_execution_history(executionArn=execution)["events"]
        return [event["type"] for event in events]

    def token_task(self, **more: Any) -> dict[str, Any]:
        """A task that waits for what never comes."""
        url = self.client("sqs").create_queue(QueueName="q")["QueueUrl"]
        message = {"QueueUrl": url, "MessageBody.$": "$$.Task.Token"}
        resource = "arn:aws:states:::sqs:sendMessage.waitForTaskToken"
        return {"Type": "Task", "Resource": resource, "Parameters": message, **more}


@pytest.fixture
def stock() -> Iterator[Stock]:
    settings = {"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": True}}
    with mock_aws(config=settings):
        yield Stock()


def create_function(stock: Stock) -> str:
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("h.py", "def handler(event, context):\n    return 'ran'\n")
    stock.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    made = stock.client("lambda").create_function(
        FunctionName="f",
        Role=ROLE,
        Handler="h.handler",
        Runtime="python3.12",
        Code={"ZipFile": packed.getvalue()},
    )
    return str(made["FunctionArn"])


@shows("moto.awslambda.models:LambdaFunction.invoke")
def a_handler_does_not_run_without_a_container_engine(stock: Stock) -> None:
    create_function(stock)
    answer = stock.client("lambda").invoke(FunctionName="f")
    assert answer.get("FunctionError") != "Unhandled"
    assert b"ran" not in answer["Payload"].read()


@shows("moto.events.models:Rule.send_to_targets")
def a_rule_cannot_invoke_a_function(stock: Stock) -> None:
    events = stock.client("events")
    events.put_rule(Name="r", EventPattern='{"source": ["s"]}')
    arn = create_function(stock)
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": arn}])
    with pytest.raises(NotImplementedError):
        events.put_events(Entries=[{"Source": "s", "DetailType": "d", "Detail": "{}"}])


@shows("moto.logs.models:LogStream.put_log_events")
def two_writers_get_one_id(stock: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    turns, other = [1], []
    event = {"timestamp": 1, "message": "m"}

    class Number(int):
        def __add__(self, by: int) -> int:  # another thread's turn, between reading and counting on
            if turns:
                turns.pop()
                other.append(LogEvent(0, event))
            return int(self) + by

    monkeypatch.setattr(LogEvent, "_event_id", Number(7))
    first = LogEvent(0, event)
    assert first.event_id == other[0].event_id == 7


@shows("moto.logs.models:LogStream._send_log_events")
def a_subscriber_is_called_by_the_writer_whatever_the_pattern(
    stock: Stock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.awslambda.models import LambdaFunction

    def fail(*_: Any) -> bytes:
        raise RuntimeError("the subscriber's own trouble")

    logs = stock.client("logs")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    arn = create_function(stock)
    logs.put_subscription_filter(logGroupName="g", filterName="f", filterPattern="NEVER", destinationArn=arn)
    monkeypatch.setattr(LambdaFunction, "invoke", fail)
    with pytest.raises(RuntimeError, match="the subscriber's own trouble"):
        logs.put_log_events(
            logGroupName="g",
            logStreamName="s",
            logEvents=[{"timestamp": int(time.time() * 1000), "message": "x"}],
        )


@shows(f"{ASL}.component.state.wait.wait_function.wait_function:WaitFunction._wait_interval")
def a_wait_takes_wall_clock_time(stock: Stock) -> None:
    began = time.monotonic()
    stock.wait(stock.start({"Type": "Wait", "Seconds": 1}))
    assert time.monotonic() - began >= 1


@shows(
    f"{ASL}.component.common.retry.retrier_decl:RetrierDecl._eval_body",
    f"{ASL}.component.common.retry.retrier_decl:time",
)
def a_retry_takes_wall_clock_time_and_cannot_be_stopped(stock: Stock) -> None:
    retry = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}]
    resource = "arn:aws:lambda:us-east-1:123456789012:function:none"
    execution = stock.start({"Type": "Task", "Resource": resource, "Retry": retry})
    while "LambdaFunctionFailed" not in stock.history(execution):
        time.sleep(0.02)
    stock.client("stepfunctions").stop_execution(executionArn=execution)
    time.sleep(0.2)
    assert stock.describe(execution)["status"] == "RUNNING"
    stock.wait(execution)


@shows(
    f"{ASL}.component.common.timeouts.timeout:Timeout._eval_body",
    f"{ASL}.component.state.exec.execute_state:threading",
    "moto.stepfunctions.responses:StepFunctionResponse.stop_execution",
)
def a_task_goes_on_though_its_execution_was_stopped(stock: Stock) -> None:
    began = time.monotonic()
    execution = stock.start(stock.token_task(TimeoutSeconds=1))
    while "TaskSubmitted" not in stock.history(execution):
        time.sleep(0.02)
    stock.client("stepfunctions").stop_execution(executionArn=execution, error="E", cause="C")
    time.sleep(0.3)
    assert stock.describe(execution)["status"] == "RUNNING"
    stock.wait(execution)
    assert time.monotonic() - began >= 1
    assert stock.describe(execution).get("error") != "E"


@shows(
    f"{ASL}.eval.event.event_manager:EventManager.__init__",
    f"{ASL}.eval.event.event_manager:EventManager.add_event",
)
def events_come_after_the_end(stock: Stock) -> None:
    manager = EventManager()
    for kind in (HistoryEventType.ExecutionFailed, HistoryEventType.TaskSucceeded):
        manager.add_event(EventHistoryContext(0), kind)
    assert [event["type"].value for event in manager.get_event_history()][-1] == "TaskSucceeded"


@shows(
    f"{ASL}.eval.environment:Environment.close_frame",
    f"{ASL}.eval.environment:Environment.open_frame",
    f"{ASL}.eval.environment:Environment.open_inner_frame",
)
def a_closed_frame_can_still_write(stock: Stock) -> None:
    frame = SimpleNamespace(event_history_context=EventHistoryContext(7))
    environment = SimpleNamespace(
        _state_mutex=threading.RLock(), _frames=[frame], event_history_context=EventHistoryContext(0)
    )
    Environment.close_frame(environment, frame)
    assert not hasattr(frame.event_history_context, "closed")


@shows(
    f"{ASL}.component.state.exec.state_map.iteration.inline_iteration_component"
    ":InlineIterationComponent._eval_body",
    f"{ASL}.component.state.exec.state_parallel.branches_decl:BranchesDecl._eval_body",
    f"{ASL}.component.state.exec.state_map.iteration.iteration_worker:CustomErrorName",
    f"{ASL}.component.state.exec.state_parallel.branches_decl:CustomErrorName",
)
def nothing_is_aborted_and_a_time_out_loses_its_name(stock: Stock) -> None:
    waiting = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "End": True}}}
    task = stock.token_task(TimeoutSeconds=1, End=True)
    failing = {"StartAt": "T", "States": {"T": task}}
    execution = stock.start({"Type": "Parallel", "Branches": [waiting, failing]})
    done = stock.wait(execution)
    assert done["error"] == "States.Runtime"
    assert not [kind for kind in stock.history(execution) if kind.endswith("Aborted")]


@shows(f"{ASL}.component.program.program:Program.eval")
def the_status_says_timed_out_before_the_history_does(stock: Stock) -> None:
    execution = stock.start(stock.token_task(TimeoutSeconds=2), TimeoutSeconds=1)
    assert stock.wait(execution)["status"] == "TIMED_OUT"
    assert "ExecutionTimedOut" not in stock.history(execution)
    time.sleep(1.2)


@shows(f"{ASL}.component.program.program:Program._eval_body")
def an_interruption_leaves_the_history_without_an_end(stock: Stock) -> None:
    def interrupted(_: Any) -> None:
        raise Interrupted

    program = SimpleNamespace(_get_state=lambda _: SimpleNamespace(eval=interrupted))
    with pytest.raises(Interrupted):
        Program._eval_body(program, SimpleNamespace(is_running=lambda: True, next_state_name="A"))


@shows(f"{ASL}.eval.callback.callback:CallbackEndpoint.setup_heartbeat_endpoint")
def a_heartbeat_is_waited_for_in_wall_clock_time(stock: Stock) -> None:
    began = time.monotonic()
    stock.wait(stock.start(stock.token_task(HeartbeatSeconds=1)))
    assert time.monotonic() - began >= 1


@shows(f"{ASL}.parse.asl_parser:AmazonStateLanguageParser.parse")
def every_execution_parses_the_definition(stock: Stock) -> None:
    text = '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}'
    assert AmazonStateLanguageParser.parse(text)[0] is not AmazonStateLanguageParser.parse(text)[0]


@shows(f"{ASL}.utils.json_path:parse")
def every_use_of_a_path_compiles_it(stock: Stock) -> None:
    assert json_path.parse("$.a") is not json_path.parse("$.a")


@shows("moto.backends:list_of_moto_modules")
def every_request_lists_the_folder(stock: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    import moto.backends

    looked: list[str] = []
    listed = moto.backends.os.listdir
    monkeypatch.setattr(moto.backends.os, "listdir", lambda path: looked.append(path) or listed(path))
    assert list(moto.backends.list_of_moto_modules()) == list(moto.backends.list_of_moto_modules())
    assert len(looked) == 2


@shows(f"{ASL}.utils.boto_client:boto3")
def every_task_makes_a_client(stock: Stock) -> None:
    first, second = (boto_client.boto_client_for("us-east-1", "sqs") for _ in range(2))
    assert first is not second


@shows(
    f"{ASL}.component.state.exec.state_task.lambda_eval_utils:execute_lambda_function_integration",
    f"{ASL}.component.state.exec.state_task.lambda_eval_utils:_invoke_lambda_function",
)
def a_task_invokes_through_a_client(stock: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def client(**settings: Any) -> Any:
        asked.append(settings["service"])
        raise ConnectionError

    monkeypatch.setattr(lambda_eval_utils, "boto_client_for", client)
    env = SimpleNamespace(is_mocked_mode=lambda: False)
    with pytest.raises(ConnectionError):
        lambda_eval_utils.execute_lambda_function_integration(env, {"FunctionName": "f"}, "us-east-1", None)
    assert asked == ["lambda"]
    assert not hasattr(env, "event_manager")  # nobody could have asked whose time it is


@shows(f"{EXECUTION}:Execution.__init__")
def nothing_is_logged(stock: Stock) -> None:
    logs = stock.client("logs")
    logs.create_log_group(logGroupName="g")
    arn = "arn:aws:logs:us-east-1:123456789012:log-group:g:*"
    level = {"level": "ALL", "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}]}
    stock.wait(stock.start({"Type": "Pass"}, logging={"loggingConfiguration": level}))
    assert logs.filter_log_events(logGroupName="g")["events"] == []


@shows(f"{EXECUTION}:Execution.start", f"{EXECUTION}:BaseExecutionWorkerCommunication.terminated")
def no_status_change_is_announced(stock: Stock) -> None:
    sqs, events = stock.client("sqs"), stock.client("events")
    url = sqs.create_queue(QueueName="told")["QueueUrl"]
    events.put_rule(Name="r", EventPattern='{"source": ["aws.states"]}')
    arn = "arn:aws:sqs:us-east-1:123456789012:told"
    events.put_targets(Rule="r", Targets=[{"Id": "1", "Arn": arn}])
    stock.wait(stock.start({"Type": "Pass"}))
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


@shows("moto.stepfunctions.parser.models:StepFunctionsParserBackend.start_execution")
def an_execution_without_a_name_is_called_none(stock: Stock) -> None:
    states = stock.client("stepfunctions")
    definition = '{"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}'
    machine = states.create_state_machine(name="m", definition=definition, roleArn=ROLE)["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]
    assert execution.endswith(":None")
    stock.wait(execution)
    with pytest.raises(states.exceptions.ExecutionAlreadyExists):
        states.start_execution(stateMachineArn=machine)


@shows("moto.stepfunctions.parser.backend.execution_worker:ExecutionWorker._get_evaluation_environment")
def the_context_object_has_no_redrive_count(stock: Stock) -> None:
    state = {"Type": "Pass", "Parameters": {"count.$": "$$.Execution.RedriveCount"}}
    assert stock.wait(stock.start(state))["status"] == "FAILED"


@shows(
    f"{ASL}.eval.event.event_manager:EventManager._get_current_timestamp",
    f"{ASL}.component.state.state:StateData",
)
def the_time_of_entering_has_another_form_and_another_value(stock: Stock) -> None:
    execution = stock.start({"Type": "Pass", "Parameters": {"entered.$": "$$.State.EnteredTime"}})
    entered = json.loads(stock.wait(execution)["output"])["entered"]
    assert entered.endswith("+00:00")


@shows("moto.stepfunctions.responses:StepFunctionResponse.describe_execution")
def an_output_that_is_a_string_is_no_json(stock: Stock) -> None:
    done = stock.wait(stock.start({"Type": "Pass", "Result": "text"}))
    assert done["output"] == "text"


@shows(f"{ASL}.jsonata.jsonata:_eval_jsonata")
def there_is_no_jsonata(stock: Stock) -> None:
    with pytest.raises(TypeError):
        asl_jsonata.eval_jsonata_expression("1 + 1")


@shows(
    f"{ASL}.eval.states:encode_jsonata_variable_declarations",
    f"{ASL}.eval.variable_store:encode_jsonata_variable_declarations",
)
def a_quotation_mark_breaks_an_expression(stock: Stock) -> None:
    assert asl_jsonata.encode_jsonata_variable_declarations({"$a": 'x"y'}) == '$a:="x"y";'


def create_project(stock: Stock, **source: str) -> Any:
    codebuild = stock.client("codebuild")
    environment = {"type": "LINUX_CONTAINER", "image": "i", "computeType": "BUILD_GENERAL1_SMALL"}
    codebuild.create_project(
        name="site",
        source={"type": "NO_SOURCE", "buildspec": "version: 0.2", **source},
        artifacts={"type": "NO_ARTIFACTS"},
        environment=environment,
        serviceRole=ROLE,
    )
    return codebuild


@shows("moto.codebuild.responses:_validate_required_params_source")
def a_project_without_a_source_needs_a_location(stock: Stock) -> None:
    with pytest.raises(Exception, match="Project source location is required"):
        create_project(stock)


@shows(
    "moto.codebuild.responses:CodeBuildResponse.start_build",
    "moto.codebuild.models:CodeBuildBackend.batch_get_builds",
    "moto.codebuild.models:CodeBuildBackend.stop_build",
)
def a_build_has_succeeded_when_one_looks(stock: Stock) -> None:
    codebuild = create_project(stock, location="x")
    override = [{"name": "A", "value": "B"}]
    build = codebuild.start_build(projectName="site", environmentVariablesOverride=override)["build"]
    assert build["environment"]["environmentVariables"] == []
    assert codebuild.batch_get_builds(ids=[build["id"]])["builds"][0]["buildStatus"] == "SUCCEEDED"


@shows("moto.cloudfront.models:Invalidation.__init__", "moto.cloudfront.models:Invalidation.__getattribute__")
def an_invalidation_is_completed_at_once(stock: Stock) -> None:
    cloudfront = stock.client("cloudfront")
    origin = {"Id": "o", "DomainName": "x.s3.amazonaws.com", "S3OriginConfig": {"OriginAccessIdentity": ""}}
    config = {
        "CallerReference": "1",
        "Comment": "",
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {"TargetOriginId": "o", "ViewerProtocolPolicy": "allow-all"},
    }
    made = cloudfront.create_distribution(DistributionConfig=config)["Distribution"]["Id"]
    batch = {"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": "1"}
    done = cloudfront.create_invalidation(DistributionId=made, InvalidationBatch=batch)
    assert done["Invalidation"]["Status"] == "COMPLETED"


@pytest.mark.parametrize("shown", dict.fromkeys(SHOWN.values()), ids=lambda f: f.__name__)
def test_moto_alone(stock: Stock, monkeypatch: pytest.MonkeyPatch, shown: Callable[..., None]) -> None:
    arguments = [stock, monkeypatch][: shown.__code__.co_argcount]
    shown(*arguments)


def test_every_patch_is_shown_to_be_needed_and_has_a_reason() -> None:
    assert set(SHOWN) == {patch.target for patch in PATCHES}
    assert len({patch.target for patch in PATCHES}) == len(PATCHES)
    assert all(len(patch.reason.split()) > 4 for patch in PATCHES)


IMPORTS = """
import sys
{first}
from moto.stepfunctions.parser.models import stepfunctions_parser_backends
print("moto.ec2" in sys.modules)
import moto.batch.models
from moto.batch.utils import JobStatus
print(moto.batch.models.batch_backends is not None, JobStatus.job_statuses() != [])
"""


@pytest.mark.parametrize(("first", "ec2"), [("", "True"), ("import monitoring.local_aws", "False")])
def test_starting_imports_no_ec2_and_batch_stays_usable(first: str, ec2: str) -> None:
    command = [sys.executable, "-c", IMPORTS.format(first=first)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split() == [ec2, "True", "True"]


def test_after_closing_moto_is_as_it_was(tmp_path: Any) -> None:
    before = {patch.target: resolve(patch)[2] for patch in PATCHES}
    with LocalAws(tmp_path):
        assert all(resolve(Patch(p.target, "", p.make))[2] is not before[p.target] for p in PATCHES)
    assert {patch.target: resolve(patch)[2] for patch in PATCHES} == before


GONE = [
    (
        Patch("moto.logs.models:LogStream.put_events", "r", lambda *_: None),
        r"it has no .*LogStream\.put_events",
    ),
    (Patch("moto.logs.moodels:LogStream", "r", lambda *_: None), r"it has no moto\.logs\.moodels:LogStream"),
    (
        Patch("moto.logs.models:LogStream.put_log_events", "r", lambda *_: None, ("self", "events")),
        r"LogStream\.put_log_events takes \(self, log_events\) instead of \(self, events\)",
    ),
]


@pytest.mark.parametrize(("patch", "message"), GONE, ids=["attribute", "module", "parameters"])
def test_a_moto_that_has_changed_is_named_with_what_is_missing(patch: Patch, message: str) -> None:
    from moto.logs.models import LogStream

    before = LogStream._send_log_events
    said = rf"moto 5\.\S+ is not one that the embedded AWS knows: .*{message}"
    with pytest.raises(InputError, match=said), applied((PATCHES[3], patch), SimpleNamespace()):
        pass
    assert LogStream._send_log_events is before
