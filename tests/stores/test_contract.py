"""The contract suite over every store that there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.custom_store import DictStore
from otel_taskflow.ports import Store
from otel_taskflow.stores.memory import MemoryStore
from otel_taskflow.stores.sqlite.store import SqliteStore
from otel_taskflow.testing.store_contract import StoreContract
from tests.stores.next_release import made_by_the_next_release


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return SqliteStore(tmp_path / "tasks.db")

    @pytest.fixture
    def neighbour(self, tmp_path: Path, store: Store) -> Store:
        return SqliteStore(tmp_path / "tasks.db")


class TestSqliteStoreOnAFileOfTheNextRelease(StoreContract):
    """Expand and contract: what the next release adds is in no release's way."""

    @pytest.fixture
    def store(self, path: Path) -> Store:
        return made_by_the_next_release(path)

    @pytest.fixture
    def neighbour(self, path: Path, store: Store) -> Store:
        return SqliteStore(path)


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()


class TestStoreOfAUser(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return DictStore()
