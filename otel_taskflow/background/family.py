"""Hermetic tests: a request ends when all that it started has ended, whatever way its tasks were added."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi.requests import HTTPConnection

_logger = logging.getLogger("otel_taskflow")

LIMIT = 30.0
"""Seconds that a request waits at most."""
_KEY = "otel_taskflow.family"


class Family:
    """The tasks of one request, and the tasks that those added."""

    def __init__(self) -> None:
        self._unfinished: dict[str, Callable[[], bool]] = {}

    def add(self, task_id: str, is_unfinished: Callable[[], bool]) -> None:
        """One more task."""
        self._unfinished[task_id] = is_unfinished

    async def ended(self) -> None:
        """Wait until none is unfinished."""
        deadline = monotonic() + LIMIT
        while left := [task_id for task_id, is_unfinished in self._unfinished.items() if is_unfinished()]:
            if monotonic() > deadline:
                _logger.warning(
                    "otel_taskflow: the request ends although its tasks %s have not, %g s after its response; a test that "
                    "needs them running can be marked otel_taskflow_real",
                    ", ".join(left),
                    LIMIT,
                )
                return
            await asyncio.sleep(0.002)


_current: ContextVar[Family | None] = ContextVar("otel_taskflow_family", default=None)

current_family: Callable[[], Family | None] = _current.get
"""The family of the request that this code, or the task it belongs to, was started by."""


def family_of(connection: HTTPConnection) -> Family:
    """The family of a request, which is the current one from now on."""
    family: Family = connection.scope.setdefault(_KEY, Family())
    _current.set(family)
    return family
