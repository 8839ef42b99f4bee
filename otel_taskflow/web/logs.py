"""Pages of a task's log, and the log as text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, NamedTuple

from otel_taskflow.model import AttemptRow, LogRow
from otel_taskflow.ports import StoreReader
from otel_taskflow.web.views import log_line, separator

PAGE_CHARACTERS = 4 * 1024 * 1024
"""A page of a log ends early when its messages and extras are longer than this."""
LINES_IN_DETAIL = 10_000
_STEP = 1000
_MAX_NUMBER = 2**63 - 1


class Position(NamedTuple):
    """Where a page starts: after this line, and (``floor``) only lines with a higher sequence number than this."""

    attempt: int = 0
    seq: int = 0
    floor: int = 0


BEGINNING = Position()


class LogQuestion(NamedTuple):
    """Which lines of a task are wanted."""

    limit: int
    position: Position = BEGINNING
    min_level: str | None = None
    attempt: int | None = None


class LogPage(NamedTuple):
    """Lines in order; ``cursor`` leads to the next page, None on the last one."""

    lines: Sequence[LogRow]
    cursor: str | None


class LogTexts(NamedTuple):
    """The log of a detail: its texts with the separators, how many of them are lines, and whether some were left out."""

    texts: Sequence[str]
    lines: int
    is_cut: bool


def parse_position(after: str | None) -> Position:
    """Read ``after``: a cursor (``attempt_number.seq.floor``) or a plain sequence number. Raises ValueError."""
    if not after:
        return BEGINNING
    numbers = [_number(part) for part in after.split(".")]
    if len(numbers) == 1:
        return Position(0, numbers[0], numbers[0])
    attempt, seq, floor = numbers
    if attempt < 1:
        raise ValueError("attempts count from 1")
    return Position(attempt - 1, seq, floor)


def size_of_line(line: LogRow) -> int:
    """Characters of its message and its extras."""
    return len(line.message) + (_characters(dict(line.extra)) if line.extra else 0)


async def read_page(
    reader: StoreReader,
    task_id: str,
    attempts: int,
    question: LogQuestion,
    size: Callable[[LogRow], int] = size_of_line,
) -> LogPage:
    """A page of lines in order of (attempt, seq): as many as are wanted, or as have room, but one at least."""
    lines: list[LogRow] = []
    left = PAGE_CHARACTERS
    async for piece in _pieces(reader, task_id, attempts, question):
        for line in piece:
            left -= size(line)
            if len(lines) == question.limit or (lines and left < 0):
                return LogPage(lines, _cursor(lines[-1], question.position.floor))
            lines.append(line)
    return LogPage(lines, None)


async def read_lines(reader: StoreReader, task_id: str, attempts: Sequence[AttemptRow]) -> LogTexts:
    """The whole log as texts with the retry separators, capped."""
    wanted = LogQuestion(LINES_IN_DETAIL)
    page = await read_page(reader, task_id, len(attempts), wanted, lambda line: len(line.message))
    last = page.lines[-1].attempt if page.cursor else len(attempts) - 1
    return LogTexts(list(with_separators(page.lines, -1, last)), len(page.lines), page.cursor is not None)


async def stream_text(reader: StoreReader, task_id: str, attempts: int) -> AsyncIterator[str]:
    """The whole log as text, a line an entry, whatever its length."""
    attempt, after = -1, None
    while True:
        lines = await reader.get_logs(task_id, after=after, limit=_STEP)
        is_last = len(lines) < _STEP
        until = attempts - 1 if is_last else lines[-1].attempt
        yield "".join(f"{text}\n" for text in with_separators(lines, attempt, until))
        if is_last:
            return
        attempt, after = max(attempt, until), (lines[-1].attempt, lines[-1].seq)


def with_separators(lines: Sequence[LogRow], attempt: int, until: int) -> Iterator[str]:
    """Texts of the lines, with a separator before each retry, those without lines too.

    ``attempt`` is the last one whose separator was written (-1: none), ``until`` the last one that has one.
    """
    for line in lines:
        if line.attempt > attempt:
            yield from map(separator, _retries(attempt, line.attempt))
            attempt = line.attempt
        yield log_line(line)
    yield from map(separator, _retries(attempt, until))


def _retries(after: int, until: int) -> range:
    return range(max(1, after + 1), until + 1)


async def _pieces(
    reader: StoreReader, task_id: str, attempts: int, question: LogQuestion
) -> AsyncIterator[Sequence[LogRow]]:
    """All lines from the position on, in as few queries as the question allows."""
    position = question.position
    if not position.floor:
        async for piece in _steps(reader, task_id, question, (position.attempt, position.seq), question.attempt):
            yield piece
        return
    for attempt in range(position.attempt, attempts):
        if question.attempt in (None, attempt):
            seq = max(position.seq, position.floor) if attempt == position.attempt else position.floor
            async for piece in _steps(reader, task_id, question, (attempt, seq), attempt):
                yield piece


async def _steps(
    reader: StoreReader, task_id: str, question: LogQuestion, after: tuple[int, int], attempt: int | None
) -> AsyncIterator[Sequence[LogRow]]:
    """A page of few lines and the one after it at once; many lines step by step, for they may be long."""
    limit = min(question.limit, _STEP) + 1
    while True:
        piece = await reader.get_logs(task_id, after=after, limit=limit, min_level=question.min_level, attempt=attempt)
        yield piece
        if len(piece) < limit:
            return
        after = (piece[-1].attempt, piece[-1].seq)


def _characters(value: Any) -> int:
    """Of a value of JSON, as stores give them."""
    kind = type(value)
    if kind is str:
        return len(value)
    if kind is dict:
        return sum(map(len, value)) + sum(map(_characters, value.values()))
    return sum(map(_characters, value)) if kind is list else 1


def _cursor(last: LogRow, floor: int) -> str:
    return f"{last.attempt + 1}.{last.seq}.{floor}"


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:20]) <= _MAX_NUMBER and len(text) < 20):
        raise ValueError(f"{text!r} is no sequence number")
    return int(text)
