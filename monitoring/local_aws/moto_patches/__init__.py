"""Every change that the embedded AWS makes to moto, each with its reason; there are none elsewhere."""

from monitoring.local_aws.moto_patches import lambda_, logs, services, states
from monitoring.local_aws.moto_patches.patch import Host, Patch, applied, resolve

PATCHES: tuple[Patch, ...] = (
    *lambda_.PATCHES,
    *logs.PATCHES,
    *services.PATCHES,
    *states.PATCHES,
)

__all__ = ["PATCHES", "Host", "Patch", "applied", "resolve"]
