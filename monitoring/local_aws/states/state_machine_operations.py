"""Operations on state machines, their versions and aliases: from parameters to response."""

from monitoring.local_aws.states.errors import ApiError
from monitoring.local_aws.states.responses import Operations, Parameters, paged, without_none
from monitoring.local_aws.states.service import StatesService
from monitoring.local_aws.states.state_machines import Alias, StateMachine, Version
from monitoring.local_aws.states.validation import problems_of


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
    return without_none(
        {"stateMachineArn": arn, "creationDate": known.created, "stateMachineVersionArn": version}
    )


def _update_state_machine(service: StatesService, parameters: Parameters) -> Parameters:
    machine = _state_machine(service, parameters["stateMachineArn"])
    machine.change(parameters)
    version = machine.publish(parameters.get("versionDescription")).arn if parameters.get("publish") else None
    return without_none(
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
        described |= without_none(
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
    return paged("stateMachines", rows, parameters)


def _validate(_: StatesService, parameters: Parameters) -> Parameters:
    problems = problems_of(parameters["definition"], parameters.get("type") or "STANDARD")
    most = parameters.get("maxResults") or 100
    diagnostics = [
        without_none(
            {"severity": p.severity, "code": p.code, "message": p.message, "location": p.location or None}
        )
        for p in problems
    ]
    result = "FAIL" if any(p.severity == "ERROR" for p in problems) else "OK"
    return {"result": result, "diagnostics": diagnostics[:most], "truncated": len(diagnostics) > most}


def _publish_version(service: StatesService, parameters: Parameters) -> Parameters:
    machine = _state_machine(service, parameters["stateMachineArn"])
    revision = parameters.get("revisionId")
    if revision and revision != machine.revision:
        raise ApiError(
            "ConflictException",
            f"Failed to publish the State Machine version for revision {revision}. The current State Machine "
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
    return paged(
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
    return paged("stateMachineAliases", rows, parameters)


OPERATIONS: Operations = {
    "CreateStateMachine": _create_state_machine,
    "CreateStateMachineAlias": _create_alias,
    "DeleteStateMachine": _delete_state_machine,
    "DeleteStateMachineAlias": _delete_alias,
    "DeleteStateMachineVersion": _delete_version,
    "DescribeStateMachine": _describe_state_machine,
    "DescribeStateMachineAlias": lambda service, parameters: _alias(
        service, parameters["stateMachineAliasArn"]
    )[1].describe(),
    "ListStateMachineAliases": _list_aliases,
    "ListStateMachineVersions": _list_versions,
    "ListStateMachines": _list_state_machines,
    "PublishStateMachineVersion": _publish_version,
    "UpdateStateMachine": _update_state_machine,
    "UpdateStateMachineAlias": _update_alias,
    "ValidateStateMachineDefinition": _validate,
}
