"""What an ARN says, as Datadog's tags."""


def state_machine_of(execution_arn: str) -> str:
    """The state machine's ARN of an execution's; Express executions carry one more part, Map runs a label.

    `arn:aws:states:REGION:ACCOUNT:execution:NAME:EXECUTION`, `…:express:NAME:EXECUTION:ID`,
    `…:execution:NAME/LABEL:EXECUTION`.
    """
    parts = execution_arn.split(":")
    if len(parts) < 8 or parts[5] not in {"execution", "express"}:
        return ""
    return ":".join((*parts[:5], "stateMachine", parts[6].partition("/")[0]))


def state_machine_tags(arn: str) -> tuple[str, ...]:
    """`statemachinearn`, `statemachinename`, `region`, `account_id` of a state machine's ARN, lower-cased."""
    parts = arn.split(":")
    if len(parts) < 7:
        return (f"statemachinearn:{arn.lower()}",)
    return (
        f"statemachinearn:{arn.lower()}",
        f"statemachinename:{parts[6].lower()}",
        f"region:{parts[3]}",
        f"account_id:{parts[4]}",
    )
