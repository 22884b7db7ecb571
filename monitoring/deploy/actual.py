"""Read the resources that a project owns in Datadog, which have its marker."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from monitoring.deploy.api import IN_PARALLEL, Body, Client, RejectedError
from monitoring.deploy.marker import Owner, read_marker
from monitoring.errors import InputError
from monitoring.resources.resource import KINDS, Resource


class Other(NamedTuple):
    """A resource of another environment of the project, from Datadog's list."""

    kind: str
    owner: Owner
    body: Body


def owned(
    client: Client, project: str, env: str, desired: Sequence[Resource]
) -> tuple[list[Resource], list[Other]]:
    """Return the resources that this project and environment own or adopt by id, and those of its others.

    Lists are fetched in parallel. A list has only summaries of dashboards, so owned dashboards are then
    fetched individually; the description, and so the marker, is in the summary.
    """
    with ThreadPoolExecutor(IN_PARALLEL) as pool:
        listed = zip(KINDS, pool.map(client.everything, KINDS), strict=True)
        rows = [
            (kind, owner, id_, body)
            for kind, bodies in listed
            for id_, body in bodies
            if (owner := read_marker(kind, body)) and owner.project == project
        ]
        own = [(kind, owner.key, id_, body) for kind, owner, id_, body in rows if owner.env == env]
        marked = list(pool.map(lambda row: _whole(client, *row), own))
        known = {(resource.kind, resource.id) for resource in marked}
        adopted = [item for item in desired if item.id and (item.kind, item.id) not in known]
        marked += pool.map(lambda resource: _adopt(client, resource), adopted)
        return marked, [Other(kind, owner, body) for kind, owner, _, body in rows if owner.env != env]


def _adopt(client: Client, resource: Resource) -> Resource:
    try:
        return Resource(resource.kind, resource.key, client.get(resource.kind, str(resource.id)), resource.id)
    except RejectedError as error:
        raise InputError(
            f"there is no {resource.kind} {resource.id} to take over: {error}",
            where=f"{resource.kind}s/{resource.key}.json",
            hint='Take "id" out of the file to create a new one.',
        ) from None


def _whole(client: Client, kind: str, key: str, id_: str, body: Body) -> Resource:
    return Resource(kind, key, client.get(kind, id_) if kind == "dashboard" else body, id_)
