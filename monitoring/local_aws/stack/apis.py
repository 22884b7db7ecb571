"""APIs of a stack: REST and HTTP APIs, from OpenAPI or from single routes, and URLs of functions."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from monitoring.discovery.stack import StackResource
from monitoring.local_aws.apis import Api, Route, RouteIntegration
from monitoring.local_aws.stack.resource import Deployed, Site

_METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "x-amazon-apigateway-any-method")
_INTEGRATION, _CORS = "x-amazon-apigateway-integration", "x-amazon-apigateway-cors"
_SUBTYPES = {
    "StepFunctions-StartExecution": "states:StartExecution",
    "StepFunctions-StartSyncExecution": "states:StartSyncExecution",
    "SQS-SendMessage": "sqs:SendMessage",
}
"""Subtype of an HTTP API's integration -> the action; others do not run here."""


def rest_api(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create a REST API with the routes of its OpenAPI definition."""
    return _api(site, resource, properties, "rest")


def http_api(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create an HTTP API with the routes of its OpenAPI definition, or one function behind `$default`."""
    deployed = _api(site, resource, properties, "http")
    target = properties.get("Target")
    if target:
        integration = _integration({"type": "AWS_PROXY", "uri": target}, "2.0")
        site.aws.host.apis.find(deployed.ref).routes.append(Route("ANY", "$default", integration))
    return deployed


def _api(
    site: Site, resource: StackResource, properties: Mapping[str, Any], kind: Literal["rest", "http"]
) -> Deployed:
    name = site.physical_name(resource)
    api = Api(name.rpartition("-")[2].lower()[:10], resource.logical_id, kind)
    document = _document(properties.get("Body") or {})
    api.routes.extend(_routes(document, kind))
    if kind == "http":
        api.cors = _camel(properties.get("CorsConfiguration") or document.get(_CORS) or {})
    api = site.aws.host.apis.add(api)
    attributes = {
        "ApiEndpoint": api.url,
        "ApiId": api.id,
        "RestApiId": api.id,
        "RootResourceId": f"{api.id}/",
    }
    return Deployed(
        api.id,
        lambda attribute: attributes[attribute],
        _without_authorizers(document),
        delete=lambda: site.aws.host.apis.remove(api.id),
    )


def _document(body: Any) -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads(body) if isinstance(body, str) else body
    return document


def _without_authorizers(document: Mapping[str, Any]) -> str:
    """Return what stands in for an API whose definition has authorizers; "" for one without."""
    schemes = (document.get("components") or {}).get("securitySchemes") or {}
    names = ", ".join({**(document.get("securityDefinitions") or {}), **schemes})
    return f"the API without {names}: every request is let in" if names else ""


def _routes(document: Mapping[str, Any], kind: str) -> Iterator[Route]:
    """Yield the routes of an OpenAPI document with API Gateway's extensions."""
    version: Literal["1.0", "2.0"] = "2.0" if kind == "http" else "1.0"
    for path, operations in (document.get("paths") or {}).items():
        for method in _METHODS:
            operation = operations.get(method) if isinstance(operations, Mapping) else None
            if not isinstance(operation, Mapping):
                continue
            settings = operation.get(_INTEGRATION)
            integration = _integration(settings if isinstance(settings, Mapping) else {}, version)
            name = "ANY" if method.startswith("x-") else method.upper()
            yield Route(name, str(path), integration)


def _integration(settings: Mapping[str, Any], version: Literal["1.0", "2.0"]) -> RouteIntegration:
    """Return what an integration is here, from its properties in OpenAPI's spelling."""
    kind, uri = str(settings.get("type") or "").lower(), str(settings.get("uri") or "")
    subtype = str(settings.get("integrationSubtype") or "")
    if kind == "mock":
        return RouteIntegration("mock", settings=settings)
    if subtype:
        action = _SUBTYPES.get(subtype)
        return RouteIntegration("service" if action else "", action or subtype, settings)
    if ":function:" in uri and kind in {"aws_proxy", "aws"}:
        function = uri.partition(":function:")[2].partition("/")[0]
        payload = "1.0" if settings.get("payloadFormatVersion") == "1.0" else version
        return RouteIntegration("lambda" if kind == "aws_proxy" else "", function, settings, payload)
    service, _, action = uri.partition(":apigateway:")[2].partition(":")[2].partition(":action/")
    if action and service == "states":
        return RouteIntegration("service", f"{service}:{action}", settings)
    return RouteIntegration("", uri or kind, settings)


def stage(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Serve an API under a stage's name."""
    name = str(properties.get("StageName") or "default")
    reference = str(properties.get("ApiId") or properties.get("RestApiId") or "")
    api = site.aws.host.apis.find(reference)
    api.stage = name
    api.stages.add(name)
    return Deployed(name)


def rest_deployment(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Serve a REST API under the stage that a deployment makes, if it makes one."""
    if properties.get("StageName"):
        stage(site, resource, properties)
    return Deployed(site.physical_name(resource))


def resource_path(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create a resource of a REST API: a part of a path, below another one. Its id holds the whole path."""
    parent, part = str(properties["ParentId"]), str(properties["PathPart"])
    path = f"{parent.rstrip('/')}/{part}"
    return Deployed(path, lambda attribute: {"ResourceId": path}[attribute])


def method(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Add a method of a resource to its REST API."""
    settings = _camel(properties.get("Integration") or {})
    settings["responses"] = {
        str(response.get("selectionPattern") or "default"): response
        for response in settings.get("integrationResponses") or ()
    }
    api = site.aws.host.apis.find(str(properties["RestApiId"]))
    path = "/" + str(properties["ResourceId"]).partition("/")[2]
    api.routes.append(Route(str(properties["HttpMethod"]).upper(), path, _integration(settings, "1.0")))
    return Deployed(site.physical_name(resource))


def integration(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Create an integration of an HTTP API; routes name it."""
    name = site.physical_name(resource)
    settings = _camel({key.removeprefix("Integration"): value for key, value in properties.items()})
    settings["integrationSubtype"] = properties.get("IntegrationSubtype")
    settings["credentials"] = properties.get("CredentialsArn")
    settings["requestParameters"] = properties.get("RequestParameters")  # their keys are the action's own
    version: Literal["1.0", "2.0"] = "1.0" if properties.get("PayloadFormatVersion") == "1.0" else "2.0"
    site.aws.host.apis.integrations[name] = _integration(settings, version)
    return Deployed(name)


def route(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Add a route to an HTTP API."""
    api = site.aws.host.apis.find(str(properties["ApiId"]))
    name, _, path = str(properties["RouteKey"]).partition(" ")
    target = str(properties.get("Target") or "").partition("integrations/")[2]
    chosen = site.aws.host.apis.integrations.get(target, RouteIntegration("", "its integration"))
    api.routes.append(Route(name if path else "ANY", path or "$default", chosen))
    return Deployed(site.physical_name(resource))


def function_url(site: Site, resource: StackResource, properties: dict[str, Any]) -> Deployed:
    """Serve a function's URL: every request goes to the function, in payload format 2.0."""
    target = str(properties["TargetFunctionArn"])
    function = target.partition(":function:")[2] or target
    cors = _camel(properties.get("Cors") or {})
    api = Api(site.physical_name(resource)[-10:].lower(), resource.logical_id, "http", cors=cors)
    api.routes.append(Route("ANY", "$default", RouteIntegration("lambda", function, payload="2.0")))
    api = site.aws.host.apis.add(api)
    attributes = {"FunctionUrl": f"{api.url}/", "FunctionArn": target}
    return Deployed(
        target,
        lambda attribute: attributes[attribute],
        delete=lambda: site.aws.host.apis.remove(api.id),
    )


def _camel(value: Any) -> Any:
    """Return CloudFormation's PascalCase keys as OpenAPI's camelCase; keys of media types stay."""
    if isinstance(value, Mapping):
        return {
            (key if "/" in key or "." in key else key[:1].lower() + key[1:]): _camel(part)
            for key, part in value.items()
        }
    return [_camel(part) for part in value] if isinstance(value, list) else value
