"""Compute logical ids as the Serverless Framework does, and normalize the formats of its sections."""

from collections.abc import Mapping
from typing import Any


def normalised(name: Any) -> str:
    """Return a name in the form of logical ids: `pay-refund_x` becomes PayDashrefundUnderscorex."""
    text = str(name).replace("-", "Dash").replace("_", "Underscore")
    return text[:1].upper() + text[1:]


def logical_name(function: str) -> str:
    """Return a function's logical id."""
    return f"{normalised(function)}LambdaFunction"


def machine_name(key: str, machine: Mapping[str, Any]) -> str:
    """Return the logical id of a state machine: from its `id`, else from its `name` if that is text.

    Source: lib/naming.js of serverless-step-functions, getStateMachineLogicalId.
    """
    name = machine.get("id") or machine.get("name")
    return normalised(name) if isinstance(name, str) else f"{normalised(key)}StepFunctionsStateMachine"


def get_att(logical_id: str, attribute: str = "Arn") -> dict[str, Any]:
    """Return `!GetAtt LOGICAL_ID.ATTRIBUTE` in its long form."""
    return {"Fn::GetAtt": [logical_id, attribute]}


def section(value: Any) -> dict[str, Any]:
    """Return an object, or {} for anything else."""
    return {str(key): item for key, item in value.items()} if isinstance(value, Mapping) else {}


def objects(value: Any) -> dict[str, dict[str, Any]]:
    """Return an object of objects, which the configuration may give as a list of objects."""
    parts = value if isinstance(value, list) else [value]
    return {
        key: section(item)
        for part in parts
        for key, item in section(part).items()
        if isinstance(item, Mapping)
    }
