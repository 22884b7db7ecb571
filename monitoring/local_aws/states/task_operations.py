"""Operations of workers: activities and task tokens."""

from monitoring.local_aws.states import text
from monitoring.local_aws.states.errors import ApiError
from monitoring.local_aws.states.history import now
from monitoring.local_aws.states.responses import Operations, Parameters, paged
from monitoring.local_aws.states.service import StatesService
from monitoring.local_aws.states.tokens import ActivityQueue

ACTIVITY_SECONDS = 60.0
"""How long GetActivityTask waits for a task, in real time."""


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


OPERATIONS: Operations = {
    "CreateActivity": _create_activity,
    "DeleteActivity": _delete_activity,
    "DescribeActivity": lambda service, parameters: _described_activity(_activity(service, parameters)),
    "GetActivityTask": _get_activity_task,
    "ListActivities": lambda service, parameters: paged(
        "activities", map(_described_activity, service.activities.values()), parameters
    ),
    "SendTaskFailure": _send_task_failure,
    "SendTaskHeartbeat": _send_task_heartbeat,
    "SendTaskSuccess": _send_task_success,
}
