"""Share the store, the clock, ids and the lookup of documents between the families of routes."""

import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from monitoring.local_datadog.replies import ApiError
from monitoring.store import Store

Body = dict[str, Any]

_ALPHABET = "23456789abcdefghijkmnpqrstuvwxyz"
_SEQUENCE = "sequence"
FIRST_ID = 1001


@dataclass(slots=True)
class Context:
    """One store and its clock; `lock` makes reading and then writing a document atomic."""

    store: Store
    clock: Callable[[], float] = time.time
    lock: threading.RLock = field(default_factory=threading.RLock)

    def next_id(self, kind: str) -> int:
        """Return an integer id that was never used for this kind, even after a deletion."""
        with self.lock:
            stored = self.store.documents.get(_SEQUENCE, kind) or {"last": FIRST_ID - 1}
            number = int(stored["last"]) + 1
            self.store.documents.put(_SEQUENCE, kind, {"last": number})
            return number

    def moment(self) -> str:
        """Return the current time in Datadog's format."""
        return datetime.fromtimestamp(self.clock(), UTC).isoformat(timespec="microseconds")

    def find(self, kind: str, ident: str, missing: str) -> Body:
        """Return the document. Raises ApiError 404 with the text `missing`."""
        document = self.store.documents.get(kind, ident)
        if document is None:
            raise ApiError(404, missing)
        return document


class Family:
    """A family of routes over one store."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._documents = context.store.documents

    def routes(self) -> list[Route]:
        """Return the routes; fixed paths come before those with an id."""
        raise NotImplementedError


Handler = Callable[[Request], Awaitable[Response]]


def mounted(prefix: str, table: Sequence[tuple[str, str, Handler]]) -> list[Route]:
    """Return routes for (method, path below the prefix, handler)."""
    return [Route(prefix + path, handler, methods=[method]) for method, path, handler in table]


def public_id() -> str:
    """Return an id for a dashboard: three groups of three characters."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(3)) for _ in range(3))


def as_object(body: object) -> Body:
    """Return the body as a JSON object. Raises ApiError 400."""
    if not isinstance(body, dict):
        raise ApiError(400, "The request body must be a JSON object")
    return body


def number(parameters: Mapping[str, str], name: str, default: int) -> int:
    """Return a whole number of the query string. Raises ApiError 400."""
    text = parameters.get(name, "")
    if not text:
        return default
    try:
        return int(text)
    except ValueError as error:
        raise ApiError(400, f"The value provided for parameter '{name}' is invalid") from error


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    """Return a boolean of the query string."""
    text = request.query_params.get(name, "")
    return default if not text else text.lower() in {"true", "1", "yes"}


def words(request: Request, name: str) -> list[str]:
    """Return a comma-separated list of the query string."""
    return [word.strip() for word in request.query_params.get(name, "").split(",") if word.strip()]
