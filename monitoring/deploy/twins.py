"""Find monitors with the same query in two environments of a project, which would notify twice."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from monitoring.deploy.actual import Other
from monitoring.resources.resource import Resource


class Twin(NamedTuple):
    """A monitor of the files with the same name and query as one of another environment in Datadog."""

    key: str
    project: str
    env: str

    def __str__(self) -> str:
        """Return the sentence that plan and apply print."""
        place = f"monitors/{self.key}.json: {self.project}/{self.env}"
        return f"{place} has a monitor with the same name and query, so each alert would notify twice"


def find_twins(desired: Iterable[Resource], others: Sequence[Other]) -> list[Twin]:
    """Return the desired monitors that another environment has with the same name and query."""
    known = {_identity(other.body): other.owner for other in others if other.kind == "monitor"}
    pairs = (
        (resource.key, known.get(_identity(resource.body)))
        for resource in desired
        if resource.kind == "monitor"
    )
    return [Twin(key, owner.project, owner.env) for key, owner in pairs if owner]


def _identity(body: Mapping[str, Any]) -> tuple[object, object]:
    return body.get("name"), body.get("query")
