"""Custom resources: their function is really invoked, and answers to an address in S3, as on AWS.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref.html
"""

import contextlib
import json
import uuid
from collections.abc import Mapping
from typing import Any

from monitoring.discovery.stack import StackResource
from monitoring.errors import InputError
from monitoring.local_aws import moto_backends
from monitoring.local_aws.stack.resource import Deployed, Site

_BUCKET = "cloudformation-custom-resource-responses"


def custom_resource(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create a custom resource by its function; where that does not run here, a name stands in."""
    name = site.physical_name(resource)
    token = str(properties.get("ServiceToken") or "")
    if not _runs_here(site, token):
        return _without(name, "its function does not run here")
    request = _Request(site, resource, properties, token)
    answer = request.send("Create")
    if answer.get("Status") != "SUCCESS":
        return _without(name, f"its function answered: {answer.get('Reason') or 'nothing'}")
    physical = str(answer.get("PhysicalResourceId") or name)
    data = answer.get("Data")
    values: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    return Deployed(physical, lambda attribute: values[attribute], delete=lambda: request.delete(physical))


def _runs_here(site: Site, token: str) -> bool:
    if ":function:" not in token or moto_backends.find_function(site.aws.region, token, "") is None:
        return False
    name = token.rpartition(":")[2]
    return not any(resource.stand_in for resource in site.deployed.values() if resource.ref == name)


def _without(name: str, reason: str) -> Deployed:
    return Deployed(name, lambda attribute: f"{name}.{attribute}", f"a name: {reason}")


class _Request:
    """The requests of one custom resource."""

    def __init__(self, site: Site, resource: StackResource, properties: dict[str, Any], token: str) -> None:
        self._site, self._resource, self._properties, self._token = site, resource, properties, token

    def delete(self, physical: str) -> None:
        """Ask the function to delete the resource.

        Raises:
            InputError: it answers that it cannot.
        """
        answer = self.send("Delete", PhysicalResourceId=physical)
        if answer.get("Status") != "SUCCESS":
            reason = answer.get("Reason") or "its function did not answer"
            raise InputError(f"{self._resource.logical_id} cannot be deleted: {reason}")

    def send(self, kind: str, **more: Any) -> dict[str, Any]:
        """Invoke the function with a request, and return what it has put at the response's address."""
        site, s3, key = self._site, self._site.aws.client("s3"), str(uuid.uuid4())
        with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=_BUCKET)
        event = {
            "RequestType": kind,
            "ServiceToken": self._token,
            "ResponseURL": s3.generate_presigned_url("put_object", {"Bucket": _BUCKET, "Key": key}),
            "StackId": site.arn("cloudformation", f"stack/{site.stack.name}/local"),
            "RequestId": key,
            "LogicalResourceId": self._resource.logical_id,
            "ResourceType": self._resource.type,
            "ResourceProperties": _texts(self._properties),
            **more,
        }
        function = moto_backends.function(site.aws.region, self._token)
        done = site.aws.host.invoke_function(function, json.dumps(event).encode())
        try:
            answer = json.loads(s3.get_object(Bucket=_BUCKET, Key=key)["Body"].read())
        except (s3.exceptions.NoSuchKey, ValueError):
            return {"Reason": done.payload.decode("utf-8", "replace")[:400]}
        return answer if isinstance(answer, dict) else {}


def _texts(value: Any) -> Any:
    """Return properties as CloudFormation hands them on: numbers and booleans are texts."""
    if isinstance(value, Mapping):
        return {key: _texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
