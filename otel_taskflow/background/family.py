"""Hermetic tests: a request ends when all that it started has ended, whatever way its tasks were added."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from threading import Event, Timer
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from fastapi.requests import HTTPConnection

_logger = logging.getLogger("otel_taskflow")

LIMIT = 30.0
"""Seconds that a request waits at most."""
_KEY = "otel_taskflow.family"


class Member(NamedTuple):
    """One task of a family."""

    task_id: str
    is_unfinished: Callable[[], bool]
    when_done: Callable[[Callable[[], None]], None]
    """Registers what is called, from any thread, when it has ended."""


class Family:
    """The tasks of one request, and the tasks that those added."""

    def __init__(self) -> None:
        self._members: list[Member] = []

    def add(self, member: Member) -> None:
        """One more task."""
        self._members.append(member)

    async def ended(self) -> None:
        """Wait until none is unfinished."""
        if not self._unfinished():
            return
        # Neither the loop's clock nor ``asyncio.sleep``: a test may have frozen the one and patched the other.
        loop, bell, is_late = asyncio.get_running_loop(), asyncio.Event(), Event()

        def ring() -> None:
            with suppress(RuntimeError):  # A closed loop waits for nothing.
                loop.call_soon_threadsafe(bell.set)

        def give_up() -> None:
            is_late.set()
            ring()

        limit = Timer(LIMIT, give_up)
        limit.daemon = True
        limit.start()
        try:
            # A task adds others before it ends, so to wait for one after the other is to wait for all.
            while (left := self._unfinished()) and not is_late.is_set():
                bell.clear()
                left[0].when_done(ring)
                await bell.wait()
        finally:
            limit.cancel()
        if left:
            _logger.warning(
                "otel_taskflow: the request ends although its tasks %s have not, %g s after its response; a test that "
                "needs them running can be marked otel_taskflow_real",
                ", ".join(member.task_id for member in left),
                LIMIT,
            )

    def _unfinished(self) -> list[Member]:
        return [member for member in list(self._members) if member.is_unfinished()]


_current: ContextVar[Family | None] = ContextVar("otel_taskflow_family", default=None)

current_family: Callable[[], Family | None] = _current.get
"""The family of the request that this code, or the task it belongs to, was started by."""


def family_of(connection: HTTPConnection) -> Family:
    """The family of a request, which is the current one from now on."""
    family: Family = connection.scope.setdefault(_KEY, Family())
    _current.set(family)
    return family
