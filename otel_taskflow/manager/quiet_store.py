"""A store of the user's own, used by us: instrumentations of its driver make no spans of that."""

from __future__ import annotations

from typing import Any, cast

from otel_taskflow.ports import Store, StoreReader, StoreWriter
from otel_taskflow.stores.memory import MemoryStore
from otel_taskflow.stores.sqlite.store import SqliteStore
from otel_taskflow.telemetry import quiet

_QUIET_BY_THEMSELVES = (SqliteStore, MemoryStore)


def quieted(store: Store) -> Store:
    """The store, its writer quiet on whatever thread it is called: the consumer's, housekeeping's, that of a request."""
    return store if isinstance(store, _QUIET_BY_THEMSELVES) else QuietStore(store)


class QuietStore:
    """A Store around a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_persistent = store.is_persistent
        self.location = store.location
        self._writer = cast(StoreWriter, _QuietWriter(store.writer))

    @property
    def writer(self) -> StoreWriter:
        """See Store."""
        return self._writer

    def reader(self) -> StoreReader:
        """See Store. Whoever asks decides about the spans: the dashboard is quiet as a whole."""
        return self._store.reader()

    def size(self) -> int | None:
        """See Store. None, too, if the store has no such method."""
        ask = getattr(self._store, "size", None)
        if ask is None:
            return None
        with quiet():
            return cast("int | None", ask())


class _QuietWriter:
    """Passes every call on. Not around a whole thread: tasks that it takes over are not ours to keep quiet."""

    def __init__(self, writer: StoreWriter) -> None:
        self._writer = writer

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._writer, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            with quiet():
                return found(*args, **kwargs)

        return call
