"""Deploy stacks: every resource after what it refers to, each by the row of its type."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from monitoring.discovery.intrinsics import Intrinsics
from monitoring.discovery.stack import Stack, StackResource
from monitoring.discovery.stacks import read_template
from monitoring.discovery.templates import load
from monitoring.errors import InputError
from monitoring.local_aws.stack import (
    apis,
    custom_resources,
    functions,
    machines,
    moto_models,
    repositories,
    services,
)
from monitoring.local_aws.stack.resource import Aws, Deployed, Site, StandIn

Make = Callable[[Site, StackResource, dict[str, Any]], Deployed]

TYPES: dict[str, Make] = {
    **dict.fromkeys(moto_models.MODULES, moto_models.make),
    "AWS::ApiGateway::Deployment": apis.rest_deployment,
    "AWS::ApiGateway::Method": apis.method,
    "AWS::ApiGateway::Resource": apis.resource_path,
    "AWS::ApiGateway::RestApi": apis.rest_api,
    "AWS::ApiGateway::Stage": apis.stage,
    "AWS::ApiGatewayV2::Api": apis.http_api,
    "AWS::ApiGatewayV2::Integration": apis.integration,
    "AWS::ApiGatewayV2::Route": apis.route,
    "AWS::ApiGatewayV2::Stage": apis.stage,
    "AWS::CloudFormation::CustomResource": custom_resources.custom_resource,
    "AWS::CloudFront::Distribution": services.distribution,
    "AWS::CodeBuild::Project": services.build_project,
    "AWS::CodeCommit::Repository": repositories.repository,
    "AWS::Events::Rule": services.rule,
    "AWS::IAM::ManagedPolicy": services.policy,
    "AWS::IAM::Policy": services.policy,
    "AWS::IAM::Role": services.role,
    "AWS::IAM::RolePolicy": services.policy,
    "AWS::KinesisFirehose::DeliveryStream": services.delivery_stream,
    "AWS::Lambda::Alias": functions.alias,
    "AWS::Lambda::EventSourceMapping": services.event_source,
    "AWS::Lambda::Function": functions.function,
    "AWS::Lambda::LayerVersion": functions.layer,
    "AWS::Lambda::Url": apis.function_url,
    "AWS::Lambda::Version": functions.version,
    "AWS::Logs::LogGroup": services.log_group,
    "AWS::Logs::SubscriptionFilter": services.subscription_filter,
    "AWS::S3::Bucket": services.bucket,
    "AWS::SNS::Subscription": services.subscription,
    "AWS::Scheduler::Schedule": services.schedule,
    "AWS::SecretsManager::Secret": services.secret,
    "AWS::StepFunctions::Activity": machines.activity,
    "AWS::StepFunctions::StateMachine": machines.state_machine,
}
"""Type -> what deploys it. Anything else is a stand-in: it has a name and an ARN, and does nothing."""

WITHOUT_EFFECT = {
    "AWS::ApiGateway::Account",
    "AWS::ApiGatewayV2::Deployment",
    "AWS::CDK::Metadata",
    "AWS::CloudFront::OriginAccessControl",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Events::EventBusPolicy",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::LayerVersionPermission",
    "AWS::Lambda::Permission",
    "AWS::Logs::MetricFilter",
    "AWS::Logs::ResourcePolicy",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::Serverless::Connector",
}
"""Types whose absence changes nothing of what runs here."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The names and addresses of a deployed stack.

    Attributes:
        names: logical id -> what `!Ref` gives.
        functions: logical id of each function -> its name.
        state_machines: logical id of each state machine -> its ARN.
        log_groups: name of each function -> its log group.
        addresses: logical id of each API and function URL -> where it is served; of each repository -> its
            folder.
        outputs: the template's outputs.
        stand_ins: what is not here what it is on AWS.
        notes: what was assumed when the template was read.
        kept: name of each stack -> its resources, for the next deployment of it.
    """

    names: Mapping[str, Any]
    functions: Mapping[str, str]
    state_machines: Mapping[str, str]
    log_groups: Mapping[str, str]
    addresses: Mapping[str, str]
    outputs: Mapping[str, Any]
    stand_ins: tuple[StandIn, ...]
    notes: tuple[str, ...]
    kept: Mapping[str, Mapping[str, Deployed]] = field(default_factory=dict, repr=False)

    def state_machine(self, name: str) -> str:
        """Return the ARN of a state machine by its logical id, name or ARN.

        Raises:
            InputError: there is none; says which there are.
        """
        by_name = {arn.rpartition(":")[2]: arn for arn in self.state_machines.values()}
        known = {**by_name, **self.state_machines, **{arn: arn for arn in self.state_machines.values()}}
        if name not in known:
            listed = ", ".join(
                f"{key} ({arn.rpartition(':')[2]})" for key, arn in self.state_machines.items()
            )
            raise InputError(
                f"there is no state machine {name}", hint=f"The template has: {listed or 'none'}."
            )
        return known[name]


def deploy_stacks(
    aws: Aws,
    stacks: Iterable[Stack],
    account: str,
    *,
    environment: Mapping[str, Mapping[str, str]] | None = None,
    answers: Mapping[str, Any] | None = None,
    previous: "Deployment | None" = None,
) -> Deployment:
    """Deploy stacks, one after another; a later one may import what an earlier one exports.

    Args:
        aws: the embedded AWS.
        stacks: what to deploy.
        account: the account's number.
        environment: variables of functions by logical id, `*` for all of them.
        answers: what a stand-in answers, by the function's logical id or `STATE_MACHINE.State`.
        previous: what is deployed already; of it, only functions and state machines are deployed anew.

    Raises:
        InputError: a resource cannot be created; says which and why.
    """
    sites = []
    for stack in stacks:
        site = Site(aws, stack, account, environment or {}, answers or {})
        site.kept_stacks.update(previous.kept if previous else {})
        site.kept.update(previous.kept.get(stack.name, {}) if previous else {})
        sites.append((site, _deploy(site)))
    _check_answers(answers or {}, [site for site, _ in sites])
    return _together(sites)


def delete_stacks(deployment: Deployment) -> None:
    """Delete what stacks have deployed, in the reverse order; what a template retains stays.

    Custom resources are told. Executions that run are not waited for.

    Raises:
        InputError: a custom resource answered that it cannot be deleted; what came before it stays.
    """
    for stack in reversed(list(deployment.kept.values())):
        for deployed in reversed(list(stack.values())):
            if deployed.delete is not None:
                deployed.delete()


def _check_answers(answers: Mapping[str, Any], sites: Iterable[Site]) -> None:
    used = {name for site in sites for inner in site.with_nested() for name in inner.stack.resources}
    used |= {stand_in.logical_id for site in sites for stand_in in site.stand_ins}
    for key in answers:
        if key not in used:
            raise InputError(
                f"there is no {key} to answer for",
                hint="Give a function's logical id, or STATE_MACHINE.State with the logical id and a task.",
            )


def _together(sites: list[tuple[Site, dict[str, Any]]]) -> Deployment:
    names: dict[str, Any] = {}
    functions_: dict[str, str] = {}
    state_machines: dict[str, str] = {}
    every = [inner for site, _ in sites for inner in site.with_nested()]
    for site in every:
        for logical_id, deployed in site.deployed.items():
            names.setdefault(logical_id, deployed.ref)
            kind = site.stack.resources[logical_id].type
            if kind == "AWS::Lambda::Function":
                functions_.setdefault(logical_id, deployed.ref)
            elif kind == "AWS::StepFunctions::StateMachine":
                state_machines.setdefault(logical_id, deployed.ref)
    return Deployment(
        names,
        functions_,
        state_machines,
        {name: group for site in every for name, group in site.log_groups.items()},
        _addresses(every),
        {key: value for _, outputs in sites for key, value in outputs.items()},
        tuple(stand_in for site, _ in sites for stand_in in site.stand_ins),
        tuple(note for site in every for note in site.stack.notes),
        {site.stack.name: dict(site.deployed) for site in every},
    )


def _addresses(sites: list[Site]) -> dict[str, str]:
    if not sites:
        return {}
    host = sites[0].aws.host
    folders = {name: str(path) for name, path in host.repositories.items()}
    return {**host.apis.addresses(), **folders}


def _deploy(site: Site) -> dict[str, Any]:
    """Create the resources of one stack, and return its outputs."""
    intrinsics = _intrinsics(site)
    left_out = {
        name
        for name, resource in site.stack.resources.items()
        if resource.condition and not intrinsics.holds(resource.condition)
    }
    for resource in site.stack.in_order(left_out):
        properties = intrinsics.resolve(dict(resource.properties)) or {}
        deployed = _create(site, resource, properties)
        site.deployed[resource.logical_id] = deployed
        if deployed.stand_in:
            site.stand_ins.append(
                StandIn(resource.logical_id, resource.type, deployed.stand_in, deployed.quiet)
            )
    outputs = {}
    for name, value in site.stack.outputs.items():
        try:
            outputs[name] = intrinsics.resolve(value)
        except InputError:  # of a resource whose condition is false
            continue
    return outputs


RELOADED = {
    "AWS::CloudFormation::Stack",
    "AWS::Events::Rule",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IAM::RolePolicy",
    "AWS::Lambda::Function",
    "AWS::Lambda::Url",
    "AWS::Scheduler::Schedule",
    "AWS::StepFunctions::StateMachine",
    *(kind for kind in TYPES if kind.startswith("AWS::ApiGateway")),
}
"""Types that a deployment over an earlier one creates again; other resources stay, with their contents."""


def _create(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    if resource.logical_id in site.kept and resource.type not in RELOADED:
        return site.kept[resource.logical_id]
    if resource.type == "AWS::CloudFormation::Stack":
        return _nested(site, resource, properties)
    make = TYPES.get("AWS::CloudFormation::CustomResource" if _is_custom(resource) else resource.type)
    if make is None:
        return _stand_in(site, resource)
    try:
        deployed = make(site, resource, properties)
        return replace(deployed, delete=None) if resource.retained else deployed
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        what = f"no {wrong}" if isinstance(wrong, KeyError) else str(wrong)
        raise InputError(
            f"{resource.logical_id} ({resource.type}) has properties that cannot be used: {what}",
            where=str(site.stack.source),
        ) from wrong


def _is_custom(resource: StackResource) -> bool:
    return resource.type.startswith("Custom::")


def _stand_in(site: Site, resource: StackResource) -> Deployed:
    name = site.physical_name(resource, _explicit_name(resource))
    _, service, kind = [*resource.type.split("::"), "", ""][:3]
    arn = site.arn(service.lower(), f"{kind.lower()}/{name}")
    quiet = resource.type in WITHOUT_EFFECT
    what = (
        "nothing: it changes nothing that runs here" if quiet else "a name and an ARN: it does nothing here"
    )
    return Deployed(
        name, lambda attribute: arn if attribute.endswith("Arn") else f"{name}.{attribute}", what, quiet
    )


def _explicit_name(resource: StackResource) -> str:
    names = [
        value for key, value in resource.properties.items() if key.endswith("Name") and isinstance(value, str)
    ]
    return names[0] if names else ""


def _nested(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Deploy a nested stack whose template lies on this disk."""
    location = properties.get("TemplateURL")
    asset = resource.metadata.get("aws:asset:path")
    path = site.stack.source.parent / str(asset or location)
    if not path.is_file():
        name = site.physical_name(resource)
        return Deployed(
            name,
            lambda attribute: f"{name}.{attribute}",
            f"nothing: its template {location} is not on this disk",
        )
    stack = read_template(
        load(path),
        path,
        values=properties.get("Parameters") or {},
        name=f"{site.stack.name}-{resource.logical_id}",
    )
    inner = Site(site.aws, stack, site.account, site.environment, site.answers, site.stand_ins)
    inner.kept.update(site.kept_stacks.get(stack.name, {}))
    inner.kept_stacks.update(site.kept_stacks)
    outputs = _deploy(inner)
    site.nested.append(inner)
    return Deployed(
        site.arn("cloudformation", f"stack/{stack.name}"),
        lambda attribute: outputs[attribute.removeprefix("Outputs.")],
    )


def _intrinsics(site: Site) -> Intrinsics:
    stack, region = site.stack, site.aws.region

    def attribute(name: str, key: str) -> Any:
        deployed = site.deployed[name]
        if not key:
            return deployed.ref
        try:
            return deployed.attribute(key)
        except KeyError:
            raise InputError(f"{name} has no attribute {key} here", where=str(stack.source)) from None

    names = {
        **stack.parameters,
        "AWS::AccountId": site.account,
        "AWS::NotificationARNs": [],
        "AWS::Partition": "aws",
        "AWS::Region": region,
        "AWS::StackId": site.arn("cloudformation", f"stack/{stack.name}/local"),
        "AWS::StackName": stack.name,
        "AWS::URLSuffix": "amazonaws.com",
    }
    return Intrinsics(
        names, attribute, stack.mappings, stack.conditions, dynamic=_dynamic(site), where=str(stack.source)
    )


def _dynamic(site: Site) -> Callable[[str, str], str]:
    """Return the reader of `{{resolve:…}}`: a parameter or secret that exists here, else its name."""

    def read(service: str, key: str) -> str:
        name = key.partition(":")[0]
        try:
            if service.startswith("ssm"):
                return str(site.aws.client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
            return str(site.aws.client("secretsmanager").get_secret_value(SecretId=name)["SecretString"])
        except Exception:  # noqa: BLE001  the client's exceptions are made at run time
            return name

    return read
