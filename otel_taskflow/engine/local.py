"""The engine of this process: takes tasks in, starts them, retries them, cancels them, ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from time import monotonic
from typing import Any

from otel_taskflow.engine.live import LiveTask, Phase
from otel_taskflow.engine.new_task import NewTask, enqueued
from otel_taskflow.engine.parts import EngineParts
from otel_taskflow.engine.runner import Runner
from otel_taskflow.errors import ManagerClosedError, QueueFullError, TaskStateError
from otel_taskflow.events import TaskCancelRequested, TaskReleased, TaskSettled
from otel_taskflow.journal.codec import encode
from otel_taskflow.lifecycle.decide import SECOND
from otel_taskflow.model import Cancelled, Interrupted, TaskRow, TaskStatus, Transition

LOOK_EVERY = 0.02
"""Seconds between two looks of who waits for tasks to end."""
CUT_OFF_LIMIT = 1.0
"""Seconds that cancelled attempts have to end."""
_UNSTARTED = frozenset({Phase.HELD, Phase.PENDING})


class LocalEngine:
    """Runs the tasks of this process. Thread-safe; no lock is held while anything waits."""

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._live: dict[str, LiveTask] = {}
        self._runner = Runner(parts, self._on_ended, self._on_thread_free, self._on_expired)
        self._stopping = threading.Event()
        self._hurried = False
        self._is_over = False
        self._idle = threading.Condition()
        self._watching = 0
        """How many wait for ``_idle``: nobody else need be told."""
        parts.loops.lag.name_of = self.name_of

    # Taking in

    def add(self, new: NewTask) -> LiveTask:
        """Journal a task; it is durable when this returns.

        Raises QueueFullError, ManagerClosedError before anything is stored.
        """
        if self._is_over:
            raise ManagerClosedError(f"task {new.definition.name!r} cannot be added: its task manager has shut down")
        if len(self._live) >= self._parts.max_pending:
            raise QueueFullError(
                f"{len(self._live)} tasks are unfinished in this process, the limit (max_pending); "
                "raise max_pending or add fewer tasks"
            )
        row = self._row(new)
        self._parts.writer.append(encode(enqueued(row, new.definition.code_name)))
        self._parts.commit()
        task = LiveTask(row, new.definition, (new.args, new.kwargs), copy_context())
        if row.expires_at is not None:
            task.expire_in(row.expires_at - row.created_at)
        self._live[row.task_id] = task
        return task

    def _row(self, new: NewTask) -> TaskRow:
        definition, now = new.definition, self._parts.clock()
        span = self._parts.telemetry.enqueue(new.task_id, definition.name, definition.code_name, new.tags)
        return TaskRow(
            task_id=new.task_id,
            name=definition.name,
            status=TaskStatus.PENDING,
            created_at=now,
            args=new.kept_args,
            tags=new.tags,
            idempotency_key=new.idempotency_key,
            held=new.held,
            max_attempts=definition.config.retries + 1,
            span=span.identity,
            carrier=span.carrier,
            executor=definition.executor,
            retry_of=new.retry_of,
            requeue_on_interrupt=definition.config.requeue_on_interrupt,
            expires_at=None if new.expires is None else now + int(new.expires * SECOND),
        )

    def adopt(self, task: LiveTask) -> None:
        """Take a task over from a dead process: start it, or let its retry keep its time."""
        self._live[task.row.task_id] = task
        if task.waiting_until is not None:
            task.phase = Phase.WAITING
            self._set_retry(task)
        else:
            self._runner.start(task)

    # Starting

    def release(self, tasks: Sequence[LiveTask]) -> None:
        """The response is about to leave: journal it for each held task. They may start from now on."""
        for task in tasks:
            with task.lock:
                if task.phase is not Phase.HELD:
                    continue
                task.phase = Phase.PENDING
                self._parts.writer.append(encode(TaskReleased(task.row.task_id, self._parts.clock())))
        self._parts.commit()

    def start(
        self,
        task: LiveTask,
        on_attempt_end: Callable[[], None] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """Start a task that is not held, unless somebody has: an async one on ``loop``, if that runs.

        ``on_attempt_end`` is called from any thread when its first attempt has ended.
        """
        with task.lock:
            is_first = task.phase is Phase.PENDING and not task.is_started
            if is_first:
                task.is_started, task.loop = True, loop
            awaited = on_attempt_end if task.is_before_first_end else None
            if awaited is not None:
                task.on_attempt_end = _both(task.on_attempt_end, awaited)
        if is_first:
            begin = self._runner.start if awaited is None else self._runner.start_here
            begin(task)
        elif on_attempt_end is not None and awaited is None:
            on_attempt_end()

    # After an attempt

    def _on_ended(self, task: LiveTask, transition: Transition) -> None:
        if transition.retry_at is None:
            self._forget(task)
        else:
            self._set_retry(task, transition.wait)
        self._tell(task)

    def _on_thread_free(self, task: LiveTask) -> None:
        """A thread came back after its attempt had been given up; only now may the retry follow."""
        self._set_retry(task)

    def _on_expired(self, task: LiveTask) -> None:
        """Its turn came too late."""
        with task.lock:
            if task.phase is not Phase.PENDING:
                return
            self._settle(task, TaskStatus.CANCELLED, "expired")
        self._forget(task)
        self._tell(task)

    def _set_retry(self, task: LiveTask, wait: int | None = None) -> None:
        """Let the retry follow after ``wait`` nanoseconds, or if that is not known when it is due by the clock, which may have been
        set meanwhile; unless somebody has seen to it or the attempt's thread still runs.
        """
        with task.lock:
            until = task.waiting_until
            if task.phase is not Phase.WAITING or task.retry_is_set or task.thread_running or until is None:
                return
            task.retry_is_set = True
        if self._stopping.is_set():
            return
        if wait is None:
            wait = until - self._parts.clock()
        if wait <= 0:
            self._runner.start(task)
        else:
            task.retry_timer = timer = self._parts.timers.after(wait, lambda: self._start_retry(task))
            if task.row.task_id not in self._live:  # cancelled meanwhile, in another thread
                self._parts.timers.forget(timer)

    def _start_retry(self, task: LiveTask) -> None:
        if not self._stopping.is_set():
            self._runner.start(task)

    def _forget(self, task: LiveTask) -> None:
        self._live.pop(task.row.task_id, None)
        if task.retry_timer is not None:
            self._parts.timers.forget(task.retry_timer)
        if task.row.idempotency_key is not None:
            task.let_go()  # whoever holds the key stays known, with ten thousand others
        if task.on_done is not None:
            self._tell_done(task)
        if self._watching and not self._live:
            with self._idle:
                self._idle.notify_all()

    def _tell(self, task: LiveTask) -> None:
        on_attempt_end, task.on_attempt_end = task.on_attempt_end, None
        if on_attempt_end is not None:
            self._parts.threads.farewell(on_attempt_end)

    def when_done(self, task: LiveTask, callback: Callable[[], None]) -> None:
        """Call back, from any thread, when this process has no more to do with a task; at once if that is so."""
        with task.lock:
            task.on_done = _both(task.on_done, callback)
        if self._live.get(task.row.task_id) is not task:
            self._tell_done(task)

    @staticmethod
    def _tell_done(task: LiveTask) -> None:
        with task.lock:
            on_done, task.on_done = task.on_done, None
        if on_done is not None:
            on_done()

    # Cancelling

    def cancel(self, task_id: str, reason: str = "user") -> bool:
        """Cancel a task of this process. False if it is not here. Raises TaskStateError if it has just ended.

        A pending or waiting task is cancelled at once and never runs; an async attempt gets CancelledError; a sync one is
        given up, its thread runs on.
        """
        task = self._live.get(task_id)
        if task is None:
            return False
        with task.lock:
            task.cancel_requested = True
            attempt = task.attempt
            settled = attempt is None and task.phase not in (Phase.DONE, Phase.LEFT)
            if settled:
                self._settle(task, TaskStatus.CANCELLED, reason)
            elif attempt is not None:
                self._parts.writer.append(encode(TaskCancelRequested(task_id, self._parts.clock())))
        if settled:
            self._forget(task)
            self._tell(task)
        elif attempt is not None:
            self._runner.cut_off(task, attempt, Cancelled(reason))
        else:
            raise TaskStateError(f"task {task_id} has just ended; there is nothing left to cancel")
        return True

    def give_up(self, tasks: Sequence[LiveTask], reason: str) -> None:
        """A request that may have started these tasks will not. They are cancelled, unless another one has or still may."""
        for task in tasks:
            if self._live.get(task.row.task_id) is task:
                self._give_up(task, reason)

    def _give_up(self, task: LiveTask, reason: str) -> None:
        with task.lock:
            task.holders -= 1
            is_left = not task.holders and not task.is_started and task.phase in _UNSTARTED
            if is_left:
                self._settle(task, TaskStatus.CANCELLED, reason)
        if is_left:
            self._forget(task)

    def _settle(self, task: LiveTask, status: TaskStatus, reason: str) -> None:
        task.phase = Phase.DONE
        task.final_status = status
        event = TaskSettled(task.row.task_id, self._parts.clock(), status, reason)
        self._parts.writer.append(encode(event))

    # Looking

    def get(self, task_id: str) -> LiveTask | None:
        """An unfinished task of this process."""
        return self._live.get(task_id)

    def name_of(self, running: asyncio.Task[Any]) -> str | None:
        """The name of the task whose attempt is this asyncio task."""
        for task in list(self._live.values()):
            if (attempt := task.attempt) is not None and attempt.aio_task is running:
                return task.row.name
        return None

    def runs_on(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether attempts run on this event loop now."""
        attempts = (task.attempt for task in list(self._live.values()))
        return any(
            each.aio_task is not None and each.aio_task.get_loop() is loop for each in attempts if each is not None
        )

    def tend_threads(self) -> None:
        """Start what the system had no thread for when it was due."""
        self._parts.timers.tend()
        self._runner.start_unstarted()

    def tend_workers(self) -> None:
        """Bring what idle worker processes have logged."""
        self._parts.processes.tend()

    def look_at_loop(self) -> None:
        """See whether the app's loop hangs now, and what holds it up."""
        self._parts.loops.lag.look()

    @property
    def unfinished(self) -> int:
        """How many tasks this process has in hand."""
        return len(self._live)

    @property
    def waiting(self) -> int:
        """Starts that wait for a thread or a slot."""
        parts = self._parts
        return parts.threads.waiting + parts.processes.waiting + parts.slots.waiting

    def wait_idle(self, timeout: float | None) -> bool:
        """Wait until no task is unfinished, held ones aside. False when ``timeout`` seconds passed first."""
        deadline = None if timeout is None else monotonic() + timeout
        while any(task.phase is not Phase.HELD for task in list(self._live.values())):
            left = None if deadline is None else deadline - monotonic()
            if left is not None and left <= 0:
                return False
            self._watch(min(LOOK_EVERY, left) if left is not None else LOOK_EVERY)
        return True

    def _watch(self, seconds: float) -> None:
        """Wait until there is nothing to do, at most so long. Who waits looks again afterwards in any case."""
        with self._idle:
            self._watching += 1
            self._idle.wait(seconds)
            self._watching -= 1

    # Ending

    def begin_stop(self) -> None:
        """From now on no retry starts; what is due later stays for the next process."""
        self._stopping.set()

    def hurry(self) -> None:
        """End the grace now. Safe in a signal handler."""
        self._hurried = True

    def stop(self, grace: float) -> None:
        """Wait ``grace`` seconds for running attempts, then cut them off; leave the rest to the next process."""
        self.begin_stop()
        self._wait_running(grace, lambda: self._hurried)
        self._is_over = True
        for task in list(self._live.values()):
            self._end(task)
        self._wait_running(CUT_OFF_LIMIT)
        self._force_running()
        self._parts.timers.close()
        self._parts.threads.close()
        self._parts.processes.close()
        self._parts.loops.close()

    def _wait_running(self, seconds: float, is_enough: Callable[[], bool] = lambda: False) -> None:
        deadline = monotonic() + seconds
        while monotonic() < deadline and not is_enough() and any(_is_busy(task) for task in list(self._live.values())):
            self._watch(LOOK_EVERY / 2)

    def _end(self, task: LiveTask) -> None:
        with task.lock:
            attempt = task.attempt
            if attempt is None and task.phase not in (Phase.DONE, Phase.LEFT):
                self._leave_or_settle(task)
        if attempt is None:
            self._tell_done(task)
        else:
            self._runner.cut_off(task, attempt, Interrupted("shutdown"))

    def _leave_or_settle(self, task: LiveTask) -> None:
        """A task that does not run: another process starts it, if one can; in this one it will not start any more."""
        self._live.pop(task.row.task_id, None)
        if self._parts.is_persistent and task.is_recoverable and task.phase is not Phase.HELD:
            task.phase = Phase.LEFT
        else:
            self._settle(task, TaskStatus.CANCELLED, "shutdown")

    def _force_running(self) -> None:
        for task in list(self._live.values()):
            attempt = task.attempt
            if attempt is not None:
                self._runner.finish(task, attempt, attempt.cancelled_as or Interrupted("shutdown"))


class _All:
    """Several that wait for the same: requests that have asked for the idempotency key of one task."""

    def __init__(self, *calls: Callable[[], None]) -> None:
        self.calls = list(calls)

    def __call__(self) -> None:
        for call in self.calls:
            call()


def _both(earlier: Callable[[], None] | None, later: Callable[[], None]) -> Callable[[], None]:
    if earlier is None:
        return later
    if isinstance(earlier, _All):
        earlier.calls.append(later)
        return earlier
    return _All(earlier, later)


def _is_busy(task: LiveTask) -> bool:
    """Whether it runs, or is about to. Also one whose attempt was given up and whose thread runs on: its retry may come first
    in the next process."""
    return task.phase is Phase.RUNNING or task.phase is Phase.PENDING or task.thread_running
