"""The API of Step Functions: the table of its operations."""

from typing import Any

from monitoring.local_aws.states import execution_operations, state_machine_operations, task_operations
from monitoring.local_aws.states.errors import ApiError
from monitoring.local_aws.states.responses import Operations, Parameters
from monitoring.local_aws.states.service import StatesService
from monitoring.local_aws.states.test_state import run_test_state


def answer(service: StatesService, operation: str, parameters: Parameters) -> Any:
    """Return the response of an operation; a coroutine where it waits.

    Raises:
        ApiError: it is refused.
    """
    work = _OPERATIONS.get(operation)
    if work is None:
        raise ApiError("UnknownOperationException", f"The embedded AWS has no operation {operation}")
    return work(service, parameters)


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


_OPERATIONS: Operations = {
    **state_machine_operations.OPERATIONS,
    **execution_operations.OPERATIONS,
    **task_operations.OPERATIONS,
    "ListTagsForResource": lambda service, parameters: {
        "tags": [{"key": k, "value": v} for k, v in _tagged(service, parameters).items()]
    },
    "TagResource": _tag,
    "TestState": run_test_state,
    "UntagResource": _untag,
}
