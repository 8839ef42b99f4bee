"""A running attempt that only remembers what was logged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from otel_taskflow.context import TaskContext, enter_attempt


class Line(NamedTuple):
    message: object
    level: object
    extra: dict[str, Any]
    logger: str | None


class Attempt:
    """Takes the place of the running attempt."""

    def __init__(self) -> None:
        self.context = TaskContext("task-1", "send_email", 0, {}, "a" * 32, "b" * 16)
        self.lines: list[Line] = []

    def log(self, message: object, level: object, extra: dict[str, Any], logger: str | None = None) -> None:
        self.lines.append(Line(message, level, extra, logger))

    @property
    def messages(self) -> list[object]:
        return [line.message for line in self.lines]


@contextmanager
def attempt() -> Iterator[Attempt]:
    """Inside, an attempt is running here."""
    running = Attempt()
    enter_attempt(running)
    try:
        yield running
    finally:
        enter_attempt(None)
