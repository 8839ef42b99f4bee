"""Who waits is woken, whenever it began to wait."""

from __future__ import annotations

import asyncio
import threading
from time import monotonic

import pytest

from otel_taskflow.consumers.progress import Progress


class JustTooLate(list[object]):
    """Somebody advances after the waiter has looked and before it is in the list."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._progress = progress

    def append(self, waiting: object) -> None:
        self._progress.advance(1)
        super().append(waiting)


@pytest.fixture
def progress() -> Progress:
    progress = Progress()
    progress._waiting = JustTooLate(progress)  # type: ignore[assignment]
    return progress


def test_a_thread_that_begins_to_wait_just_when_it_happens_is_woken(progress: Progress) -> None:
    begin = monotonic()
    assert progress.wait(1, 20.0)
    assert monotonic() - begin < 5.0


def test_a_coroutine_that_begins_to_wait_just_when_it_happens_is_woken(progress: Progress) -> None:
    begin = monotonic()
    assert asyncio.run(progress.reached(1, 20.0))
    assert monotonic() - begin < 5.0


def test_many_waiters_are_all_woken_and_none_is_kept() -> None:
    progress = Progress()
    woken: list[bool] = []
    threads = [threading.Thread(target=lambda: woken.append(progress.wait(300, 20.0))) for _ in range(20)]
    for number, thread in enumerate(threads, start=1):
        thread.start()
        progress.advance(number)
    for number in range(21, 301):
        progress.advance(number)
    for thread in threads:
        thread.join()
    assert woken == [True] * 20
    assert progress._waiting == []


def test_who_waits_in_vain_is_forgotten() -> None:
    progress = Progress()
    assert not progress.wait(1, 0.01)
    assert not asyncio.run(progress.reached(1, 0.01))
    assert progress._waiting == []
