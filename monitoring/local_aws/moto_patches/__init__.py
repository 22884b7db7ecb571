"""Every change that the embedded AWS makes to moto, each with its reason; there are none elsewhere."""

from monitoring.local_aws.moto_patches import executions, history, lambda_, logs, services, tasks, timing
from monitoring.local_aws.moto_patches.patch import Host, Patch, applied, resolve

PATCHES: tuple[Patch, ...] = (
    *lambda_.PATCHES,
    *logs.PATCHES,
    *executions.PATCHES,
    *history.PATCHES,
    *timing.PATCHES,
    *tasks.PATCHES,
    *services.PATCHES,
)

__all__ = ["PATCHES", "Host", "Patch", "applied", "resolve"]
