"""A disk with a cache: after a power cut, of what was not synced a random half is there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

from otel_taskflow.journal.disk import Disk, PowerSafeDisk
from otel_taskflow.journal.segment import Segment

SECTOR = 512


class CachedSegment(Segment):
    """``safe`` is what the disk has of it for certain."""

    def __init__(self, segment: Segment) -> None:
        super().__init__(segment.buffer, segment.path, segment.size)
        self.safe = bytes(self.size)

    def sync(self) -> bool:
        if self.path is None:
            return False
        self.safe = bytes(self.buffer[: self.size])
        return True

    def after_a_cut(self, random: Random) -> bytes:
        """Each sector as it was synced or as it was written, the disk's choice."""
        written = bytes(self.buffer[: self.size])
        parts = []
        for at in range(0, self.size, SECTOR):
            old, new = self.safe[at : at + SECTOR], written[at : at + SECTOR]
            parts.append(new if old == new or random.random() < 0.5 else old)
        return b"".join(parts)


class Cache:
    """What both kinds of disk have in common for the test."""

    def __init__(self) -> None:
        self.segments: list[CachedSegment] = []
        self.safe_names: set[Path] = set()

    def keep(self, segment: Segment) -> CachedSegment:
        cached = CachedSegment(segment)
        self.segments.append(cached)
        return cached

    def write_back(self) -> None:
        """What the system does by itself now and then."""
        for segment in self.segments:
            segment.sync()
            if segment.path is not None:
                self.safe_names |= {segment.path, *segment.path.parents}

    def cut(self, journal: Path, to: Path, random: Random) -> None:
        """Write what is left of the journal's folder after a power cut into the folder ``to``."""
        to.mkdir()
        if not self._is_there(journal, random):
            return
        for segment in self.segments:
            if segment.path is not None and self._is_there(segment.path, random):
                (to / segment.path.name).write_bytes(segment.after_a_cut(random))

    def _is_there(self, path: Path, random: Random) -> bool:
        return path in self.safe_names or random.random() < 0.5


class CachedDisk(Disk):
    """As it is used by default."""

    def __init__(self) -> None:
        self.cache = Cache()

    def create_segment(self, path: Path | None, needed: int = 0) -> Segment:
        return self.cache.keep(super().create_segment(path, needed))


class CachedPowerSafeDisk(PowerSafeDisk):
    """As it is used with ``durability="power"``."""

    def __init__(self) -> None:
        self.cache = Cache()

    def create_segment(self, path: Path | None, needed: int = 0) -> Segment:
        return self.cache.keep(super().create_segment(path, needed))

    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        self.cache.safe_names |= set(folder.iterdir())


class Beside:
    """Calls something again and again on a thread."""

    def __init__(self, *calls: object) -> None:
        self._calls = calls
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(call,)) for call in calls]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _work(self, call: object) -> None:
        while not self._is_over.wait(0.001):
            call()  # type: ignore[operator]


def payloads(random: Random, name: str) -> Iterator[bytes]:
    """Records of all sizes; each says what it is, and none can be taken for another."""
    number = 0
    while True:
        number += 1
        size = random.choice((0, 40, 600, 5_000, 300_000))
        yield b"%b %d %b" % (name.encode(), number, random.randbytes(size))
