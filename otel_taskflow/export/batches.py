"""The batch in the sender's hands: halved when it is refused, until the record that is to blame is alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from otel_taskflow.spool import Stored
from otel_taskflow.telemetry.otlp.requests import Source, request


class BatchLimits(NamedTuple):
    """How much goes into one request."""

    messages: int = 1000
    bytes: int = 2 * 1024**2

    def are_reached(self, messages: int, size: int) -> bool:
        """Whether as much would fill a batch."""
        return messages >= self.messages or size >= self.bytes


Piece = Sequence[Stored]


class Pieces:
    """What of a batch is still to be sent, in pieces; empty when all of it is settled.

    Both halves of a refused piece go behind the others: so every part of a batch has had its turn before single records
    are blamed, and a destination that takes anything at all has shown it by then.
    """

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()

    def __bool__(self) -> bool:
        return bool(self._pieces)

    @property
    def next(self) -> Piece:
        """What is to be sent now."""
        return self._pieces[0]

    def add(self, piece: Piece) -> None:
        """Something to be sent after the rest."""
        self._pieces.append(piece)

    def settle(self) -> None:
        """The next one is dealt with."""
        self._pieces.popleft()

    def split(self) -> None:
        """Put the halves of the next one behind the others."""
        piece = self._pieces.popleft()
        middle = len(piece) // 2
        self._pieces.extend((piece[:middle], piece[middle:]))

    def clear(self) -> None:
        """Forget them; they are in the spool."""
        self._pieces.clear()


def assemble(piece: Piece) -> bytes:
    """The body of a request: messages by source, in their order."""
    groups: dict[int, tuple[Source, list[bytes]]] = {}
    for source, stored in groupby(piece, attrgetter("source")):
        _, bodies = groups.setdefault(id(source), (source, []))
        bodies += [each.body for each in stored]
    return request(groups.values())


def size_of(piece: Piece) -> int:
    """Bytes of its messages."""
    return sum(len(each.body) for each in piece)


__all__ = ["BatchLimits", "Piece", "Pieces", "assemble", "size_of"]
