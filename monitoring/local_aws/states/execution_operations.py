"""Operations on executions and Map Runs: from parameters to response, a coroutine where one waits."""

from typing import Any

from monitoring.local_aws.states.errors import ApiError
from monitoring.local_aws.states.executions import Execution
from monitoring.local_aws.states.history import now
from monitoring.local_aws.states.responses import Operations, Parameters, paged, without_none
from monitoring.local_aws.states.service import StatesService


def _execution(service: StatesService, arn: str) -> Execution:
    execution = service.executions.get(arn)
    if execution is None:
        raise ApiError("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
    return execution


def _start_execution(service: StatesService, parameters: Parameters) -> Parameters:
    execution = service.start(
        parameters["stateMachineArn"], parameters.get("input") or "{}", parameters.get("name")
    )
    return {"executionArn": execution.arn, "startDate": execution.started}


async def _start_sync_execution(service: StatesService, parameters: Parameters) -> Parameters:
    machine, _, _ = service.resolve(parameters["stateMachineArn"])
    if machine.kind != "EXPRESS":
        raise ApiError(
            "StateMachineTypeNotSupported", "This operation is not supported by this type of state machine"
        )
    execution = service.start(
        parameters["stateMachineArn"], parameters.get("input") or "{}", parameters.get("name")
    )
    await execution.wait()
    kept = (
        "executionArn",
        "stateMachineArn",
        "name",
        "startDate",
        "stopDate",
        "status",
        "error",
        "cause",
        "input",
        "inputDetails",
        "output",
        "outputDetails",
    )
    described = execution.describe()
    took = round((described["stopDate"] - described["startDate"]).total_seconds() * 1000)
    billed = {"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": -(-max(took, 1) // 100) * 100}
    return {**{key: described[key] for key in kept if key in described}, "billingDetails": billed}


def _stop_execution(service: StatesService, parameters: Parameters) -> Any:
    execution = _execution(service, parameters["executionArn"])
    if execution.kind == "EXPRESS":
        raise ApiError(
            "StateMachineTypeNotSupported", "This operation is not supported by this type of state machine"
        )

    async def stop() -> Parameters:
        if execution.status == "RUNNING":
            execution.stop(parameters.get("error"), parameters.get("cause"))
            await execution.wait()
        return {"stopDate": execution.stopped or now()}

    return stop()


def _redrive_execution(service: StatesService, parameters: Parameters) -> Parameters:
    execution = _execution(service, parameters["executionArn"])
    status, reason = execution.redrivable()
    if status != "REDRIVABLE" or execution.top is None:
        raise ApiError("ExecutionNotRedrivable", reason or f"Execution '{execution.arn}' is not redrivable")
    execution.redrive()
    return {"redriveDate": execution.redriven}


def _describe_execution(service: StatesService, parameters: Parameters) -> Parameters:
    described = _execution(service, parameters["executionArn"]).describe()
    if parameters.get("includedData") == "METADATA_ONLY":
        for key in ("input", "output", "error", "cause"):
            described.pop(key, None)
    return described


def _list_executions(service: StatesService, parameters: Parameters) -> Parameters:
    arn, map_run, status = (
        parameters.get("stateMachineArn"),
        parameters.get("mapRunArn"),
        parameters.get("statusFilter"),
    )
    qualified: str | None = None
    if map_run is None:
        machine, _, qualified = service.resolve(arn or "")
        if machine.kind == "EXPRESS":
            raise ApiError(
                "StateMachineTypeNotSupported",
                "This operation is not supported by this type of state machine",
            )
        arn = machine.arn
    elif map_run not in service.map_runs:
        raise ApiError("ResourceNotFound", "Request references a resource that does not exist.")
    executions = service.map_runs[map_run].children if map_run else service.executions.values()
    rows = []
    for execution in reversed(list(executions)):
        selected = map_run or (
            execution.state_machine_arn == arn and (qualified is None or execution.qualified == qualified)
        )
        if selected and status in {None, execution.status}:
            described = execution.describe()
            kept = (
                "executionArn",
                "stateMachineArn",
                "name",
                "status",
                "startDate",
                "stopDate",
                "mapRunArn",
                "redriveCount",
                "redriveDate",
                "stateMachineVersionArn",
                "stateMachineAliasArn",
            )
            rows.append({key: described[key] for key in kept if key in described})
    return paged("executions", rows, parameters)


def _get_execution_history(service: StatesService, parameters: Parameters) -> Parameters:
    execution = _execution(service, parameters["executionArn"])
    events = execution.events()
    if parameters.get("includeExecutionData") is False:
        events = [_without_data(event) for event in events]
    if parameters.get("reverseOrder"):
        events.reverse()
    return paged("events", events, parameters)


def _without_data(event: Parameters) -> Parameters:
    hidden = {"input", "inputDetails", "output", "outputDetails", "parameters"}
    return {
        key: {name: part for name, part in value.items() if name not in hidden}
        if key.endswith("EventDetails")
        else value
        for key, value in event.items()
    }


def _describe_for_execution(service: StatesService, parameters: Parameters) -> Parameters:
    execution = _execution(service, parameters["executionArn"])
    machine = service.state_machines.get(execution.state_machine_arn.partition("/")[0])
    if machine is None:
        raise ApiError(
            "StateMachineDoesNotExist", f"State Machine Does Not Exist: '{execution.state_machine_arn}'"
        )
    kept = (
        "definition",
        "roleArn",
        "loggingConfiguration",
        "tracingConfiguration",
        "encryptionConfiguration",
        "name",
    )
    described = {key: value for key, value in machine.describe().items() if key in kept}
    return {
        **described,
        "stateMachineArn": execution.state_machine_arn,
        "updateDate": machine.updated or machine.created,
    }


def _map_run(service: StatesService, parameters: Parameters) -> Any:
    map_run = service.map_runs.get(parameters["mapRunArn"])
    if map_run is None:
        raise ApiError("ResourceNotFound", "Request references a resource that does not exist.")
    return map_run


def _describe_map_run(service: StatesService, parameters: Parameters) -> Parameters:
    described: Parameters = _map_run(service, parameters).describe()
    return described


def _list_map_runs(service: StatesService, parameters: Parameters) -> Parameters:
    execution = _execution(service, parameters["executionArn"])
    rows = [
        without_none(
            {
                "executionArn": m.execution_arn,
                "mapRunArn": m.arn,
                "stateMachineArn": m.state_machine_arn,
                "startDate": m.started,
                "stopDate": m.stopped,
            }
        )
        for m in service.map_runs.values()
        if m.execution_arn == execution.arn
    ]
    return paged("mapRuns", rows, parameters)


def _update_map_run(service: StatesService, parameters: Parameters) -> Parameters:
    map_run = _map_run(service, parameters)
    for parameter, attribute in (
        ("maxConcurrency", "max_concurrency"),
        ("toleratedFailureCount", "tolerated_count"),
        ("toleratedFailurePercentage", "tolerated_percentage"),
    ):
        if parameters.get(parameter) is not None:
            setattr(map_run, attribute, parameters[parameter])
    return {}


OPERATIONS: Operations = {
    "DescribeExecution": _describe_execution,
    "DescribeMapRun": _describe_map_run,
    "DescribeStateMachineForExecution": _describe_for_execution,
    "GetExecutionHistory": _get_execution_history,
    "ListExecutions": _list_executions,
    "ListMapRuns": _list_map_runs,
    "RedriveExecution": _redrive_execution,
    "StartExecution": _start_execution,
    "StartSyncExecution": _start_sync_execution,
    "StopExecution": _stop_execution,
    "UpdateMapRun": _update_map_run,
}
