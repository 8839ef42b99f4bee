"""Messages, and a look into a spool's file past the spool."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from otel_taskflow.spool import Limits, Message, Source, Spool, SpoolWrite, Stored
from tests.conftest import ROOT

SHOP = Source(b"resource of the shop", "https://schema/1", b"scope", "https://schema/2")
TEMPO = "tempo"
MIB = 1024 * 1024


def message(
    body: bytes | str = b"body",
    *,
    destination: str = TEMPO,
    signal: str = "traces",
    source: Source = SHOP,
    time: int = 1000,
    held_for: str | None = None,
) -> Message:
    return Message(destination, signal, source, body if isinstance(body, bytes) else body.encode(), time, held_for)


def numbered(numbers: Iterable[int], *, size: int = 0, signal: str = "traces") -> list[Message]:
    """Messages whose body begins with their number, which is also their time."""
    return [message(b"%06d" % n + b"x" * (size - 6), time=n, signal=signal) for n in numbers]


def numbers(stored: Sequence[Stored]) -> list[int]:
    return [int(each.body[:6]) for each in stored]


def bodies(spool: Spool, signal: str = "traces", destination: str = TEMPO) -> list[str]:
    return [each.body.decode() for each in spool.take(destination, signal, 100_000, 1 << 30)]


def ids(stored: Sequence[Stored]) -> list[int]:
    return [each.id for each in stored]


def slice_of(offset: int, messages: Sequence[Message] = (), journal: str = "journal-a", **more: object) -> SpoolWrite:
    return SpoolWrite(journal, offset, messages, **more)  # type: ignore[arg-type]


def opened(path: Path | None, **limits: float) -> Spool:
    spool = Spool(path, {TEMPO: Limits(**limits)})  # type: ignore[arg-type]
    spool.open()
    return spool


def sql(path: Path, statement: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.commit()
        connection.close()


def asides(path: Path) -> list[Path]:
    return sorted(each for each in path.parent.glob("*.corrupt-*") if not each.name.endswith(("-wal", "-shm")))


def start_python(program: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "error", "-c", program, *map(str, arguments)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, cwd=ROOT, **pipes)  # type: ignore[call-overload,no-any-return]


def run_python(program: str, *arguments: object, timeout: float = 60.0) -> str:
    """Its output."""
    with start_python(program, *arguments) as process:
        try:
            output, errors = process.communicate(timeout=timeout)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    return output


def check_file(path: Path) -> None:
    """SQLite finds nothing wrong, and the figures are those of the rows."""
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]
    for table, columns in (("messages", "messages, bytes"), ("held", "held_messages, held_bytes")):
        told = sql(path, f"SELECT queue_key, {columns} FROM queues WHERE {columns.split(',')[0]} > 0 ORDER BY 1")
        assert told == sql(path, f"SELECT id >> 52, count(*), sum(length(body)) FROM {table} GROUP BY 1 ORDER BY 1")
