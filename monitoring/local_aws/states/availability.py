"""Resources of a Task: those that AWS has, and those of them that run here."""

from monitoring.local_aws.states.resources import ELSEWHERE, TOKEN, TaskResource, parse_resource
from monitoring.local_aws.states.sdk import boto_name, call_of


def unavailable(arn: str) -> str:
    """Return why this AWS cannot run what a Task names although AWS does; "" if it can, or AWS cannot."""
    resource = parse_resource(arn)
    return (
        (missing_integration(resource) or "")
        if resource is not None and resource.kind in {"sdk", "service"}
        else ""
    )


def missing_integration(resource: TaskResource) -> str | None:
    """Return why this AWS cannot run an integration, "" if it can, None if AWS has no such integration."""
    if resource.kind == "sdk":
        if (
            resource.pattern not in {"", TOKEN}
            or boto_name(resource.service.lower()) is None
            or call_of(resource) is None
        ):
            return None
        from moto.backends import list_of_moto_modules

        name = boto_name(resource.service.lower())
        modules = {module.replace("_", "-") for module in list_of_moto_modules()} | {"lambda"}
        spelled = {module.replace("-", "") for module in modules}
        return "" if str(name).replace("-", "") in spelled else f"moto has no service {name}"
    integration = resource.integration
    if integration is None:
        actions = ELSEWHERE.get(resource.service, "").split()
        return f"it does not run {resource.service}" if resource.action in actions else None
    if resource.pattern in integration.patterns or not resource.pattern:
        return ""
    if resource.pattern in integration.missing:
        return f"it has no containers, so that what {resource.action} starts never ends"
    return None
