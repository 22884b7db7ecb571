"""Give the points of a store to queries: those of its database and those of the replay beside it."""

from monitoring.query import Source
from monitoring.query.joined_sources import JoinedSource
from monitoring.store import Store
from monitoring.store.query_source import StoreSource


def source_of(store: Store) -> Source:
    """Return the points of a store's database, joined with those of its replay where it has one."""
    stored = StoreSource(store)
    return JoinedSource(stored, store.history) if store.history else stored
