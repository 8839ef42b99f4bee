"""What ``task_log`` does inside an attempt: one append to the journal, one entry for the span. The hottest path there is."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from time import time_ns
from typing import Any

from otel_taskflow.context import TaskContext
from otel_taskflow.errors import JournalError
from otel_taskflow.events import TaskLogged
from otel_taskflow.journal.codec import decode, encode, encode_log, log_prefix
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.values import LEVELS, Sanitizer, normalize_level

KEPT_FIRST = 64
KEPT_LAST = 64
_levels = frozenset(LEVELS)
_kept_at_budget = frozenset({"error"})


class AttemptLog:
    """The log of one attempt.

    ``log`` never raises. A line is in the journal when it returns; its value is sanitised there and then, so what is stored,
    exported and shown is the same. ``kept`` are the first and last lines, for the span's events.
    """

    __slots__ = (
        "_append",
        "_count",
        "_first",
        "_is_plain",
        "_last",
        "_max_bytes",
        "_next_seq",
        "_prefix",
        "_sanitizer",
        "context",
        "count",
        "ended",
    )

    def __init__(
        self,
        context: TaskContext,
        writer: JournalWriter,
        next_seq: Callable[[], int],
        sanitizer: Sanitizer,
    ) -> None:
        self.context = context
        self.count = 0
        self.ended = False
        self._append = writer.append_log
        self._next_seq = next_seq
        self._prefix = b""
        self._sanitizer = sanitizer
        self._is_plain = sanitizer.is_plain
        self._max_bytes = sanitizer.max_plain_bytes
        self._count = itertools.count(1).__next__
        self._first: list[tuple[int, str, str, Mapping[str, Any]]] = []
        self._last: deque[tuple[int, str, str, Mapping[str, Any]]] = deque(maxlen=KEPT_LAST)

    def log(self, message: object, level: object, extra: dict[str, Any], logger: str | None = None) -> None:
        """Write one line. Anything that is not plain text and plain values takes the careful way."""
        seq = self._next_seq()
        if (
            type(message) is str
            and type(level) is str
            and level in _levels
            and logger is None
            and not self.ended
            and (not extra or self._is_plain(extra))
        ):
            time = time_ns()
            try:
                payload = encode_log(self._prefix or self._make_prefix(), time, seq, level, message, extra)
            except Exception:  # noqa: BLE001 - what JSON does not take goes the careful way
                payload = b""
            if 0 < len(payload) <= self._max_bytes:
                self._append(payload, level in _kept_at_budget)
                self._keep(time, level, message, extra)
                return
        self._log_carefully(seq, message, level, extra, logger)

    def _make_prefix(self) -> bytes:
        """At the first line: many attempts write none."""
        self._prefix = log_prefix(self.context.task_id, self.context.attempt)
        return self._prefix

    def take(self, payload: bytes) -> int:
        """Write a line as a worker process has written it; returns its number, 0 if it is another attempt's (a late line)."""
        try:
            event = decode(payload)
        except JournalError:
            event = None
        self._append(payload, isinstance(event, TaskLogged) and event.level in _kept_at_budget)
        if not isinstance(event, TaskLogged) or event.late:
            return 0
        if (event.task_id, event.attempt) != (self.context.task_id, self.context.attempt):
            return 0
        self._keep(event.time, event.level, event.message, event.extra)
        return event.seq

    def _keep(self, time: int, level: str, message: str, extra: Mapping[str, Any]) -> None:
        self.count = count = self._count()
        if count <= KEPT_FIRST:
            self._first.append((time, level, message, extra))
        else:
            self._last.append((time, level, message, extra))

    def _log_carefully(
        self, seq: int, message: object, level: object, extra: dict[str, Any], logger: str | None
    ) -> None:
        time = time_ns()
        name, given = normalize_level(level)
        text = self._sanitizer.message(message)
        values = self._sanitizer.extra({**extra, "level_given": given} if given is not None else extra)
        event = TaskLogged(
            self.context.task_id,
            time,
            self.context.attempt,
            seq,
            name,
            text,
            values,
            logger,
            self.ended,
        )
        try:
            self._append(encode(event), name in _kept_at_budget)
        except Exception:  # noqa: BLE001 - task_log never raises; what cannot be written is counted
            self._sanitizer.counts["unwritable"] += 1
            return
        self._keep(time, name, text, values)

    def kept(self) -> Sequence[tuple[int, str, str, Mapping[str, Any]]]:
        """The first 64 and the last 64 lines, with secrets in their values redacted."""
        redaction = self._sanitizer.redaction
        return [
            (time, level, redaction.text(message), redaction.value(extra) if extra else extra)
            for time, level, message, extra in (*self._first, *self._last)
        ]
