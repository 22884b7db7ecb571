"""What a project owns in Datadog: everything that carries its marker, whole."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from monitoring.deploy.api import IN_PARALLEL, Body, Client, RejectedError
from monitoring.deploy.marker import read_marker
from monitoring.errors import InputError
from monitoring.resources.resource import KINDS, Resource


def owned(client: Client, project: str, env: str, desired: Sequence[Resource]) -> list[Resource]:
    """The resources whose marker names this project and environment, and those that a file takes over by id.

    Lists are asked for in parallel; dashboards, which a list only sums up, are then fetched one by one: their
    description, and so the marker, is in the list already.
    """
    with ThreadPoolExecutor(IN_PARALLEL) as pool:
        listed = zip(KINDS, pool.map(client.everything, KINDS), strict=True)
        mine = [
            (kind, owner.key, id_, body)
            for kind, rows in listed
            for id_, body in rows
            if (owner := read_marker(kind, body)) and (owner.project, owner.env) == (project, env)
        ]
        marked = list(pool.map(lambda one: _whole(client, *one), mine))
        there = {(one.kind, one.id) for one in marked}
        adopted = [one for one in desired if one.id and (one.kind, one.id) not in there]
        return marked + list(pool.map(lambda one: _adopt(client, one), adopted))


def _adopt(client: Client, one: Resource) -> Resource:
    try:
        return Resource(one.kind, one.key, client.get(one.kind, str(one.id)), one.id)
    except RejectedError as error:
        raise InputError(
            f"there is no {one.kind} {one.id} to take over: {error}",
            where=f"{one.kind}s/{one.key}.json",
            hint='Take "id" out of the file to create a new one.',
        ) from None


def _whole(client: Client, kind: str, key: str, id_: str, body: Body) -> Resource:
    return Resource(kind, key, client.get(kind, id_) if kind == "dashboard" else body, id_)
