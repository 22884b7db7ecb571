"""Judge metrics of a project's own by its catalogue, `stepscope.metrics.toml`."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from monitoring.log_events.names import METRICS
from monitoring.resources import function_metrics
from monitoring.resources.catalogue import COMMON_TAGS
from monitoring.resources.own_metrics import OwnMetrics, catalogue_path, is_own, read_own_metrics

CARRIED = COMMON_TAGS | {"executedversion", "function_name", "functionname", *function_metrics.CALL_TAGS}
"""Tag keys that a metric of a function gets from `@monitored` and the forwarder, whatever a handler does."""

_MADE = function_metrics.BY_NAME.keys() | {metric.name for metric in METRICS}
_OURS = ("stepscope.", "claims.")


@lru_cache
def catalogue_of(folder: Path) -> OwnMetrics | None:
    """Return the catalogue of a folder's project, or None where there is none.

    Raises:
        InputError: it cannot be read.
    """
    path = catalogue_path(folder)
    return read_own_metrics(path) if path.is_file() else None


def check_catalogues(files: Iterable[Path]) -> None:
    """Read the catalogue of each file's project.

    Raises:
        InputError: one cannot be read.
    """
    for folder in dict.fromkeys(file.resolve().parent for file in files):
        catalogue_of(folder)


def names_of(catalogue: OwnMetrics) -> frozenset[str]:
    """Return every metric that the catalogue or this package knows, AWS's not among them."""
    return frozenset(_MADE | catalogue.metrics.keys())


def is_judged(name: str, catalogue: OwnMetrics) -> bool:
    """Return whether the catalogue, or this package, has all metrics of a name's first word."""
    namespaces = {metric.partition(".")[0] for metric in catalogue.metrics}
    return name.startswith(_OURS) or (is_own(name) and name.partition(".")[0] in namespaces)
