"""Convert an ARN to Datadog's tags."""


def state_machine_of(execution_arn: str) -> str:
    """Return the ARN of the state machine of an execution's ARN, also for Express workflows and Map runs.

    `arn:aws:states:REGION:ACCOUNT:execution:NAME:EXECUTION`, `…:express:NAME:EXECUTION:ID`,
    `…:execution:NAME/LABEL:EXECUTION`.
    """
    parts = execution_arn.split(":")
    if len(parts) < 8 or parts[5] not in {"execution", "express"}:
        return ""
    return ":".join((*parts[:5], "stateMachine", parts[6].partition("/")[0]))


def state_machine_tags(arn: str) -> tuple[str, ...]:
    """Return the tags `statemachinearn`, `statemachinename`, `region`, `account_id` of an ARN."""
    parts = arn.split(":")
    if len(parts) < 7:
        return (f"statemachinearn:{arn.lower()}",)
    return (
        f"statemachinearn:{arn.lower()}",
        f"statemachinename:{parts[6].lower()}",
        f"region:{parts[3]}",
        f"account_id:{parts[4]}",
    )


def function_tags(arn: str) -> tuple[str, ...]:
    """Return the tags of the ARN of a function or durable execution: name, region, account, qualifier.

    `arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER][/durable-execution/…]`; a version is tagged
    `executedversion`, an alias `resource:NAME:ALIAS`, as Datadog's libraries do.
    """
    parts = arn.partition("/")[0].split(":")
    if len(parts) < 7 or parts[5] != "function":
        return ()
    name = parts[6].lower()
    location = (f"function_name:{name}", f"functionname:{name}", f"region:{parts[3]}")
    return (
        *location,
        f"account_id:{parts[4]}",
        f"aws_account:{parts[4]}",
        *qualifier_tags(name, *parts[7:8]),
    )


def qualifier_tags(function: str, qualifier: str = "") -> tuple[str, ...]:
    """Return the tag of a function's version or alias; none without a qualifier."""
    if not qualifier:
        return ()
    version = qualifier.startswith("$") or qualifier.isdecimal()
    tag = f"executedversion:{qualifier}" if version else f"resource:{function}:{qualifier}"
    return (tag.lower(),)
