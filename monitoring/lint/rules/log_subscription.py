"""log-subscription: a log group whose lines reach nobody."""

from collections.abc import Iterator, Mapping

from monitoring.lint.model import Rule
from monitoring.lint.templates.application import Application, TemplateProblem, TemplateResource, plain_name
from monitoring.lint.templates.kinds import TEMPLATE
from monitoring.lint.templates.logs import declared, forwarders, groups, is_named_after

RULE = Rule(
    "log-subscription",
    "warning",
    "A log group of a function or state machine that no subscription filter forwards.",
    TEMPLATE,
)


def check(application: Application) -> Iterator[TemplateProblem]:
    """Find each declared log group of a function or machine without a filter, but for a forwarder's own."""
    subscribed = {
        str(item.properties.get("LogGroupName"))
        for item in application.of_type("AWS::Logs::SubscriptionFilter")
    }
    senders = _senders(application)
    for group in groups(application):
        sender = senders.get(group.logical_id)
        if sender is None or group.names("LogGroupName") & subscribed:
            continue
        message = (
            f"nothing forwards {group.logical_id}, so what {sender} writes does not reach Datadog. Add an "
            "AWS::Logs::SubscriptionFilter to the forwarder"
        )
        yield TemplateProblem(group.spot, message)


def _senders(application: Application) -> dict[str, str]:
    """Return the logical id of each log group that a function or machine writes to, and who does."""
    own = forwarders(application)
    senders: dict[str, str] = {}
    silent: set[str] = set()
    for function in application.functions:
        group = declared(application, function)
        if group is not None:
            is_forwarder = bool(function.names("FunctionName") & own)
            (
                silent.add(group.logical_id)
                if is_forwarder
                else senders.setdefault(group.logical_id, function.logical_id)
            )
    for machine in application.of_type("AWS::StepFunctions::StateMachine"):
        for name in _destinations(machine):
            group = next((item for item in groups(application) if name in item.names("LogGroupName")), None)
            if group is not None:
                senders.setdefault(group.logical_id, machine.logical_id)
    taken = {group.logical_id for group in groups(application) if is_named_after(group, own)}
    return {group: sender for group, sender in senders.items() if group not in silent | taken}


def _destinations(machine: TemplateResource) -> Iterator[str]:
    logging = machine.properties.get("LoggingConfiguration")
    destinations = logging.get("Destinations") if isinstance(logging, Mapping) else None
    for item in destinations if isinstance(destinations, list) else ():
        group = item.get("CloudWatchLogsLogGroup") if isinstance(item, Mapping) else None
        arn = group.get("LogGroupArn") if isinstance(group, Mapping) else None
        if isinstance(arn, str):
            name = arn.partition(":log-group:")[2] or arn
            yield plain_name(name.removesuffix(":*"))
