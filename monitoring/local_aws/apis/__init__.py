"""API Gateway: serve the routes of REST and HTTP APIs on loopback."""

from monitoring.local_aws.apis.registry import Apis
from monitoring.local_aws.apis.routes import Api, Route, RouteIntegration
from monitoring.local_aws.apis.server import ApiServer, Backends

__all__ = ["Api", "ApiServer", "Apis", "Backends", "Route", "RouteIntegration"]
