"""Threads for sync tasks: our own, daemonic, so that neither the default pool nor interpreter exit waits for them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from time import monotonic, sleep

from otel_taskflow.engine.failures import report

PROMPT = 0.0005
"""Seconds in which a thread that is called comes, unless others keep the interpreter lock."""
PAUSE = 0.005
"""Seconds between two tries of a thread that would only be in the way; the interpreter's own switch interval."""
QUICK = 3
"""Calls that a thread takes in that time if none of them waits."""


class ThreadPool:
    """Runs calls in at most ``limit`` daemon threads, first come first served. Threads are made when needed.

    Short calls are best left to the threads that run already: with 32 threads that all want the interpreter lock, a task that
    does nothing cost twice as much. So only one thread is on its way at a time, and calls the next when it takes a call. One
    that comes late, because the interpreter is busy, stands by for as long as the others take calls quickly.
    """

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._calls: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()
        self._idle: list[SimpleQueue[None]] = []
        """Bells of idle threads, which wait in C, unlike at a Condition. Who came last is called first: it is warm."""
        self._own = threading.local()
        """``farewells``, in a thread of this pool: what it has to tell others before it has nothing to do."""
        self._threads = 0
        self._taken = 0
        self._called_at: float | None = None
        """When the thread that is on its way was called; None if there is none."""
        self._taken_before = 0
        """Calls that had been taken then."""
        self._closed = False

    def submit(self, call: Callable[[], None]) -> None:
        """Run ``call`` soon. What it raises is logged. Raises RuntimeError if there is no thread and none can be started."""
        with self._lock:
            self._calls.append(call)
            if self._called_at is None:
                self._call_thread_for(call)

    def farewell(self, callback: Callable[[], None]) -> None:
        """Run ``callback`` when the thread that calls this is ready for its next call; at once in a thread of others.

        Whoever hears that a call has ended may submit the next one at once. Heard before the thread is ready, it would call
        another, and both would want the interpreter lock.
        """
        farewells: list[Callable[[], None]] | None = getattr(self._own, "farewells", None)
        if farewells is None:
            callback()
        else:
            farewells.append(callback)

    @property
    def waiting(self) -> int:
        """Calls that no thread has taken yet."""
        return len(self._calls)

    def close(self) -> None:
        """Idle threads leave; busy ones leave when their call returns. Nothing is joined."""
        with self._lock:
            self._closed = True
            for bell in self._idle:
                bell.put(None)
            self._idle.clear()

    def _call_thread_for(self, call: Callable[[], None]) -> None:
        try:
            self._call_thread()
        except RuntimeError:
            if not self._threads:
                self._calls.remove(call)
                raise

    def _call_thread(self) -> None:
        """Let one more come, if there is one."""
        if self._idle:
            self._idle.pop().put(None)
        elif self._threads < self._limit:
            self._start_thread()
        else:
            return
        self._called_at, self._taken_before = monotonic(), self._taken

    def _start_thread(self) -> None:
        number = self._threads + 1
        threading.Thread(target=self._work, name=f"{self._name}-{number}", daemon=True).start()
        self._threads = number

    def _work(self) -> None:
        bell: SimpleQueue[None] = SimpleQueue()
        farewells: list[Callable[[], None]] = []
        self._own.farewells = farewells
        self._arrive()
        while True:
            call, is_over = self._next_call(bell)
            while farewells:
                _run(farewells.pop(0))
            if call is not None:
                _run(call)
                del call
            elif is_over:
                return
            else:
                bell.get()
                self._arrive()

    def _next_call(self, bell: SimpleQueue[None]) -> tuple[Callable[[], None] | None, bool]:
        """The next call, if there is one, else whether there will be none; if neither, the thread is idle now."""
        with self._lock:
            if self._calls:
                return self._take(), False
            if self._closed:
                self._threads -= 1
            else:
                self._idle.append(bell)
            return None, self._closed

    def _take(self) -> Callable[[], None]:
        self._taken += 1
        call = self._calls.popleft()
        if self._calls and self._called_at is None:
            self._call_thread()
        return call

    def _arrive(self) -> None:
        """Stand by until it is needed."""
        while True:
            with self._lock:
                if not self._calls or self._closed or not self._is_in_the_way():
                    self._called_at = None
                    return
                self._called_at, self._taken_before = monotonic() + PAUSE, self._taken
            sleep(PAUSE)

    def _is_in_the_way(self) -> bool:
        """It came late, and meanwhile the others took call after call: theirs do not wait for anything."""
        called_at, others = self._called_at, self._threads - len(self._idle) - 1
        if called_at is None or self._taken - self._taken_before < QUICK * max(1, others):
            return False
        return monotonic() - called_at > PROMPT


def _run(call: Callable[[], None]) -> None:
    try:
        call()
    except BaseException:  # noqa: BLE001 - the thread serves on, whatever comes through
        report("a thread of tasks caught what should have been contained")
