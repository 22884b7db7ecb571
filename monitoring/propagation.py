"""Trace context from and into carriers: HTTP headers, queues, topics, streams, buses, state machines."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def contexts_of(event: Any, source: str) -> tuple[Any, list[dict[str, Any]]]:
    """The context that a call joins, and links to those of the other records."""
    return None, []
