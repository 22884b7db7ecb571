"""Resources that moto makes from CloudFormation's properties itself: one table of its modules."""

import contextlib
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

import moto

from monitoring.discovery.stack import StackResource
from monitoring.errors import InputError
from monitoring.local_aws.stack.resource import Deployed, Site

MODULES = {
    "AWS::DynamoDB::Table": "moto.dynamodb.models.table:Table",
    "AWS::ECR::Repository": "moto.ecr.models:Repository",
    "AWS::Events::EventBus": "moto.events.models:EventBus",
    "AWS::Kinesis::Stream": "moto.kinesis.models:Stream",
    "AWS::KMS::Alias": "moto.kms.models:Alias",
    "AWS::KMS::Key": "moto.kms.models:Key",
    "AWS::Lambda::EventSourceMapping": "moto.awslambda.models:EventSourceMapping",
    "AWS::S3::Bucket": "moto.s3.models:FakeBucket",
    "AWS::SNS::Topic": "moto.sns.models:Topic",
    "AWS::SQS::Queue": "moto.sqs.models:Queue",
    "AWS::SSM::Parameter": "moto.ssm.models:Parameter",
}
"""Type -> moto's class. Only the modules of a stack's own types are imported: all of them take seconds."""


_REF = {("AWS::SNS::Topic", "TopicArn")}
"""Attributes that moto lacks and that are what `Ref` gives."""
_EXCEPTIONS = "moto.cloudformation.exceptions"


def _import_exceptions() -> None:
    """Import `moto.cloudformation.exceptions` alone.

    moto's resources import it to answer GetAtt, and its package imports nearly all of moto: four seconds.
    """
    if _EXCEPTIONS in sys.modules:
        return
    path = Path(str(moto.__file__)).parent / "cloudformation" / "exceptions.py"
    spec = importlib.util.spec_from_file_location(_EXCEPTIONS, path)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.modules[_EXCEPTIONS] = module


def make(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create a resource by moto's own reading of its properties.

    Raises:
        InputError: moto refuses them.
    """
    _import_exceptions()
    module, _, name = MODULES[resource.type].partition(":")
    model = getattr(importlib.import_module(module), name)
    key = model.cloudformation_name_type()
    physical = site.physical_name(resource, properties.get(key) if key else None)
    if key:
        properties = {**properties, key: physical}
    if resource.type == "AWS::SQS::Queue" and properties.get("FifoQueue") and not physical.endswith(".fifo"):
        physical += ".fifo"
        properties["QueueName"] = physical
    body = {"Type": resource.type, "Properties": properties}
    try:
        created = model.create_from_cloudformation_json(
            physical,
            body,
            site.account,
            site.aws.region,
            LogicalId=resource.logical_id,
            StackId=site.stack.name,
            ResourceType=resource.type,
        )
    except Exception as refused:  # moto's refusals have no common ancestor
        message = getattr(refused, "message", None) or f"{type(refused).__name__}: {refused}"
        raise InputError(f"{resource.logical_id} ({resource.type}): {message}") from refused
    ref = getattr(created, "physical_resource_id", physical)  # an event bus has none, and its name is it
    return Deployed(
        ref,
        lambda attribute: ref if (resource.type, attribute) in _REF else _attribute(created, attribute),
        delete=lambda: _delete(site, model, ref, properties),
    )


def _delete(site: Site, model: Any, physical: str, properties: dict[str, Any]) -> None:
    """Delete a resource; what moto cannot delete stays, as nothing asks for it any more."""
    with contextlib.suppress(Exception):
        model.delete_from_cloudformation_json(physical, properties, site.account, site.aws.region)


def _attribute(created: Any, name: str) -> Any:
    try:
        return created.get_cfn_attribute(name)
    except Exception as unknown:  # moto raises what its CloudFormation alone can read
        raise KeyError(name) from unknown
