"""Executions that tasks start, Distributed Maps, and the API around executions."""

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from state_machines import one_state, run, task, vended

from monitoring.local_aws import LocalAws


def started(child: str, pattern: str = "", **more: Any) -> dict[str, Any]:
    """A task that starts an execution of a state machine."""
    return {
        "Type": "Task",
        "Resource": f"arn:aws:states:::states:startExecution{pattern}",
        "Parameters": {"StateMachineArn": child, "Input": {"n.$": "$.n"}},
        "End": True,
        **more,
    }


@pytest.fixture(scope="module")
def child(aws: LocalAws) -> str:
    """Succeeds with a number above 0, fails with 0, and never ends with one below."""
    definition = {
        "StartAt": "Which",
        "States": {
            "Which": {
                "Type": "Choice",
                "Choices": [
                    {"Variable": "$.n", "NumericEquals": 0, "Next": "No"},
                    {"Variable": "$.n", "NumericLessThan": 0, "Next": "Forever"},
                ],
                "Default": "Yes",
            },
            "Yes": {"Type": "Pass", "Parameters": {"double.$": "States.MathAdd($.n, $.n)"}, "End": True},
            "No": {"Type": "Fail", "Error": "Zero", "Cause": "n is 0"},
            "Forever": {"Type": "Wait", "Seconds": 99999, "End": True},
        },
    }
    return aws.deploy_state_machine("child", definition)


@pytest.mark.parametrize(
    ("pattern", "output"), [("", None), (".sync", '{"double":6}'), (".sync:2", {"double": 6})]
)
def test_a_task_starts_an_execution_and_waits_for_it(
    aws: LocalAws, child: str, pattern: str, output: Any
) -> None:
    done = run(
        aws,
        f"parent{pattern.replace(':', '')}".replace(".", "-"),
        one_state(started(child, pattern)),
        {"n": 3},
    )
    result = json.loads(done["output"])
    assert aws.wait(result["ExecutionArn"], 5)["status"] == "SUCCEEDED"
    assert result.get("Output") == output
    assert json.loads(aws.describe(result["ExecutionArn"])["input"]) == {"n": 3}
    assert isinstance(result["StartDate"], int)
    kinds = [event["type"] for event in aws.history(done["executionArn"])]
    assert ("TaskSubmitted" in kinds) is bool(pattern)


@pytest.mark.parametrize("pattern", [".sync", ".sync:2"])
@pytest.mark.parametrize("names", [["States.TaskFailed"], ["States.ALL"]])
def test_a_child_that_fails_is_a_task_that_failed(
    aws: LocalAws, child: str, pattern: str, names: list[str]
) -> None:
    catch = [
        {"ErrorEquals": ["Zero", "States.Timeout"], "Next": "Wrong"},
        {"ErrorEquals": names, "Next": "Right"},
    ]
    machine = one_state(started(child, pattern, Catch=catch))
    machine["States"] |= {"Right": {"Type": "Succeed"}, "Wrong": {"Type": "Fail"}}
    done = run(aws, f"failing-{len(pattern)}-{len(names[0])}", machine, {"n": 0})
    told = json.loads(done["output"])
    assert told["Error"] == "States.TaskFailed"
    described = json.loads(told["Cause"])
    assert (described["Status"], described["Error"], described["Cause"]) == ("FAILED", "Zero", "n is 0")
    assert described["Input"] == '{"n":0}'


def test_an_execution_that_is_stopped_stops_what_it_waits_for(aws: LocalAws, child: str) -> None:
    aws.deploy_state_machine("stopping", one_state(started(child, ".sync")))
    execution = aws.start("stopping", {"n": -1})
    deadline = time.monotonic() + 60
    while not (submitted := [e for e in aws.history(execution) if e["type"] == "TaskSubmitted"]):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    inner = json.loads(submitted[0]["taskSubmittedEventDetails"]["output"])["ExecutionArn"]
    aws.stop(execution)
    assert aws.wait(inner, 5)["status"] == "ABORTED"


def test_a_started_execution_can_answer_the_token_of_its_task(aws: LocalAws) -> None:
    answer = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sfn:sendTaskSuccess",
        "Parameters": {"TaskToken.$": "$.token", "Output": '{"answered":true}'},
        "End": True,
    }
    arn = aws.deploy_state_machine("answers", one_state(answer))
    state = started(arn, ".waitForTaskToken")
    state["Parameters"] = {"StateMachineArn": arn, "Input": {"token.$": "$$.Task.Token"}}
    assert json.loads(run(aws, "asks", one_state(state), {})["output"]) == {"answered": True}


def test_a_name_is_used_once(aws: LocalAws, child: str) -> None:
    state = started(child, Parameters={"StateMachineArn": child, "Name": "twice", "Input": {"n": 1}})
    assert run(aws, "name-1", one_state(state), {})["status"] == "SUCCEEDED"
    aws.wait(child.replace("stateMachine", "execution") + ":twice", 5)
    assert (
        run(aws, "name-2", one_state(state), {})["error"] == "StepFunctions.ExecutionAlreadyExistsException"
    )


# -- Distributed Map


def processor(state: dict[str, Any], kind: str = "STANDARD") -> dict[str, Any]:
    return {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind}, **one_state(state)}


def distributed(state: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    kind = more.pop("kind", "STANDARD")
    return {
        "Type": "Map",
        "ItemProcessor": processor(state or {"Type": "Pass", "End": True}, kind),
        "End": True,
        **more,
    }


def odd_fails() -> dict[str, Any]:
    """A processor in which odd numbers fail."""
    rules = [{"Variable": "$", "NumericEquals": n} for n in range(1, 20, 2)]
    return {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Which",
        "States": {
            "Which": {"Type": "Choice", "Choices": [{"Or": rules, "Next": "Fails"}], "Default": "Works"},
            "Fails": {"Type": "Fail", "Error": "Odd"},
            "Works": {"Type": "Pass", "End": True},
        },
    }


@pytest.fixture(scope="module")
def bucket(aws: LocalAws) -> str:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="items")
    for number in range(3):
        s3.put_object(Bucket="items", Key=f"in/{number}.txt", Body=b"x" * number)
    objects = {
        "rows.json": '[{"n": 1}, {"n": 2}]',
        "deep.json": '{"a": {"rows": [1, 2, 3]}}',
        "rows.jsonl": '{"n": 1}\n\n{"n": 2}\n',
        "rows.csv": '\ufeffid,"the name"\n1,"a ""b"", c"\n2,\n',
        "rows.psv": "1|x\n2|y\n",
        "list.csv": '"items","in/0.txt"\n',
        "inventory.json": json.dumps(
            {
                "destinationBucket": "arn:aws:s3:::items",
                "fileSchema": "Bucket, Key",
                "files": [{"key": "list.csv"}],
            }
        ),
    }
    for key, body in objects.items():
        s3.put_object(Bucket="items", Key=key, Body=body.encode())
    return "items"


def reader(key: str, **config: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Resource": "arn:aws:states:::s3:getObject",
        "Parameters": {"Bucket": "items", "Key": key},
    }
    return found | ({"ReaderConfig": config} if config else {})


READERS = [
    (reader("rows.json", InputType="JSON"), [{"n": 1}, {"n": 2}]),
    (reader("rows.json", InputType="JSON", MaxItems=1), [{"n": 1}]),
    (reader("rows.json", InputType="JSON", MaxItemsPath="$.most"), [{"n": 1}]),
    (reader("deep.json", InputType="JSON", ItemsPointer="/a/rows"), [1, 2, 3]),
    (reader("rows.jsonl", InputType="JSONL"), [{"n": 1}, {"n": 2}]),
    (
        reader("rows.csv", InputType="CSV", CSVHeaderLocation="FIRST_ROW"),
        [{"id": "1", "the name": 'a "b", c'}, {"id": "2", "the name": ""}],
    ),
    (
        reader(
            "rows.psv", InputType="CSV", CSVHeaderLocation="GIVEN", CSVHeaders=["a", "b"], CSVDelimiter="PIPE"
        ),
        [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}],
    ),
    (reader("inventory.json", InputType="MANIFEST"), [{"Bucket": "items", "Key": "in/0.txt"}]),
]


@pytest.mark.parametrize(("item_reader", "items"), READERS, ids=range(len(READERS)))
@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_items_are_read_from_s3(
    aws: LocalAws, bucket: str, item_reader: dict[str, Any], items: Any, kind: str
) -> None:
    name = f"reads-{READERS.index((item_reader, items))}-{kind}"
    done = run(aws, name, one_state(distributed(kind=kind, ItemReader=item_reader)), {"most": 1})
    assert json.loads(done["output"]) == items


def test_objects_of_a_bucket_are_items(aws: LocalAws, bucket: str) -> None:
    listing = {
        "Resource": "arn:aws:states:::s3:listObjectsV2",
        "Parameters": {"Bucket": bucket, "Prefix": "in/"},
    }
    select = {"key.$": "$$.Map.Item.Value.Key", "n.$": "$$.Map.Item.Index", "from.$": "$.who"}
    done = run(aws, "objects", one_state(distributed(ItemReader=listing, ItemSelector=select)), {"who": "me"})
    assert json.loads(done["output"]) == [{"key": f"in/{n}.txt", "n": n, "from": "me"} for n in range(3)]


UNREADABLE = [
    (reader("none.json", InputType="JSON"), "The specified key does not exist"),
    (reader("rows.csv", InputType="JSON"), "Attempting to map over non-iterable node."),
    (reader("deep.json", InputType="JSON"), "Attempting to map over non-iterable node."),
]


@pytest.mark.parametrize(("item_reader", "cause"), UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_cannot_be_read_fails_the_map_run(
    aws: LocalAws, bucket: str, item_reader: dict[str, Any], cause: str
) -> None:
    name = f"unreadable-{UNREADABLE.index((item_reader, cause))}"
    done = run(aws, name, one_state(distributed(ItemReader=item_reader)), {})
    assert done["error"] == "States.ItemReaderFailed"
    assert cause in done["cause"]
    kinds = [event["type"] for event in aws.history(done["executionArn"])]
    assert kinds[-3:] == ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]


BATCHES = [
    ({"MaxItemsPerBatch": 2}, [[0, 1], [2, 3], [4]]),
    ({"MaxItemsPerBatch": 9}, [[0, 1, 2, 3, 4]]),
    ({"MaxItemsPerBatchPath": "$.size"}, [[0, 1, 2], [3, 4]]),
    ({"MaxInputBytesPerBatch": 17}, [[0, 1], [2, 3], [4]]),
]


@pytest.mark.parametrize(("batcher", "batches"), BATCHES, ids=range(len(BATCHES)))
def test_items_are_handed_over_in_batches(aws: LocalAws, batcher: dict[str, Any], batches: Any) -> None:
    state = distributed(ItemsPath="$.l", ItemBatcher=batcher)
    done = run(
        aws,
        f"batches-{BATCHES.index((batcher, batches))}",
        one_state(state),
        {"l": [0, 1, 2, 3, 4], "size": 3},
    )
    assert json.loads(done["output"]) == [{"Items": items} for items in batches]


def test_a_batch_brings_its_common_input(aws: LocalAws) -> None:
    batcher = {"MaxItemsPerBatch": 2, "BatchInput": {"run.$": "$$.Execution.Name", "who.$": "$.who"}}
    state = distributed(ItemsPath="$.l", ItemBatcher=batcher, ItemSelector={"v.$": "$$.Map.Item.Value"})
    done = run(aws, "common", one_state(state), {"l": [1, 2, 3], "who": "me"})
    common = {"run": done["executionArn"].rpartition(":")[2], "who": "me"}
    assert json.loads(done["output"]) == [
        {"BatchInput": common, "Items": [{"v": 1}, {"v": 2}]},
        {"BatchInput": common, "Items": [{"v": 3}]},
    ]


TOLERATED = [
    ({}, [2, 4], "SUCCEEDED"),
    ({}, [1, 2], "FAILED"),
    ({"ToleratedFailureCount": 0}, [1, 2], "FAILED"),
    ({"ToleratedFailureCount": 1}, [1, 2], "SUCCEEDED"),
    ({"ToleratedFailureCount": 1}, [1, 2, 3], "FAILED"),
    ({"ToleratedFailurePercentage": 0}, [1, 2], "FAILED"),
    ({"ToleratedFailurePercentage": 50}, [1, 2], "SUCCEEDED"),
    ({"ToleratedFailurePercentage": 49.9}, [1, 2], "FAILED"),
    ({"ToleratedFailurePercentage": 100}, [1, 3], "SUCCEEDED"),
    ({"ToleratedFailureCount": 5, "ToleratedFailurePercentage": 10}, [1, 2], "FAILED"),
    ({"ToleratedFailureCountPath": "$.most"}, [1, 2], "SUCCEEDED"),
    ({"ToleratedFailurePercentagePath": "$.most"}, [1, 2], "FAILED"),
]


@pytest.mark.parametrize(("limits", "items", "status"), TOLERATED, ids=range(len(TOLERATED)))
def test_failures_are_tolerated_as_far_as_asked(
    aws: LocalAws, limits: dict[str, Any], items: list[int], status: str
) -> None:
    state = {
        "Type": "Map",
        "ItemsPath": "$.l",
        "ItemProcessor": odd_fails(),
        "MaxConcurrency": 1,
        **limits,
        "End": True,
    }
    done = run(
        aws,
        f"tolerated-{TOLERATED.index((limits, items, status))}",
        one_state(state),
        {"l": items, "most": 1},
    )
    assert done["status"] == status
    if status == "SUCCEEDED":
        assert json.loads(done["output"]) == [n for n in items if n % 2 == 0]
    else:
        assert done["error"] == "States.ExceedToleratedFailureThreshold"


def test_children_are_executions_of_their_own(aws: LocalAws, deploy: Callable[..., str]) -> None:
    state = distributed(task(deploy("echo")), Label="Each", ItemsPath="$.l")
    done = run(aws, "owner", one_state(state), {"l": [1, 2]})
    states = aws.client("stepfunctions")
    (listed,) = states.list_map_runs(executionArn=done["executionArn"])["mapRuns"]
    assert listed["mapRunArn"].startswith("arn:aws:states:us-east-1:123456789012:mapRun:owner/Each:")
    described = states.describe_map_run(mapRunArn=listed["mapRunArn"])
    assert (
        described["status"],
        described["itemCounts"]["succeeded"],
        described["executionCounts"]["total"],
    ) == ("SUCCEEDED", 2, 2)
    children = states.list_executions(mapRunArn=listed["mapRunArn"])["executions"]
    assert len(children) == 2
    for each in children:
        assert each["executionArn"].startswith("arn:aws:states:us-east-1:123456789012:execution:owner/Each:")
        kinds = [event["type"] for event in aws.history(each["executionArn"])]
        assert kinds == [
            "ExecutionStarted",
            "TaskStateEntered",
            "TaskScheduled",
            "TaskStarted",
            "TaskSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded",
        ]
        lines = [line for line in vended(aws, "owner") if line["execution_arn"] == each["executionArn"]]
        assert [line["type"] for line in lines] == kinds
    assert "TaskStateEntered" not in [event["type"] for event in aws.history(done["executionArn"])]


def test_express_children_have_express_arns(aws: LocalAws) -> None:
    state = distributed(
        {"Type": "Pass", "Parameters": {"id.$": "$$.Execution.Id"}, "OutputPath": "$.id", "End": True},
        kind="EXPRESS",
        ItemsPath="$.l",
    )
    (arn,) = json.loads(run(aws, "express-owner", one_state(state), {"l": [1]})["output"])
    assert arn.startswith("arn:aws:states:us-east-1:123456789012:express:express-owner/")


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_children_run_at_a_time_than_asked(aws: LocalAws, most: int) -> None:
    state = distributed(
        {"Type": "Wait", "Seconds": 2, "End": True}, ItemsPath="$.l", MaxConcurrencyPath="$.most"
    )
    done = run(aws, f"most-{most}", one_state(state), {"l": [1, 2, 3, 4], "most": most})
    states = aws.client("stepfunctions")
    (listed,) = states.list_map_runs(executionArn=done["executionArn"])["mapRuns"]
    times = [
        (e["startDate"], e["stopDate"])
        for e in states.list_executions(mapRunArn=listed["mapRunArn"])["executions"]
    ]
    together = [sum(begin <= moment < end for begin, end in times) for moment, _ in times]
    assert max(together) == most


WRITTEN = [
    ({}, "JSON", lambda rows: [json.loads(row["Output"]) for row in rows]),
    ({"Transformation": "COMPACT"}, "JSON", lambda rows: rows),
    ({"Transformation": "FLATTEN", "OutputType": "JSONL"}, "JSONL", lambda rows: rows),
]


@pytest.mark.parametrize(("config", "kind", "read"), WRITTEN, ids=range(len(WRITTEN)))
def test_results_are_written_with_a_manifest(
    aws: LocalAws, config: dict[str, Any], kind: str, read: Any
) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="results")
    writer = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": "results", "Prefix": "out"},
    }
    writer |= {"WriterConfig": config} if config else {}
    state = {
        "Type": "Map",
        "ItemsPath": "$.l",
        "ItemProcessor": odd_fails(),
        "ToleratedFailureCount": 1,
        "ResultWriter": writer,
        "End": True,
    }
    done = run(aws, f"writes-{len(config)}-{kind}", one_state(state), {"l": [2, 3, 4]})
    told = json.loads(done["output"])
    manifest = json.loads(
        s3.get_object(Bucket="results", Key=told["ResultWriterDetails"]["Key"])["Body"].read()
    )
    assert manifest["MapRunArn"] == told["MapRunArn"]
    (succeeded,), (failed,) = manifest["ResultFiles"]["SUCCEEDED"], manifest["ResultFiles"]["FAILED"]
    body = s3.get_object(Bucket="results", Key=succeeded["Key"])["Body"].read().decode()
    assert len(body) == succeeded["Size"]
    rows = [json.loads(line) for line in body.splitlines()] if kind == "JSONL" else json.loads(body)
    assert sorted(read(rows)) == [2, 4]
    body = s3.get_object(Bucket="results", Key=failed["Key"])["Body"].read().decode()
    (row,) = [json.loads(line) for line in body.splitlines()] if kind == "JSONL" else json.loads(body)
    assert (row["Status"], row["Error"], row["Input"]) == ("FAILED", "Odd", "3")


# -- the API


def test_a_sync_execution_gives_its_end(aws: LocalAws) -> None:
    definition = one_state(
        {"Type": "Pass", "Parameters": {"id.$": "$$.Execution.Id", "n.$": "$.n"}, "End": True}
    )
    arn = aws.deploy_state_machine("sync", definition, type="EXPRESS")
    states = aws.client("stepfunctions")
    answer = states.start_sync_execution(stateMachineArn=arn, input='{"n": 1}', name="mine")
    output = json.loads(answer["output"])
    assert (answer["status"], output["n"], answer["name"]) == ("SUCCEEDED", 1, "mine")
    assert answer["executionArn"] == output["id"]
    assert answer["executionArn"].startswith("arn:aws:states:us-east-1:123456789012:express:sync:mine:")
    assert answer["billingDetails"]["billedDurationInMilliseconds"] % 100 == 0
    failed = states.start_sync_execution(stateMachineArn=arn, input="{}")
    assert (failed["status"], failed["error"]) == ("FAILED", "States.Runtime")
    standard = aws.deploy_state_machine("not-express", one_state({"Type": "Succeed"}))
    with pytest.raises(Exception, match="StateMachineTypeNotSupported"):
        states.start_sync_execution(stateMachineArn=standard)


def test_a_redrive_goes_on_where_it_failed(aws: LocalAws, deploy: Callable[..., str], tmp_path: Any) -> None:
    machine = {
        "StartAt": "Once",
        "States": {
            "Once": {"Type": "Pass", "ResultPath": "$.once", "Next": "Try"},
            "Try": task(deploy("fails_twice")),
        },
    }
    event = {"marker": str(tmp_path / "marker")}
    done = run(aws, "redriven", machine, event)
    states = aws.client("stepfunctions")
    assert (done["status"], done["redriveStatus"]) == ("FAILED", "REDRIVABLE")
    states.redrive_execution(executionArn=done["executionArn"])
    assert aws.wait(done["executionArn"], 10)["status"] == "FAILED"
    states.redrive_execution(executionArn=done["executionArn"])
    done = aws.wait(done["executionArn"], 10)
    assert (done["status"], done["redriveCount"], done["redriveStatus"]) == ("SUCCEEDED", 2, "NOT_REDRIVABLE")
    history = aws.history(done["executionArn"])
    kinds = [event["type"] for event in history]
    assert kinds.count("ExecutionRedriven") == 2
    assert kinds.count("PassStateEntered") == kinds.count("TaskStateEntered") == 1
    assert kinds[-5:] == [
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    assert [event["id"] for event in history] == list(range(1, len(history) + 1))
    assert [line["redrive_count"] for line in vended(aws, "redriven")][-1] == "2"
    with pytest.raises(Exception, match="ExecutionNotRedrivable"):
        states.redrive_execution(executionArn=done["executionArn"])


@pytest.mark.parametrize("around", ["Map", "Parallel", "Distributed"])
def test_a_redrive_leaves_out_what_succeeded(
    aws: LocalAws, deploy: Callable[..., str], tmp_path: Any, around: str
) -> None:
    inner = one_state(task(deploy("fails_twice")))
    marker = {"marker": str(tmp_path / "marker")}
    fine = one_state({"Type": "Pass", "End": True})
    if around == "Parallel":
        state: dict[str, Any] = {"Type": "Parallel", "Branches": [fine, inner], "End": True}
        event: Any = marker
    else:
        both = {
            "StartAt": "Which",
            "States": {
                "Which": {
                    "Type": "Choice",
                    "Choices": [{"Variable": "$.marker", "IsPresent": True, "Next": "Only"}],
                    "Default": "Fine",
                },
                "Fine": {"Type": "Pass", "End": True},
                **inner["States"],
            },
        }
        if around == "Distributed":
            both["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
        state = {"Type": "Map", "MaxConcurrency": 1, "ItemProcessor": both, "End": True}
        event = [{"fine": 1}, marker]
    done = run(aws, f"again-{around}", one_state(state), event)
    states = aws.client("stepfunctions")
    for _ in range(2):
        assert done["status"] == "FAILED"
        states.redrive_execution(executionArn=done["executionArn"])
        done = aws.wait(done["executionArn"], 10)
    assert done["status"] == "SUCCEEDED"
    assert json.loads(done["output"])[1] == "at last"
    kinds = [event["type"] for event in aws.history(done["executionArn"])]
    assert kinds.count("PassStateEntered") == (0 if around == "Distributed" else 1)
    assert kinds.count("MapRunRedriven") == (2 if around == "Distributed" else 0)


def test_versions_and_aliases_keep_their_definition(aws: LocalAws) -> None:
    states = aws.client("stepfunctions")

    def definition(value: str) -> dict[str, Any]:
        return one_state({"Type": "Pass", "Result": value, "End": True})

    arn = aws.deploy_state_machine("versioned", definition("first"))
    first = states.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"]
    assert (
        states.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"]
        == first
        == f"{arn}:1"
    )
    aws.deploy_state_machine("versioned", definition("second"))
    second = states.publish_state_machine_version(stateMachineArn=arn, description="two")[
        "stateMachineVersionArn"
    ]
    routes = [{"stateMachineVersionArn": first, "weight": 100}]
    alias = states.create_state_machine_alias(name="live", routingConfiguration=routes)[
        "stateMachineAliasArn"
    ]

    def output(target: str) -> Any:
        return json.loads(aws.wait(aws.start(target), 5)["output"])

    assert (output(arn), output(first), output(second), output(alias)) == (
        "second",
        "first",
        "second",
        "first",
    )
    states.update_state_machine_alias(
        stateMachineAliasArn=alias, routingConfiguration=[{"stateMachineVersionArn": second, "weight": 100}]
    )
    execution = aws.start(alias)
    assert json.loads(aws.wait(execution, 5)["output"]) == "second"
    assert aws.describe(execution)["stateMachineAliasArn"] == alias
    versions = states.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]
    assert [each["stateMachineVersionArn"] for each in versions] == [second, first]
    with pytest.raises(Exception, match="ConflictException"):
        states.delete_state_machine_version(stateMachineVersionArn=second)
    states.delete_state_machine_alias(stateMachineAliasArn=alias)
    states.delete_state_machine_version(stateMachineVersionArn=second)
    with pytest.raises(Exception, match="StateMachineDoesNotExist"):
        aws.start(second)


def state_test(aws: LocalAws, state: dict[str, Any], event: Any, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = aws.client("stepfunctions").test_state(
        definition=json.dumps(state),
        roleArn="arn:aws:iam::123456789012:role/r",
        input=json.dumps(event),
        **more,
    )
    return answer


def test_one_state_can_be_tested(aws: LocalAws, deploy: Callable[..., str]) -> None:
    state = task(aws.function_arn(deploy("echo")))
    state["Parameters"] = {"FunctionName": aws.function_arn("echo"), "Payload.$": "$.order"}
    state |= {
        "InputPath": "$.in",
        "ResultSelector": {"got.$": "$.Payload"},
        "ResultPath": "$.result",
        "OutputPath": "$.result.got",
        "Next": "Ship",
    }
    del state["End"]
    answer = state_test(aws, state, {"in": {"order": 7}, "kept": 1}, inspectionLevel="DEBUG")
    assert (answer["status"], json.loads(answer["output"]), answer["nextState"]) == ("SUCCEEDED", 7, "Ship")
    seen = {key: json.loads(value) for key, value in answer["inspectionData"].items()}
    assert seen["afterInputPath"] == {"order": 7}
    assert seen["afterParameters"] == {"FunctionName": aws.function_arn("echo"), "Payload": 7}
    assert seen["afterResultSelector"] == {"got": 7}
    assert seen["afterResultPath"] == {"in": {"order": 7}, "kept": 1, "result": {"got": 7}}
    assert "inspectionData" not in state_test(aws, state, {"in": {"order": 7}})


TESTED = [
    ({"Type": "Fail", "Error": "E", "Cause": "c"}, {"status": "FAILED", "error": "E", "cause": "c"}),
    ({"Type": "Succeed"}, {"status": "SUCCEEDED", "output": "{}"}),
    (
        {"Type": "Pass", "Parameters": {"a.$": "$.b"}, "End": True},
        {"status": "FAILED", "error": "States.Runtime"},
    ),
    (
        {"Type": "Choice", "Choices": [{"Variable": "$.b", "IsPresent": False, "Next": "Other"}]},
        {"status": "SUCCEEDED", "nextState": "Other"},
    ),
    (
        {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "nobody"},
            "End": True,
        }
        | {"Retry": [{"ErrorEquals": ["Lambda.ResourceNotFoundException"]}]},
        {"status": "RETRIABLE", "error": "Lambda.ResourceNotFoundException"},
    ),
    (
        {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": "nobody"},
            "End": True,
        }
        | {"Catch": [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.e", "Next": "Sorry"}]},
        {"status": "CAUGHT_ERROR", "error": "Lambda.ResourceNotFoundException", "nextState": "Sorry"},
    ),
    (
        {"QueryLanguage": "JSONata", "Type": "Pass", "Output": "{% $v + 1 %}", "End": True},
        {"status": "SUCCEEDED", "output": "3"},
    ),
]


@pytest.mark.parametrize(("state", "expected"), TESTED, ids=range(len(TESTED)))
def test_a_test_says_how_a_state_ends(aws: LocalAws, state: dict[str, Any], expected: dict[str, Any]) -> None:
    answer = state_test(aws, state, {}, inspectionLevel="TRACE", variables='{"v": 2}')
    assert {key: answer.get(key) for key in expected} == expected


def test_activities_hand_tasks_to_workers(aws: LocalAws) -> None:
    states = aws.client("stepfunctions")
    arn = states.create_activity(name="by-hand")["activityArn"]
    aws.deploy_state_machine(
        "activity", one_state({"Type": "Task", "Resource": arn, "TimeoutSeconds": 600, "End": True})
    )
    execution = aws.start("activity", {"n": 1})
    work = states.get_activity_task(activityArn=arn, workerName="me")
    assert json.loads(work["input"]) == {"n": 1}
    states.send_task_success(taskToken=work["taskToken"], output='{"done": true}')
    assert json.loads(aws.wait(execution, 5)["output"]) == {"done": True}
    started_event = next(e for e in aws.history(execution) if e["type"] == "ActivityStarted")
    assert started_event["activityStartedEventDetails"] == {"workerName": "me"}
    with pytest.raises(Exception, match="TaskTimedOut"):
        states.send_task_success(taskToken=work["taskToken"], output="1")
    with pytest.raises(Exception, match="InvalidToken"):
        states.send_task_heartbeat(taskToken="nobody")


@pytest.mark.parametrize("names", [["States.HeartbeatTimeout"], ["States.Timeout"], ["States.ALL"]])
def test_a_missing_heartbeat_is_a_time_out(aws: LocalAws, names: list[str]) -> None:
    url = aws.client("sqs").create_queue(QueueName="beats")["QueueUrl"]
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "Parameters": {"QueueUrl": url, "MessageBody.$": "$$.Task.Token"},
        "HeartbeatSeconds": 2,
        "TimeoutSeconds": 9999,
        "Catch": [
            {"ErrorEquals": ["States.TaskFailed"], "Next": "Wrong"},
            {"ErrorEquals": names, "Next": "Right"},
        ],
        "End": True,
    }
    machine = one_state(state)
    machine["States"] |= {"Right": {"Type": "Succeed"}, "Wrong": {"Type": "Fail"}}
    done = run(aws, f"beat-{names[0][7:]}", machine, {})
    assert (done["status"], json.loads(done["output"])["Error"]) == ("SUCCEEDED", "States.Timeout")


def test_a_heartbeat_keeps_a_task_alive(aws: LocalAws) -> None:
    states = aws.client("stepfunctions")
    arn = states.create_activity(name="beating")["activityArn"]
    state = {"Type": "Task", "Resource": arn, "HeartbeatSeconds": 20, "End": True}
    aws.deploy_state_machine("beating", one_state(state))
    execution = aws.start("beating")
    token = states.get_activity_task(activityArn=arn)["taskToken"]
    done = threading.Event()
    for _ in range(8):  # twice HeartbeatSeconds in all
        states.send_task_heartbeat(taskToken=token)
        done.wait(0.25)
    states.send_task_success(taskToken=token, output="1")
    assert aws.wait(execution, 5)["status"] == "SUCCEEDED"
