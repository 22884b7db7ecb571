"""Documents: monitors, dashboards and whatever else is kept as JSON under a kind and an id."""

import threading
from typing import Any

import duckdb
import orjson

Document = dict[str, Any]


class Documents:
    """JSON objects by kind and id, held in memory and written through to the disk before `put` returns."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, lock: threading.RLock) -> None:
        self._connection = connection
        self._lock = lock
        self._kinds: dict[str, dict[str, Document]] = {}
        for kind, ident, body in connection.execute("SELECT kind, id, body FROM documents").fetchall():
            self._kinds.setdefault(kind, {})[ident] = orjson.loads(body)

    def get(self, kind: str, ident: str) -> Document | None:
        """A copy of the document, or None."""
        found = self._kinds.get(kind, {}).get(ident)
        return None if found is None else orjson.loads(orjson.dumps(found))

    def all(self, kind: str) -> list[Document]:
        """Copies of every document of the kind, in the order in which they came."""
        with self._lock:
            found = list(self._kinds.get(kind, {}).values())
        copies: list[Document] = orjson.loads(orjson.dumps(found))
        return copies

    def put(self, kind: str, ident: str, body: Document) -> None:
        """Create or replace a document."""
        text = orjson.dumps(body)
        with self._lock:
            self._connection.execute(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", [kind, ident, text.decode()]
            )
            self._kinds.setdefault(kind, {})[ident] = orjson.loads(text)

    def delete(self, kind: str, ident: str) -> bool:
        """Delete a document; whether there was one."""
        with self._lock:
            if ident not in self._kinds.get(kind, {}):
                return False
            self._connection.execute("DELETE FROM documents WHERE kind = ? AND id = ?", [kind, ident])
            del self._kinds[kind][ident]
            return True
