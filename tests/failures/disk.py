"""A disk that loses a random half of what was not synced, played back from the system calls of a program."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

SECTOR = 512
CALLS = "pwrite64,write,fdatasync,fsync,ftruncate"
"""What SQLite changes a file with, and how the program says what it has done."""
_LINE = re.compile(r'(\w+)\(\d+<([^>]*)>(?:, (?:"([^"]*)"|(\d+)))?(?:, (\d+))?(?:, (\d+))?\) += \d+$')


class Call(NamedTuple):
    """One system call on a file: data at an offset, a new length, or neither: a sync."""

    file: str
    data: bytes | None = None
    offset: int = 0
    length: int | None = None


def calls(trace: Path) -> Iterator[Call]:
    """The calls of a trace by ``strace -y -xx``."""
    for line in trace.read_text().splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        name, file = found[1], Path(_text(found[2]).decode()).name
        if name == "ftruncate":
            yield Call(file, length=int(found[4]))
        elif name in ("fdatasync", "fsync"):
            yield Call(file)
        else:
            yield Call(file, _text(found[3]), int(found[6] or 0))


def _text(escaped: str) -> bytes:
    return bytes.fromhex(escaped.replace("\\x", "")) if escaped.startswith("\\x") else escaped.encode()


class Cache:
    """``safe`` is what the disk has of a file for certain, ``pending`` what it has been told since the last sync."""

    def __init__(self) -> None:
        self.safe = bytearray()
        self.pending: list[Call] = []

    def take(self, call: Call) -> None:
        if call.data is None and call.length is None:
            for each in self.pending:
                _apply(self.safe, each)
            self.pending.clear()
        else:
            self.pending.append(call)

    def after_a_cut(self, random: Random) -> bytes:
        left = bytearray(self.safe)
        for call in self.pending:
            for part in _sectors(call):
                if random.random() < 0.5:
                    _apply(left, part)
        return bytes(left)


def _sectors(call: Call) -> Sequence[Call]:
    if call.data is None:
        return [call]
    return [
        call._replace(data=call.data[at : at + SECTOR], offset=call.offset + at)
        for at in range(0, len(call.data), SECTOR)
    ]


def _apply(data: bytearray, call: Call) -> None:
    end = call.offset + len(call.data) if call.data is not None else call.length or 0
    if len(data) < end:
        data.extend(bytes(end - len(data)))
    if call.data is not None:
        data[call.offset : end] = call.data
    else:
        del data[end:]


def cut(told: Sequence[Call], names: Sequence[str], to: Path, random: Random) -> None:
    """What a power cut after these calls leaves of these files, in the folder ``to``."""
    caches = {name: Cache() for name in names}
    for call in told:
        if call.file in caches:
            caches[call.file].take(call)
    to.mkdir()
    for name, cache in caches.items():
        (to / name).write_bytes(cache.after_a_cut(random))
