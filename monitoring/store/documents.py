"""Store documents (monitors, dashboards and other JSON objects) by kind and id."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

Document = dict[str, Any]
DocumentChange = tuple[str, str, str | None]
"""Kind, id and the JSON text; None for a deletion."""


class Documents:
    """JSON objects by kind and id, in memory; a change is in the journal before `put` or `delete` returns."""

    def __init__(
        self, stored: Iterable[tuple[str, str, str]], record: Callable[[DocumentChange], None]
    ) -> None:
        self._record = record
        self._lock = threading.RLock()
        self._kinds: dict[str, dict[str, Document]] = {}
        for kind, ident, body in stored:
            self._kinds.setdefault(kind, {})[ident] = msgspec.json.decode(body)

    def get(self, kind: str, ident: str) -> Document | None:
        """Return a copy of the document, or None."""
        document = self._kinds.get(kind, {}).get(ident)
        return None if document is None else msgspec.json.decode(msgspec.json.encode(document))

    def all(self, kind: str) -> list[Document]:
        """Return copies of all documents of the kind, in insertion order."""
        with self._lock:
            text = msgspec.json.encode(list(self._kinds.get(kind, {}).values()))
        copies: list[Document] = msgspec.json.decode(text)
        return copies

    def put(self, kind: str, ident: str, body: Document) -> None:
        """Create or replace a document."""
        text = msgspec.json.encode(body)
        with self._lock:
            self._record((kind, ident, text.decode()))
            self._kinds.setdefault(kind, {})[ident] = msgspec.json.decode(text)

    def delete(self, kind: str, ident: str) -> bool:
        """Delete a document and return whether it existed."""
        with self._lock:
            if ident not in self._kinds.get(kind, {}):
                return False
            self._record((kind, ident, None))
            del self._kinds[kind][ident]
            return True
