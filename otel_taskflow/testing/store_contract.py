"""The contract of a store as tests: subclass ``StoreContract`` in your test-suite and give it your store.

    class TestMyStore(StoreContract):
        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(tmp_path / "tasks")

Needs pytest and nothing else: no plugin, no configuration.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from otel_taskflow.ports import Store, StoreWriter

_PARTS = ("writer", "housekeeping", "reader", "sharing")
# Before they are imported, so that a failed assert shows its values.
pytest.register_assert_rewrite(*(f"otel_taskflow.testing.store_{part}_contract" for part in _PARTS))

from otel_taskflow.testing.store_housekeeping_contract import HousekeepingContract  # noqa: E402 - see above
from otel_taskflow.testing.store_reader_contract import ReaderContract  # noqa: E402 - see above
from otel_taskflow.testing.store_sharing_contract import SharingContract  # noqa: E402 - see above
from otel_taskflow.testing.store_writer_contract import WriterContract  # noqa: E402 - see above


class StoreContract(WriterContract, HousekeepingContract, ReaderContract, SharingContract):
    """What ``otel_taskflow.ports`` says about stores, sentence by sentence.

    Override the fixture ``store`` with a new, empty store whose writer is not open yet. If several processes can share
    your store, override ``neighbour`` too: the same data as another process would see it.
    """

    @pytest.fixture
    def store(self) -> Store:
        """The store under test."""
        raise NotImplementedError("override the fixture store() of StoreContract with your empty store")

    @pytest.fixture
    def neighbour(self, store: Store) -> Store | None:
        """Another store object over the data of ``store``, not open yet; None if nobody can share it."""
        return None

    @pytest.fixture
    def writer(self, store: Store) -> Iterator[StoreWriter]:
        """The open writer of ``store``."""
        store.writer.open()
        yield store.writer
        store.writer.close()


__all__ = ["StoreContract"]
