"""One attempt: begin, call, decide, end. Each step is a method; ``finish`` is the only place where an attempt ends."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context
from time import monotonic_ns

from otel_taskflow.context import TaskContext, enter_attempt
from otel_taskflow.engine.asyncio_tasks import (
    CreateTask,
    begin_task,
    can_begin_at_once,
    cancelled_by_others,
    create_task,
    running_loop,
)
from otel_taskflow.engine.attempt_log import AttemptLog
from otel_taskflow.engine.calls import Call
from otel_taskflow.engine.failures import log_failure, report
from otel_taskflow.engine.live import LiveTask, Phase, RunningAttempt
from otel_taskflow.engine.parts import EngineParts
from otel_taskflow.engine.results import judge_result
from otel_taskflow.events import AttemptEnded, AttemptStarted
from otel_taskflow.journal.codec import encode
from otel_taskflow.lifecycle.decide import Run, decide
from otel_taskflow.model import (
    AttemptOutcome,
    Cancelled,
    ErrorInfo,
    Interrupted,
    Outcome,
    Raised,
    Returned,
    SpanIdentity,
    TimedOut,
    Transition,
)

_RETURNED = Returned()
NO_SPAN = SpanIdentity("", "")
_startable = frozenset({Phase.PENDING, Phase.WAITING})


class Runner:
    """Runs attempts of live tasks and tells ``on_ended`` what became of them, ``on_expired`` which will have none."""

    def __init__(
        self,
        parts: EngineParts,
        on_ended: Callable[[LiveTask, Transition], None],
        on_thread_free: Callable[[LiveTask], None],
        on_expired: Callable[[LiveTask], None],
    ) -> None:
        self._parts = parts
        self._on_ended = on_ended
        self._on_thread_free = on_thread_free
        self._on_expired = on_expired
        self._unstarted: deque[LiveTask] = deque()

    def start(self, task: LiveTask) -> None:
        """Let the next attempt begin as soon as a thread or a slot is free; later, if the system has no thread left for us."""
        task.ready_ticks = monotonic_ns()
        try:
            self._submit(task)
        except RuntimeError:
            report(f"no thread could be started for task {task.row.name!r}, will try again")
            self._unstarted.append(task)

    def start_unstarted(self) -> None:
        """Try again to start what could not be started for want of a thread."""
        for _ in range(len(self._unstarted)):
            self.start(self._unstarted.popleft())

    def _submit(self, task: LiveTask) -> None:
        executor = self._executor_of(task)
        if executor == "async":
            self._parts.slots.acquire(lambda: self._start_on_loop(task))
        elif executor == "process":
            self._parts.processes.submit(lambda: self._run_in_process(task))
        else:
            self._parts.threads.submit(lambda: self._run_in_thread(task))

    def _executor_of(self, task: LiveTask) -> str:
        """In hermetic tests nothing runs in other processes, where no test could replace what a task calls."""
        executor = task.definition.executor
        return "thread" if executor == "process" and self._parts.skip_waits else executor

    def start_here(self, task: LiveTask) -> None:
        """As ``start``; an async attempt begins before this returns, if its loop runs here and a slot is free.

        That spares two turns of the loop. For callers that wait for the attempt anyhow: its function runs up to its first
        wait at once.
        """
        loop = task.loop
        if loop is None or not task.definition.is_async or not can_begin_at_once(loop):
            self.start(task)
        elif self._parts.slots.try_acquire():
            task.ready_ticks = monotonic_ns()
            task.loop = None
            self._create(task, loop, begin_task)
        else:
            self.start(task)

    # The steps of an attempt

    def _begin(self, task: LiveTask) -> RunningAttempt | None:
        """Take the task, start its span and journal the start; None if it was cancelled meanwhile, or has expired."""
        if task.has_expired:
            self._on_expired(task)
        with task.lock:
            if task.phase not in _startable:
                return None
            attempt = self._new_attempt(task)
            task.phase = Phase.RUNNING
            task.waiting_until = None
            task.attempts += 1
            task.attempt = attempt
        self._parts.telemetry.attempt_started(task.row.name)
        return attempt

    def _new_attempt(self, task: LiveTask) -> RunningAttempt:
        row, number, ticks = task.row, task.attempts, monotonic_ns()
        now = self._parts.clock()
        queue_wait = ticks - task.ready_ticks
        code_name, worker = task.definition.code_name, self._parts.worker
        previous = task.last_span
        started = AttemptStarted(row.task_id, now, number, NO_SPAN, worker, queue_wait, previous, code_name)
        span = self._parts.telemetry.start_attempt(row, started)
        identity = task.last_span = span.identity
        started = AttemptStarted(row.task_id, now, number, identity, worker, queue_wait, previous, code_name)
        self._parts.writer.append(encode(started))
        context = TaskContext(row.task_id, row.name, number, dict(row.tags), identity.trace_id, identity.span_id)
        log = AttemptLog(context, self._parts.writer, task.next_seq, self._parts.sanitizer)
        attempt = RunningAttempt(number, span, log, now, queue_wait)
        # Read beside the clock: counted from later, the attempt would end before its last line.
        attempt.started_ticks = ticks
        return attempt

    def finish(self, task: LiveTask, attempt: RunningAttempt, outcome: Outcome) -> None:
        """End the attempt, once: decide, journal, then the span, the metrics and the log of failures."""
        error = self._describe(outcome)
        with task.lock:
            if attempt.ended:
                return
            attempt.ended = True
            attempt.log.ended = True
            task.attempt = None
            transition = self._decide(task, attempt, outcome)
            ended = self._journal_end(self._ended(task, attempt, transition, error))
            self._apply(task, transition)
        if attempt.timer is not None:
            self._parts.timers.forget(attempt.timer)
        self._parts.commit()
        self._report(task, attempt, ended, outcome)
        self._on_ended(task, transition)

    def _journal_end(self, ended: AttemptEnded) -> AttemptEnded:
        """An attempt has an end, whatever user code has put on its span: without that, if that is what cannot be kept."""
        try:
            self._parts.writer.append(encode(ended))
        except Exception:
            if ended.span is None:
                raise
            report("what was put on the span of an attempt could not be kept, and is left out")
            ended = ended._replace(span=None)
            self._parts.writer.append(encode(ended))
        return ended

    def _decide(self, task: LiveTask, attempt: RunningAttempt, outcome: Outcome) -> Transition:
        now = self._parts.clock()
        run = Run(
            attempt.number,
            task.definition.retry_policy,
            task.cancel_requested,
            task.interruptions,
            runs_on=task.row.requeue_on_interrupt and task.is_recoverable and self._parts.is_persistent,
        )
        transition = decide(run, outcome, now)
        if self._parts.skip_waits and transition.retry_at is not None:
            return Transition(transition.status, transition.outcome, now, transition.reason)
        return transition

    def _ended(
        self, task: LiveTask, attempt: RunningAttempt, transition: Transition, error: ErrorInfo | None
    ) -> AttemptEnded:
        duration = monotonic_ns() - attempt.started_ticks
        reason = transition.reason or ("thread_still_running" if task.thread_running else None)
        return AttemptEnded(
            task.row.task_id,
            attempt.started_at + duration,
            attempt.number,
            duration,
            transition.outcome,
            transition.status,
            error,
            transition.retry_at,
            reason,
            attempt.log.count,
            attempt.span.additions(),
            None if transition.retry_at is None else transition.wait,
        )

    @staticmethod
    def _apply(task: LiveTask, transition: Transition) -> None:
        if transition.retry_at is None:
            task.phase = Phase.DONE
            task.final_status = transition.status
        else:
            task.phase = Phase.WAITING
            task.waiting_until = transition.retry_at
            task.retry_is_set = False
            task.interruptions += transition.outcome is AttemptOutcome.INTERRUPTED

    def _report(self, task: LiveTask, attempt: RunningAttempt, ended: AttemptEnded, outcome: Outcome) -> None:
        exception = outcome.exception if isinstance(outcome, Raised) else None
        attempt.span.end(ended, attempt.log, exception)
        self._parts.telemetry.attempt_ended(task.row.name, ended, attempt.span, attempt.queue_wait)
        if ended.error is not None:
            log_failure(task.row, ended, exception)

    def _describe(self, outcome: Outcome) -> ErrorInfo | None:
        match outcome:
            case Raised(exception=exception, error=error):
                return error or self._parts.sanitizer.error(exception)
            case Interrupted(detail=str(detail)):
                return ErrorInfo("ProcessDied", detail, "")
            case TimedOut(timeout=timeout):
                return ErrorInfo("TimeoutError", f"the attempt passed its timeout of {timeout:g} s", "")
            case _:
                return None

    # Threads

    def _run_in_thread(self, task: LiveTask) -> None:
        attempt = self._begin(task)
        if attempt is None:
            return
        self._watch_timeout(task, attempt)
        task.thread_running = True
        outcome: Outcome
        try:
            result = _context_of(task, attempt).run(task.definition.func, *task.args, **task.kwargs)
            outcome = _RETURNED if result is None else judge_result(result, task.definition.code_name)
        except BaseException as error:  # noqa: BLE001 - whatever a task raises is its outcome; the thread serves on
            outcome = Raised(error)
        task.thread_running = False
        if attempt.ended:
            self._on_thread_free(task)
        else:
            self.finish(task, attempt, outcome)

    # Worker processes

    def _run_in_process(self, task: LiveTask) -> None:
        attempt = self._begin(task)
        if attempt is None:
            return
        worker = self._parts.processes.worker()
        attempt.kill = lambda: worker.kill(attempt)
        outcome = worker.run(
            _call_of(task, attempt),
            attempt,
            take=lambda payload: _take_line(task, attempt, payload),
            on_begin=lambda: self._watch_timeout(task, attempt),
        )
        self.finish(task, attempt, _decided(attempt) or outcome)

    # Event loops

    def _start_on_loop(self, task: LiveTask) -> None:
        loop = self._parts.loops.choose(task.loop)
        task.loop = None
        if running_loop() is loop:
            self._create(task, loop, create_task)
            return
        try:
            loop.call_soon_threadsafe(self._create, task, loop, create_task)
        except RuntimeError:  # It was closed just now.
            loop = self._parts.loops.choose(None)
            loop.call_soon_threadsafe(self._create, task, loop, create_task)

    def _create(self, task: LiveTask, loop: asyncio.AbstractEventLoop, create_task: CreateTask) -> None:
        attempt = self._begin(task)
        if attempt is None:
            self._parts.slots.release()
            return
        self._watch_timeout(task, attempt)
        context = _context_of(task, attempt)
        attempt.aio_task = create_task(loop, self._run_on_loop(task, attempt), context)
        if attempt.cancelled_as is not None:
            attempt.aio_task.cancel()

    async def _run_on_loop(self, task: LiveTask, attempt: RunningAttempt) -> None:
        outcome: Outcome
        try:
            await task.definition.func(*task.args, **task.kwargs)
            outcome = _decided(attempt) or _RETURNED
        except asyncio.CancelledError as error:
            outcome = attempt.cancelled_as or self._cancelled_by_others(error)
        except BaseException as error:  # noqa: BLE001 - SystemExit from a task must not end the server
            outcome = _decided(attempt) or Raised(error)
        try:
            self.finish(task, attempt, outcome)
        finally:
            self._parts.slots.release()

    def _cancelled_by_others(self, error: asyncio.CancelledError) -> Outcome:
        outcome = cancelled_by_others(error)
        if isinstance(outcome, Interrupted):
            self._parts.loops.leave(asyncio.get_running_loop())
        return outcome

    # Cutting an attempt off

    def cut_off(self, task: LiveTask, attempt: RunningAttempt, outcome: Outcome) -> None:
        """Cancel an async attempt (its end will count as ``outcome``), kill the process of one that has its own; give one in
        a thread up at once, the thread runs on. One that was cut off before counts as it did then; a shutdown tells it again."""
        executor = self._executor_of(task)
        if executor == "thread":
            self.finish(task, attempt, outcome)
            return
        decided = _decided(attempt)
        if decided is not None and not isinstance(outcome, Interrupted):
            return  # It has been told, and is cleaning up.
        attempt.cancelled_as = decided or outcome
        if executor == "process":
            if attempt.kill is not None:
                attempt.kill()
            return
        aio_task = attempt.aio_task
        if aio_task is None:
            return  # It is being created; ``_create`` looks at ``cancelled_as`` afterwards.
        try:
            aio_task.get_loop().call_soon_threadsafe(aio_task.cancel)
        except RuntimeError:
            self.finish(task, attempt, outcome)

    def _watch_timeout(self, task: LiveTask, attempt: RunningAttempt) -> None:
        timeout = task.definition.config.timeout
        if timeout is None:
            return
        outcome = TimedOut(timeout)

        def on_timeout() -> None:
            if not attempt.ended:
                self.cut_off(task, attempt, outcome)

        attempt.timer = timer = self._parts.timers.after(int(timeout * 1e9), on_timeout)
        if attempt.ended:  # meanwhile, in another thread
            self._parts.timers.forget(timer)


def _context_of(task: LiveTask, attempt: RunningAttempt) -> Context:
    context = task.context.copy()
    context.run(_enter, attempt)
    return context


def _call_of(task: LiveTask, attempt: RunningAttempt) -> Call:
    first_seq, definition = task.next_seq(), task.definition
    task.number_lines_from(first_seq)
    return Call(
        definition.func,
        task.args,
        task.kwargs,
        definition.code_name,
        attempt.log.context,
        attempt.span.carrier(),
        first_seq,
    )


def _take_line(task: LiveTask, attempt: RunningAttempt, payload: bytes) -> None:
    seq = attempt.log.take(payload)
    if seq:
        task.number_lines_from(seq + 1)


def _enter(attempt: RunningAttempt) -> None:
    enter_attempt(attempt.log)
    attempt.span.activate()


def _decided(attempt: RunningAttempt) -> Outcome | None:
    """What we have told others already, whatever the function made of its CancelledError. A shutdown decides nothing ahead."""
    return attempt.cancelled_as if isinstance(attempt.cancelled_as, Cancelled | TimedOut) else None
