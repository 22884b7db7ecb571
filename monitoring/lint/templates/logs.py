"""Which log groups an application writes to, and which of them are subscribed."""

from collections.abc import Mapping

from monitoring.lint.templates.application import Application, TemplateResource, plain_name

_LAMBDA = "/aws/lambda/"


def forwarders(application: Application) -> set[str]:
    """Return the names of the functions that take log groups, whose own logs must not go to them."""
    names: set[str] = set()
    for item in application.of_type("AWS::Logs::SubscriptionFilter"):
        names.add(plain_name(item.properties.get("DestinationArn")))
    for function in application.functions:
        if str(function.properties.get("Handler", "")).startswith("monitoring.forwarder"):
            names |= function.names("FunctionName")
    return names - {""}


def group_of(function: TemplateResource) -> str:
    """Return the name or logical id of the log group that a function writes to."""
    config = function.properties.get("LoggingConfig")
    own = config.get("LogGroup") if isinstance(config, Mapping) else None
    if isinstance(own, str) and own:
        return own
    name = function.properties.get("FunctionName")
    return _LAMBDA + (name if isinstance(name, str) and name else function.logical_id)


def groups(application: Application) -> list[TemplateResource]:
    """Return the log groups that the template declares."""
    return list(application.of_type("AWS::Logs::LogGroup"))


def declared(application: Application, function: TemplateResource) -> TemplateResource | None:
    """Return the log group of a function that the template declares, or None."""
    name = group_of(function)
    return next((group for group in groups(application) if name in group.names("LogGroupName")), None)


def is_named_after(group: TemplateResource, names: set[str]) -> bool:
    """Return whether a log group is that of a function with one of these names."""
    name = group.properties.get("LogGroupName")
    return isinstance(name, str) and any(name == _LAMBDA + item for item in names)
