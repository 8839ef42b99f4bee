"""A journal with a tailer, and consumers to follow it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from otel_taskflow.consumers.tailer import Tailer
from otel_taskflow.events import Event, TaskLogged
from otel_taskflow.journal.codec import encode
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.ports import Consumer, JournalSlice
from tests.journal.support import make_writer


class Recorder:
    """Keeps what it was given; ``gate`` holds it up, ``failures`` makes the next calls raise."""

    def __init__(self, name: str = "recorder", failures: int = 0) -> None:
        self.name = name
        self.events: list[tuple[int, Event]] = []
        self.firsts: list[int] = []
        self.calls = 0
        self.failures = failures
        self.gate = threading.Event()
        self.gate.set()
        self.closed = False

    @property
    def numbers(self) -> list[int]:
        return [seq for seq, _ in self.events]

    def consume(self, piece: JournalSlice) -> None:
        self.calls += 1
        self.gate.wait(20)
        if self.failures:
            self.failures -= 1
            raise RuntimeError("not now")
        self.firsts.append(piece.first)
        self.events.extend(piece.events)

    def close(self, timeout: float) -> None:
        self.closed = True


def line(number: int, size: int = 1) -> bytes:
    return encode(TaskLogged("task", number, 0, number, "info", "x" * size, {}))


@contextmanager
def following(
    root: Path | None,
    store: Consumer,
    *others: Consumer,
    decode_step: Callable[[Event], Event] = lambda event: event,
    **options: Any,
) -> Iterator[tuple[JournalWriter, Tailer]]:
    writer = make_writer(root, **options)
    tailer = Tailer(writer, decode_step=decode_step)
    tailer.add(store, is_store=True)
    for other in others:
        tailer.add(other)
    tailer.start()
    try:
        yield writer, tailer
    finally:
        tailer.stop(5.0)
        writer.close(tailer.consumed)
