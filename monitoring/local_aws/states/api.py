"""The API of Step Functions: one function an operation, from parameters to response."""

from collections.abc import Callable, Iterable
from typing import Any

from monitoring.local_aws.states import text
from monitoring.local_aws.states.errors import ApiError
from monitoring.local_aws.states.executions import Execution
from monitoring.local_aws.states.history import now
from monitoring.local_aws.states.service import StatesService
from monitoring.local_aws.states.state_machines import Alias, StateMachine, Version
from monitoring.local_aws.states.test_state import run_test_state
from monitoring.local_aws.states.tokens import ActivityQueue
from monitoring.local_aws.states.validation import problems_of

Parameters = dict[str, Any]
ACTIVITY_SECONDS = 60.0
"""How long GetActivityTask waits for a task, in real time."""


def answer(service: StatesService, operation: str, parameters: Parameters) -> Any:
    """Return the response of an operation; a coroutine where it waits.

    Raises:
        ApiError: it is refused.
    """
    work = OPERATIONS.get(operation)
    if work is None:
        raise ApiError("UnknownOperationException", f"The embedded AWS has no operation {operation}")
    return work(service, parameters)


def _known(values: Parameters) -> Parameters:
    return {key: value for key, value in values.items() if value is not None}


def _paged(name: str, rows: Iterable[Any], parameters: Parameters, largest: int = 1000) -> Parameters:
    """Return a page of a list."""
    everything = list(rows)
    try:
        begin = int(parameters.get("nextToken") or 0)
    except ValueError:
        raise ApiError("InvalidToken", "Invalid Token: 'Invalid token'") from None
    size = parameters.get("maxResults") or min(100, largest)
    page = everything[begin : begin + size]
    more = {"nextToken": str(begin + size)} if begin + size < len(everything) else {}
    return {name: page, **more}


# -- state machines


def _state_machine(service: StatesService, arn: str) -> StateMachine:
    machine = service.state_machines.get(arn)
    if machine is None:
        raise ApiError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
    return machine


def _create_state_machine(service: StatesService, parameters: Parameters) -> Parameters:
    name = parameters["name"]
    arn = f"arn:aws:states:{service.region}:{service.account}:stateMachine:{name}"
    known = service.state_machines.get(arn)
    if known is None:
        known = StateMachine(arn, parameters)
        service.state_machines[arn] = known
    elif (known.definition, known.role) != (parameters["definition"], parameters["roleArn"]):
        raise ApiError("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
    version = known.publish(parameters.get("versionDescription")).arn if parameters.get("publish") else None
    return _known({"stateMachineArn": arn, "creationDate": known.created, "stateMachineVersionArn": version})


def _update_state_machine(service: StatesService, parameters: Parameters) -> Parameters:
    machine = _state_machine(service, parameters["stateMachineArn"])
    machine.change(parameters)
    version = machine.publish(parameters.get("versionDescription")).arn if parameters.get("publish") else None
    return _known(
        {"updateDate": machine.updated, "revisionId": machine.revision, "stateMachineVersionArn": version}
    )


def _describe_state_machine(service: StatesService, parameters: Parameters) -> Parameters:
    machine, version, qualified = service.resolve(parameters["stateMachineArn"])
    described = machine.describe()
    if version is not None:
        described |= {
            "definition": version.definition,
            "roleArn": version.role,
            "creationDate": version.created,
        }
        described |= _known(
            {"stateMachineArn": qualified, "description": version.description, "revisionId": version.revision}
        )
    return described


def _delete_state_machine(service: StatesService, parameters: Parameters) -> Parameters:
    service.state_machines.pop(parameters["stateMachineArn"], None)
    return {}


def _list_state_machines(service: StatesService, parameters: Parameters) -> Parameters:
    rows = [
        {"stateMachineArn": m.arn, "name": m.name, "type": m.kind, "creationDate": m.created}
        for m in sorted(service.state_machines.values(), key=lambda machine: machine.name)
    ]
    return _paged("stateMachines", rows, parameters)


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


def _validate(_: StatesService, parameters: Parameters) -> Parameters:
    problems = problems_of(parameters["definition"], parameters.get("type") or "STANDARD")
    most = parameters.get("maxResults") or 100
    diagnostics = [
        _known({"severity": p.severity, "code": p.code, "message": p.message, "location": p.location or None})
        for p in problems
    ]
    result = "FAIL" if any(p.severity == "ERROR" for p in problems) else "OK"
    return {"result": result, "diagnostics": diagnostics[:most], "truncated": len(diagnostics) > most}


# -- versions and aliases


def _publish_version(service: StatesService, parameters: Parameters) -> Parameters:
    machine = _state_machine(service, parameters["stateMachineArn"])
    wanted = parameters.get("revisionId")
    if wanted and wanted != machine.revision:
        raise ApiError(
            "ConflictException",
            f"Failed to publish the State Machine version for revision {wanted}. The current State Machine "
            f"revision is {machine.revision}.",
        )
    version = machine.publish(parameters.get("description"))
    return {"stateMachineVersionArn": version.arn, "creationDate": version.created}


def _delete_version(service: StatesService, parameters: Parameters) -> Parameters:
    arn = parameters["stateMachineVersionArn"]
    base, _, number = arn.rpartition(":")
    machine = service.state_machines.get(base)
    if machine is not None and number.isdigit():
        using = [
            a.name
            for a in machine.aliases.values()
            if any(r["stateMachineVersionArn"] == arn for r in a.routes)
        ]
        if using:
            raise ApiError(
                "ConflictException",
                "Version to be deleted must not be referenced by an alias. Current list of aliases "
                f"referencing this version: [{', '.join(using)}]",
            )
        machine.versions.pop(int(number), None)
    return {}


def _list_versions(service: StatesService, parameters: Parameters) -> Parameters:
    machine = _state_machine(service, parameters["stateMachineArn"])
    versions: list[Version] = [machine.versions[number] for number in sorted(machine.versions, reverse=True)]
    return _paged(
        "stateMachineVersions",
        [{"stateMachineVersionArn": v.arn, "creationDate": v.created} for v in versions],
        parameters,
    )


def _routes(service: StatesService, routes: list[Parameters]) -> StateMachine:
    """Return the state machine that all routes of an alias lead to."""
    machines = {service.resolve(route["stateMachineVersionArn"])[0].arn for route in routes}
    if len(machines) != 1 or sum(route["weight"] for route in routes) != 100:
        raise ApiError(
            "ValidationException",
            "Routing configuration must name versions of one state machine, with weights that add up to 100",
        )
    return service.state_machines[machines.pop()]


def _create_alias(service: StatesService, parameters: Parameters) -> Parameters:
    machine = _routes(service, parameters["routingConfiguration"])
    name = parameters["name"]
    if name in machine.aliases:
        raise ApiError("ConflictException", f"State Machine Alias with name '{name}' already exists")
    alias = Alias(machine, name, parameters.get("description"), parameters["routingConfiguration"])
    machine.aliases[name] = alias
    return {"stateMachineAliasArn": alias.arn, "creationDate": alias.created}


def _alias(service: StatesService, arn: str) -> tuple[StateMachine, Alias]:
    base, _, name = arn.rpartition(":")
    machine = service.state_machines.get(base)
    if machine is None or name not in machine.aliases:
        raise ApiError("ResourceNotFound", "Request references a resource that does not exist.")
    return machine, machine.aliases[name]


def _update_alias(service: StatesService, parameters: Parameters) -> Parameters:
    _, alias = _alias(service, parameters["stateMachineAliasArn"])
    if parameters.get("routingConfiguration"):
        _routes(service, parameters["routingConfiguration"])
    alias.change(parameters.get("description"), parameters.get("routingConfiguration"))
    return {"updateDate": alias.updated}


def _delete_alias(service: StatesService, parameters: Parameters) -> Parameters:
    machine, alias = _alias(service, parameters["stateMachineAliasArn"])
    del machine.aliases[alias.name]
    return {}


def _list_aliases(service: StatesService, parameters: Parameters) -> Parameters:
    machine, version, _ = service.resolve(parameters["stateMachineArn"])
    rows = [
        {"stateMachineAliasArn": a.arn, "creationDate": a.created}
        for a in machine.aliases.values()
        if version is None or any(r["stateMachineVersionArn"] == version.arn for r in a.routes)
    ]
    return _paged("stateMachineAliases", rows, parameters)


# -- executions


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
        mine = map_run or (
            execution.state_machine_arn == arn and (qualified is None or execution.qualified == qualified)
        )
        if mine and status in {None, execution.status}:
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
    return _paged("executions", rows, parameters)


def _get_execution_history(service: StatesService, parameters: Parameters) -> Parameters:
    execution = _execution(service, parameters["executionArn"])
    events = execution.events()
    if parameters.get("includeExecutionData") is False:
        events = [_without_data(event) for event in events]
    if parameters.get("reverseOrder"):
        events.reverse()
    return _paged("events", events, parameters)


def _without_data(event: Parameters) -> Parameters:
    hidden = {"input", "inputDetails", "output", "outputDetails", "parameters"}
    return {
        key: {name: part for name, part in value.items() if name not in hidden}
        if key.endswith("EventDetails")
        else value
        for key, value in event.items()
    }


# -- Map Runs


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
        _known(
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
    return _paged("mapRuns", rows, parameters)


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


# -- activities and task tokens


def _create_activity(service: StatesService, parameters: Parameters) -> Parameters:
    name = parameters["name"]
    arn = f"arn:aws:states:{service.region}:{service.account}:activity:{name}"
    activity = service.activities.setdefault(arn, ActivityQueue(arn, name, now()))
    return {"activityArn": arn, "creationDate": activity.created}


def _activity(service: StatesService, parameters: Parameters) -> ActivityQueue:
    activity = service.activities.get(parameters["activityArn"])
    if activity is None:
        raise ApiError("ActivityDoesNotExist", f"Activity Does Not Exist: '{parameters['activityArn']}'")
    return activity


def _described_activity(activity: ActivityQueue) -> Parameters:
    return {"activityArn": activity.arn, "name": activity.name, "creationDate": activity.created}


def _delete_activity(service: StatesService, parameters: Parameters) -> Parameters:
    service.activities.pop(parameters["activityArn"], None)
    return {}


async def _get_activity_task(service: StatesService, parameters: Parameters) -> Parameters:
    task = await _activity(service, parameters).take(parameters.get("workerName"), ACTIVITY_SECONDS)
    return {} if task is None else {"taskToken": task.pending.token, "input": task.input}


def _send_task_success(service: StatesService, parameters: Parameters) -> Parameters:
    pending = service.tokens.find(parameters["taskToken"])
    try:
        output = text.loads(parameters["output"])
    except ValueError:
        raise ApiError("InvalidOutput", f"Invalid Output: '{parameters['output']}'") from None
    pending.succeed(output)
    return {}


def _send_task_failure(service: StatesService, parameters: Parameters) -> Parameters:
    service.tokens.find(parameters["taskToken"]).fail(parameters.get("error"), parameters.get("cause"))
    return {}


def _send_task_heartbeat(service: StatesService, parameters: Parameters) -> Parameters:
    service.tokens.find(parameters["taskToken"]).beat()
    return {}


# -- tags


def _tagged(service: StatesService, parameters: Parameters) -> dict[str, str]:
    arn = parameters["resourceArn"]
    tagged: Any = service.state_machines.get(arn) or service.activities.get(arn)
    if tagged is None:
        raise ApiError("ResourceNotFound", "Request references a resource that does not exist.")
    tags: dict[str, str] = tagged.tags
    return tags


def _tag(service: StatesService, parameters: Parameters) -> Parameters:
    _tagged(service, parameters).update({tag["key"]: tag["value"] for tag in parameters["tags"]})
    return {}


def _untag(service: StatesService, parameters: Parameters) -> Parameters:
    tags = _tagged(service, parameters)
    for key in parameters["tagKeys"]:
        tags.pop(key, None)
    return {}


OPERATIONS: dict[str, Callable[[StatesService, Parameters], Any]] = {
    "CreateActivity": _create_activity,
    "CreateStateMachine": _create_state_machine,
    "CreateStateMachineAlias": _create_alias,
    "DeleteActivity": _delete_activity,
    "DeleteStateMachine": _delete_state_machine,
    "DeleteStateMachineAlias": _delete_alias,
    "DeleteStateMachineVersion": _delete_version,
    "DescribeActivity": lambda service, parameters: _described_activity(_activity(service, parameters)),
    "DescribeExecution": _describe_execution,
    "DescribeMapRun": _describe_map_run,
    "DescribeStateMachine": _describe_state_machine,
    "DescribeStateMachineAlias": lambda service, parameters: _alias(
        service, parameters["stateMachineAliasArn"]
    )[1].describe(),
    "DescribeStateMachineForExecution": _describe_for_execution,
    "GetActivityTask": _get_activity_task,
    "GetExecutionHistory": _get_execution_history,
    "ListActivities": lambda service, parameters: _paged(
        "activities", map(_described_activity, service.activities.values()), parameters
    ),
    "ListExecutions": _list_executions,
    "ListMapRuns": _list_map_runs,
    "ListStateMachineAliases": _list_aliases,
    "ListStateMachineVersions": _list_versions,
    "ListStateMachines": _list_state_machines,
    "ListTagsForResource": lambda service, parameters: {
        "tags": [{"key": k, "value": v} for k, v in _tagged(service, parameters).items()]
    },
    "PublishStateMachineVersion": _publish_version,
    "RedriveExecution": _redrive_execution,
    "SendTaskFailure": _send_task_failure,
    "SendTaskHeartbeat": _send_task_heartbeat,
    "SendTaskSuccess": _send_task_success,
    "StartExecution": _start_execution,
    "StartSyncExecution": _start_sync_execution,
    "StopExecution": _stop_execution,
    "TagResource": _tag,
    "TestState": run_test_state,
    "UntagResource": _untag,
    "UpdateMapRun": _update_map_run,
    "UpdateStateMachine": _update_state_machine,
    "UpdateStateMachineAlias": _update_alias,
    "ValidateStateMachineDefinition": _validate,
}
