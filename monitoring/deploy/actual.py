"""What a project owns in Datadog: everything that carries its marker, whole."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from monitoring.datadog_resources import IN_PARALLEL, Body, Client
from monitoring.plan import KINDS, Resource, read_marker


def owned(client: Client, project: str, env: str, kinds: Sequence[str] = tuple(KINDS)) -> list[Resource]:
    """The resources whose marker names this project and environment.

    Lists are asked for in parallel; dashboards, which a list only sums up, are then fetched one by one: their
    description, and so the marker, is in the list already.
    """
    with ThreadPoolExecutor(IN_PARALLEL) as pool:
        listed = zip(kinds, pool.map(client.everything, kinds), strict=True)
        mine = [
            (kind, owner.key, id_, body)
            for kind, rows in listed
            for id_, body in rows
            if (owner := read_marker(kind, body)) and (owner.project, owner.env) == (project, env)
        ]
        return list(pool.map(lambda one: _whole(client, *one), mine))


def _whole(client: Client, kind: str, key: str, id_: str, body: Body) -> Resource:
    return Resource(kind, key, client.get(kind, id_) if kind == "dashboard" else body, id_)
