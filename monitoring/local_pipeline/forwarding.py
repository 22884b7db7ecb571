"""Send an application's logs to the embedded Datadog, with its own forwarder or an additional one."""

from collections.abc import Iterable

from monitoring.discovery.stack import Stack
from monitoring.local_aws import LocalAws
from monitoring.local_aws.stack import Deployment

FORWARDER, STATES_FORWARDER = "stepscope-forwarder", "stepscope-states-forwarder"
HANDLERS = {
    "monitoring.forwarder.handler",
    "monitoring.forwarder.lambda_handler.handler",
    "handlers.forwarder.handler",
}
"""The handlers that identify a template's own forwarder."""


def own_forwarders(stacks: Iterable[Stack]) -> list[str]:
    """Return the logical ids of the forwarders in the templates."""
    return [
        resource.logical_id
        for stack in stacks
        for resource in stack.of_type("AWS::Lambda::Function")
        if resource.properties.get("Handler") in HANDLERS
    ]


def forwarder_environment(url: str) -> dict[str, str]:
    """Return the variables that make a forwarder send to the embedded Datadog, which accepts any key.

    Step Functions' events are also sent as logs, so that the pages show running executions.
    """
    return {
        "DD_URL": url,
        "DD_API_KEY": "local",
        "DD_API_KEY_SECRET_ARN": "",
        "DD_API_KEY_SSM_NAME": "",
        "DD_KMS_API_KEY": "",
        "MONITORING_LOG_PLATFORM": "true",
    }


def add_forwarder(aws: LocalAws, deployment: Deployment, url: str, tags: dict[str, str]) -> list[str]:
    """Deploy a forwarder, and subscribe it to the logs of every function and state machine.

    The logs of state machines have a separate forwarder with a concurrency of one: the span of a state needs
    its start and its end in one environment.

    Returns:
        The names of the subscribed log groups.
    """
    environment = {**forwarder_environment(url), **tags}
    for name in (FORWARDER, STATES_FORWARDER):
        aws.deploy_function(
            name,
            handler="monitoring.forwarder.handler",
            timeout=60,
            memory=512,
            environment=environment,
            check=False,
        )
    client = aws.client("lambda")
    client.put_function_concurrency(FunctionName=STATES_FORWARDER, ReservedConcurrentExecutions=1)
    subscribed = dict.fromkeys(deployment.log_groups.values(), FORWARDER)
    for arn in deployment.state_machines.values():
        subscribed |= dict.fromkeys(_log_groups(aws, arn), STATES_FORWARDER)
    for group, function in subscribed.items():
        aws.subscribe(group, function)
    aws.notify_status_changes(FORWARDER)
    return sorted(subscribed)


def _log_groups(aws: LocalAws, state_machine: str) -> list[str]:
    described = aws.host.answer_states("DescribeStateMachine", {"stateMachineArn": state_machine})
    logging = described.get("loggingConfiguration") or {}
    arns = [
        str((destination.get("cloudWatchLogsLogGroup") or {}).get("logGroupArn", ""))
        for destination in logging.get("destinations") or ()
    ]
    return [arn.partition(":log-group:")[2].removesuffix(":*") for arn in arns if ":log-group:" in arn]


def silent_machines(aws: LocalAws, deployment: Deployment) -> list[str]:
    """Return the logical ids of the state machines without logging; their states have no spans."""
    return [name for name, arn in deployment.state_machines.items() if not _log_groups(aws, arn)]
