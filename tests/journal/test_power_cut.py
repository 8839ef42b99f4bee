"""A power cut: by default no corruption and a loss within the window; where power matters nothing acknowledged is lost."""

from __future__ import annotations

import threading
from pathlib import Path
from random import Random

import pytest

from otel_taskflow.journal.disk import PowerSafeDisk
from otel_taskflow.journal.reader import DeadReader
from otel_taskflow.journal.segment import SIZE
from tests.journal.power import Beside, CachedDisk, CachedPowerSafeDisk, payloads
from tests.journal.support import FullDisk, make_writer

THREADS = 3
EACH = 120
"""Records; altogether some five segments or more."""


def left_after_a_cut(
    disk: CachedDisk | CachedPowerSafeDisk, journal: Path, to: Path, random: Random
) -> dict[int, bytes]:
    disk.cache.cut(journal, to, random)
    records = list(DeadReader(to).records())
    numbers = [record.seq for record in records]
    assert numbers == sorted(set(numbers))
    return {record.seq: record.payload for record in records}


@pytest.mark.failure("C14")
@pytest.mark.parametrize("seed", range(8))
def test_where_power_matters_nothing_acknowledged_is_lost(tmp_path: Path, seed: int) -> None:
    random, disk = Random(seed), CachedPowerSafeDisk()
    writer = make_writer(tmp_path, disk=disk)
    written: dict[int, bytes] = {}
    acknowledged: set[int] = set()

    def write(name: str) -> None:
        own = Random(f"{seed} {name}")
        appended: list[int] = []
        for _, payload in zip(range(EACH), payloads(own, name), strict=False):
            seq = writer.append(payload)
            written[seq] = payload
            appended.append(seq)
            if own.random() < 0.2:
                writer.sync()
                acknowledged.update(appended)

    threads = [threading.Thread(target=write, args=(f"thread {number}",)) for number in range(THREADS)]
    with Beside(writer.prepare):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert writer.folder is not None
    left = left_after_a_cut(disk, writer.folder, tmp_path / "left", random)
    assert acknowledged <= left.keys()
    assert left.items() <= written.items()
    assert len(writer.segments) > 3


@pytest.mark.failure("C14")
@pytest.mark.parametrize("seed", range(8))
def test_by_default_what_is_left_is_whole_and_the_loss_began_after_the_last_write_back(
    tmp_path: Path, seed: int
) -> None:
    random, disk = Random(seed), CachedDisk()
    writer = make_writer(tmp_path, disk=disk)
    written: dict[int, bytes] = {}
    on_disk = random.randrange(1, 150)
    for _, payload in zip(range(180), payloads(random, "line"), strict=False):
        written[writer.append(payload)] = payload
        if writer.end == on_disk:
            disk.cache.write_back()
        writer.prepare()
    assert writer.folder is not None
    left = left_after_a_cut(disk, writer.folder, tmp_path / "left", random)
    assert set(range(1, on_disk + 1)) <= left.keys()
    assert left.items() <= written.items()


def test_the_end_of_a_segment_that_was_synced_before_it_was_full_is_synced_too(tmp_path: Path) -> None:
    disk = CachedPowerSafeDisk()
    writer = make_writer(tmp_path, disk=disk)
    writer.append(b"first")
    writer.sync()
    for _ in range(5):
        writer.append(bytes(SIZE // 4))
    writer.sync()
    assert len(writer.segments) == 2
    assert writer.folder is not None
    assert set(left_after_a_cut(disk, writer.folder, tmp_path / "left", Random(1))) == set(range(1, 7))


def test_a_sync_waits_for_the_record_that_is_being_written(tmp_path: Path) -> None:
    writer = make_writer(tmp_path, disk=PowerSafeDisk())
    writer.append(b"x")
    thread = threading.Thread(target=writer.sync)
    with writer._lock:
        thread.start()
        thread.join(0.2)
        assert writer.synced == 0
    thread.join()
    assert writer.synced == 1


def test_what_a_full_disk_leaves_in_memory_does_not_count_as_synced(tmp_path: Path) -> None:
    disk = FullDisk()
    writer = make_writer(tmp_path, disk=disk)
    big = bytes(SIZE * 2 // 3)
    writer.append(big)
    disk.is_full = True
    writer.append(big)
    writer.sync()
    assert (writer.is_degraded, writer.synced) == (True, 1)
    disk.is_full = False
    writer.append(big)
    writer.sync()
    assert (writer.is_degraded, writer.synced) == (False, 1)
    writer.reclaim(2)
    writer.sync()
    assert writer.synced == 3


def test_without_a_file_nothing_counts_as_synced() -> None:
    writer = make_writer(None)
    writer.append(b"x")
    writer.sync()
    assert writer.synced == 0


def test_only_where_power_matters_folders_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []

    class Listening(PowerSafeDisk):
        def sync_folder(self, folder: Path) -> None:
            synced.append(folder)
            super().sync_folder(folder)

    writer = make_writer(tmp_path, disk=Listening())
    folder = writer.folder
    assert folder is not None
    assert synced == [folder.parent, tmp_path, tmp_path.parent, folder]
    writer.append(bytes(SIZE // 2 + SIZE // 4))
    writer.prepare()
    assert synced[4:] == [folder]
    writer.close(writer.end)
    assert synced[5:] == [folder.parent]
    monkeypatch.setattr("os.fsync", lambda _: pytest.fail("a sync that nobody asked for"))
    make_writer(tmp_path).append(b"x")
