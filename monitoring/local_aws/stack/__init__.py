"""Deploy an application's stacks to the embedded AWS, and say what stands in for what it cannot run."""

from monitoring.local_aws.stack.deployment import Deployment, delete_stacks, deploy_stacks
from monitoring.local_aws.stack.resource import StandIn

__all__ = ["Deployment", "StandIn", "delete_stacks", "deploy_stacks"]
