"""Send batches to the intake of their kind, with its headers."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from monitoring.errors import InputError
from monitoring.forwarder.batches import Kind
from monitoring.forwarder.retry import IntakeResponse
from monitoring.forwarder.transport import Transport

_ROUTES: dict[Kind, tuple[str, str, str]] = {
    "distributions": ("api", "/api/v1/distribution_points", "application/json"),
    "series": ("api", "/api/v1/series", "application/json"),
    "traces": ("trace.agent", "/api/v0.2/traces", "application/x-protobuf"),
    "logs": ("http-intake.logs", "/api/v2/logs", "application/json"),
}


@dataclass(frozen=True, slots=True)
class Intake:
    """The intakes of a site, or one address for all of them.

    Args:
        site: such as `datadoghq.com`.
        url: `DD_URL`; empty for the site's own addresses.
        key: returns the API key, which is sent in a header, never in an address.
    """

    transport: Transport
    site: str
    url: str
    key: Callable[[], str]

    def send(self, kind: Kind, wire: bytes, encoding: str, timeout: float | None = None) -> IntakeResponse:
        """Send a compressed body."""
        host, path, content = _ROUTES[kind]
        headers = {
            "DD-API-KEY": self.key(),
            "Content-Type": content,
            "Content-Encoding": encoding,
            "User-Agent": "stepscope-forwarder",
        }
        base = self.url.rstrip("/") or f"https://{host}.{self.site}"
        return self.transport.request("POST", base + path, headers, wire, timeout)


def check_url(url: str) -> str:
    """Return the address if requests can be sent to it.

    Raises:
        InputError: it is not an http or https address, or has a query or a password.
    """
    parts = urlsplit(url)
    try:
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise InputError(
            "not an http:// or https:// address", where="DD_URL", hint="Write it as https://host:port"
        )
    if parts.query or parts.username or parts.password:
        raise InputError(
            "the address has a query or a password", where="DD_URL", hint="Set the API key as DD_API_KEY"
        )
    return url
