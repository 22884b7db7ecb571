"""Resources that moto's CloudFormation does not have, or makes without what a pipeline needs of them."""

import json
import secrets
import string
from collections.abc import Mapping
from shutil import which
from typing import Any

from monitoring.discovery.iam import holders, inline_policies
from monitoring.discovery.stack import StackResource
from monitoring.local_aws import moto_backends
from monitoring.local_aws.filter_pattern import compile_pattern
from monitoring.local_aws.stack import moto_models
from monitoring.local_aws.stack.resource import Deployed, Site


def bucket(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create a bucket, and what it notifies."""
    made = moto_models.make(site, resource, properties)
    config = properties.get("NotificationConfiguration")
    if config:
        notifications = {
            f"{kind}Configurations": [_notification(entry, source, arn) for entry in config.get(key) or ()]
            for key, kind, source, arn in _NOTIFIED
        }
        if (config.get("EventBridgeConfiguration") or {}).get("EventBridgeEnabled", False):
            notifications["EventBridgeConfiguration"] = {}  # type: ignore[assignment]  # S3's own form of "yes"
        site.aws.client("s3").put_bucket_notification_configuration(
            Bucket=made.ref, NotificationConfiguration={k: v for k, v in notifications.items() if v != []}
        )
    return made


_NOTIFIED = (
    ("LambdaConfigurations", "LambdaFunction", "Function", "LambdaFunctionArn"),
    ("QueueConfigurations", "Queue", "Queue", "QueueArn"),
    ("TopicConfigurations", "Topic", "Topic", "TopicArn"),
)
"""CloudFormation's list, S3's, CloudFormation's key of the target, S3's."""


def _notification(entry: Mapping[str, Any], source: str, arn: str) -> dict[str, Any]:
    event = entry.get("Event")
    rules = ((entry.get("Filter") or {}).get("S3Key") or {}).get("Rules") or []
    notification: dict[str, Any] = {
        arn: entry[source],
        "Events": event if isinstance(event, list) else [event],
    }
    if rules:
        notification["Filter"] = {"Key": {"FilterRules": rules}}
    return notification


def log_group(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create a log group."""
    name = site.physical_name(resource, properties.get("LogGroupName"))
    site.aws.create_log_group(name)
    arn = site.arn("logs", f"log-group:{name}:*")
    return Deployed(
        name,
        lambda attribute: {"Arn": arn}[attribute],
        delete=lambda: moto_backends.delete_log_group(site.aws.region, name),
    )


def subscription_filter(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Subscribe a function or a stream to a log group."""
    pattern = str(properties.get("FilterPattern") or "")
    compile_pattern(pattern)
    name = site.physical_name(resource, properties.get("FilterName"))
    group = str(properties["LogGroupName"])
    site.aws.create_log_group(group)
    with moto_backends.refused(f"subscription {resource.logical_id}"):
        moto_backends.put_subscription(
            site.aws.region, group, name, pattern, str(properties["DestinationArn"])
        )
    return Deployed(name, delete=lambda: moto_backends.delete_subscription(site.aws.region, group, name))


def delivery_stream(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create a Firehose stream; what is written to it becomes an object at once, one for each write."""
    name = site.physical_name(resource, properties.get("DeliveryStreamName"))
    firehose = site.aws.client("firehose")
    settings = "ExtendedS3DestinationConfiguration"
    arn = firehose.create_delivery_stream(
        DeliveryStreamName=name,
        DeliveryStreamType=str(properties.get("DeliveryStreamType", "DirectPut")),
        **{settings: properties[settings]} if settings in properties else {},
    )["DeliveryStreamARN"]
    return Deployed(
        name,
        lambda attribute: {"Arn": arn}[attribute],
        delete=lambda: firehose.delete_delivery_stream(DeliveryStreamName=name),
    )


def event_source(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Connect a function to a queue or stream; what lay in the queue before is put into it again.

    moto reads a queue when a message is written to it, and only as many as `BatchSize`.
    """
    made = moto_models.make(site, resource, properties)
    _, _, service, _, _, name = str(properties.get("EventSourceArn")).split(":", 5)
    if service == "sqs":
        sqs = site.aws.client("sqs")
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        waiting: list[dict[str, Any]] = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            waiting += messages
        for message in waiting:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            sqs.send_message(QueueUrl=url, MessageBody=message["Body"])
    return made


def subscription(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Subscribe to a topic."""
    attributes = {
        "FilterPolicy": properties.get("FilterPolicy"),
        "FilterPolicyScope": properties.get("FilterPolicyScope"),
        "RawMessageDelivery": properties.get("RawMessageDelivery"),
    }
    answer = site.aws.client("sns").subscribe(
        TopicArn=properties["TopicArn"],
        Protocol=properties["Protocol"],
        Endpoint=str(properties.get("Endpoint", "")),
        ReturnSubscriptionArn=True,
        Attributes={
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in attributes.items()
            if value is not None
        },
    )
    arn = answer["SubscriptionArn"]
    return Deployed(arn, lambda attribute: {"Arn": arn}[attribute])


def rule(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create an EventBridge rule: a pattern's targets get its events, a schedule's are invoked in time."""
    name = site.physical_name(resource, properties.get("Name"))
    pattern = properties.get("EventPattern")
    bus = str(properties.get("EventBusName") or "default").rpartition("/")[2]
    with moto_backends.refused(f"rule {resource.logical_id}"):
        arn = moto_backends.create_rule(
            site.aws.region,
            name,
            bus,
            pattern=None if pattern is None else pattern if isinstance(pattern, str) else json.dumps(pattern),
            schedule=properties.get("ScheduleExpression"),
            state=str(properties.get("State") or "ENABLED"),
            targets=list(properties.get("Targets") or ()),
        )
    return Deployed(
        name,
        lambda attribute: {"Arn": arn}[attribute],
        delete=lambda: moto_backends.delete_rule(site.aws.region, name, bus),
    )


def schedule(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create what EventBridge Scheduler has, as a rule with a schedule: both invoke one target in time."""
    name = site.physical_name(resource, properties.get("Name"))
    target = {
        key: value for key, value in (properties.get("Target") or {}).items() if key in {"Arn", "Input"}
    }
    with moto_backends.refused(f"schedule {resource.logical_id}"):
        arn = moto_backends.create_rule(
            site.aws.region,
            name,
            "default",
            schedule=properties.get("ScheduleExpression"),
            state=str(properties.get("State") or "ENABLED"),
            targets=[{"Id": "1", **target}],
        )
    return Deployed(
        name,
        lambda attribute: {"Arn": arn}[attribute],
        delete=lambda: moto_backends.delete_rule(site.aws.region, name, "default"),
    )


def secret(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create a secret, with a generated value where the template asks for one."""
    name = site.physical_name(resource, properties.get("Name"))
    value = properties.get("SecretString")
    if value is None:
        value = _generated(properties.get("GenerateSecretString") or {})
    arn = site.aws.client("secretsmanager").create_secret(Name=name, SecretString=str(value))["ARN"]
    return Deployed(arn, lambda attribute: {"Id": arn}[attribute])


def _generated(wish: Mapping[str, Any]) -> str:
    letters = string.ascii_letters + string.digits
    word = "".join(secrets.choice(letters) for _ in range(int(wish.get("PasswordLength") or 32)))
    if "GenerateStringKey" not in wish:
        return word
    template = json.loads(wish.get("SecretStringTemplate") or "{}")
    return json.dumps({**template, wish["GenerateStringKey"]: word})


def build_project(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create a CodeBuild project; its builds run their commands on this machine."""
    name = site.physical_name(resource, properties.get("Name"))
    source = _camel(properties["Source"])
    stand_in = ""
    if source["type"] not in {"S3", "NO_SOURCE"} and not (source["type"] == "CODECOMMIT" and which("git")):
        stand_in = f"a build without source: {source['type']} is not reached from here"
        source = {"type": "NO_SOURCE", "buildspec": source.get("buildSpec", "")}
    source.setdefault("location", "none")
    source["buildspec"] = source.pop("buildSpec", source.get("buildspec", ""))
    artifacts = _camel(properties.get("Artifacts") or {"Type": "NO_ARTIFACTS"})
    site.aws.client("codebuild").create_project(
        name=name,
        source=source,
        artifacts=artifacts if artifacts["type"] == "S3" else {"type": "NO_ARTIFACTS"},
        environment=_camel(properties["Environment"]),
        serviceRole=str(properties["ServiceRole"]),
    )
    arn = site.arn("codebuild", f"project/{name}")
    return Deployed(name, lambda attribute: {"Arn": arn}[attribute], stand_in)


def _camel(value: Any) -> Any:
    """Return CloudFormation's PascalCase keys as the API's camelCase."""
    if isinstance(value, Mapping):
        return {key[:1].lower() + key[1:]: _camel(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_camel(item) for item in value]
    return value


def distribution(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create a CloudFront distribution: it has an id, a name and invalidations, and delivers nothing."""
    config = properties["DistributionConfig"]
    origins = [
        {
            "Id": origin["Id"],
            "DomainName": origin["DomainName"],
            "S3OriginConfig": {"OriginAccessIdentity": ""},
        }
        for origin in config.get("Origins") or ()
    ]
    behavior = config.get("DefaultCacheBehavior") or {}
    made = site.aws.client("cloudfront").create_distribution(
        DistributionConfig={
            "CallerReference": resource.logical_id,
            "Comment": str(config.get("Comment") or ""),
            "Enabled": bool(config.get("Enabled", True)),
            "Origins": {"Quantity": len(origins), "Items": origins},
            "DefaultCacheBehavior": {
                "TargetOriginId": behavior.get("TargetOriginId", origins[0]["Id"] if origins else ""),
                "ViewerProtocolPolicy": behavior.get("ViewerProtocolPolicy", "allow-all"),
            },
        }
    )["Distribution"]
    attributes = {"Id": made["Id"], "DomainName": made["DomainName"]}
    return Deployed(made["Id"], lambda attribute: attributes[attribute])


def role(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create a role with its inline policies, and those that AWS or the stack manages."""
    name = site.physical_name(resource, properties.get("RoleName"))
    arn = f"arn:aws:iam::{site.account}:role/{name}"
    moto_backends.create_role(arn)
    permissions = site.aws.host.permissions
    permissions.create(name, str(properties.get("PermissionsBoundary") or ""))
    for policy_name, document in inline_policies(properties):
        permissions.put(name, policy_name, document or {})
    for managed in properties.get("ManagedPolicyArns") or ():
        permissions.attach(name, str(managed))
    attributes = {"Arn": arn, "RoleId": f"AROA{name[:16].upper()}"}
    return Deployed(name, lambda attribute: attributes[attribute])


def policy(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Add a policy's document to the roles that it names, and keep it for those that attach it."""
    name = site.physical_name(resource, properties.get("PolicyName") or properties.get("ManagedPolicyName"))
    arn = f"arn:aws:iam::{site.account}:policy/{name}"
    managed = resource.type == "AWS::IAM::ManagedPolicy"
    document = properties.get("PolicyDocument") or {}
    permissions = site.aws.host.permissions
    if managed:
        permissions.define(arn, document)
    for role_name in holders(properties):
        permissions.put(role_name, name, document)
    return Deployed(arn if managed else name, lambda attribute: {"PolicyArn": arn, "Id": name}[attribute])
