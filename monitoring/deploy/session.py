"""Open a deploy session: the project, the client, and the two sides of the plan."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from monitoring.deploy.actual import owned
from monitoring.deploy.api import Client
from monitoring.deploy.differ import Plan, make_plan
from monitoring.deploy.references import order
from monitoring.deploy.twins import Twin, find_twins
from monitoring.errors import InputError
from monitoring.forwarder.addresses import check_site, read_site, without_password
from monitoring.resources.project import Project, load_project, load_resources
from monitoring.resources.resource import Resource


class Session(NamedTuple):
    """A project, its desired resources, the actual ones in Datadog, and the plan."""

    project: Project
    client: Client
    desired: list[Resource]
    actual: list[Resource]
    plan: Plan
    twins: list[Twin]


def open_session(root: Path, env: str, environ: Mapping[str, str], *, destroy: bool = False) -> Session:
    """Read the files, so that errors in them are reported first, then Datadog's resources, and make the plan.

    Raises:
        InputError: files, settings or responses are not valid.
    """
    project = load_project(root, env or environ.get("DD_ENV", ""))
    desired = [] if destroy else load_resources(project)
    if not desired and not destroy:
        raise InputError(
            f"there are no dashboards, monitors, SLOs or downtimes in {root.resolve()}",
            hint="Go to the project's folder, name it with --project, or start one: stepscope init",
        )
    order(
        {(resource.kind, resource.key): resource.body for resource in desired}
    )  # says what refers to nothing, or in a circle
    client = connect(environ)
    actual, others = owned(client, project.name, project.env, desired)
    plan = make_plan(desired, actual)
    return Session(project, client, desired, actual, plan, find_twins(desired, others))


def connect(environ: Mapping[str, str]) -> Client:
    """Return a client of `DD_URL` (an embedded Datadog) or of `DD_SITE`.

    Raises:
        InputError: a key is missing, or `DD_SITE` is an address.
    """
    url = environ.get("DD_URL", "")
    missing = [name for name in ("DD_API_KEY", "DD_APP_KEY") if not environ.get(name)]
    if missing and not _on_loopback(url):
        raise InputError(
            f"{' and '.join(missing)} must be set in the environment",
            hint="Or name an embedded Datadog: DD_URL=http://127.0.0.1:8126 (see stepscope serve).",
        )
    api_key, app_key = environ.get("DD_API_KEY") or "local", environ.get("DD_APP_KEY") or "local"
    return Client(url or _address_of(environ.get("DD_SITE") or "datadoghq.com"), api_key, app_key)


def _address_of(site: str) -> str:
    try:
        name = read_site(site)
    except ValueError as error:
        raise InputError(
            f"DD_SITE is not a site: {without_password(site)!r}",
            hint=f"{str(error).capitalize()}; an address is for DD_URL.",
        ) from None
    check_site(name)
    return f"https://api.{name}"


def _on_loopback(url: str) -> bool:
    return (urlsplit(url).hostname or "") in {"127.0.0.1", "localhost", "::1"}
