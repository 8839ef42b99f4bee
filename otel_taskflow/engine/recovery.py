"""What becomes of the tasks of a process that is gone."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Sequence
from contextvars import Context
from typing import NamedTuple

from otel_taskflow.consumers.pace import paced
from otel_taskflow.engine.live import LiveTask
from otel_taskflow.engine.local import LocalEngine
from otel_taskflow.engine.parts import EngineParts
from otel_taskflow.errors import TaskArgumentError
from otel_taskflow.events import AttemptEnded, Event, TaskAdopted, TaskSettled
from otel_taskflow.journal.codec import encode
from otel_taskflow.lifecycle.decide import CANCEL_REQUESTED, Run, decide, has_expired
from otel_taskflow.model import (
    AttemptOutcome,
    AttemptRow,
    Interrupted,
    RetryPolicy,
    TaskRow,
    TaskStatus,
    Transition,
)
from otel_taskflow.ports import StoreWriter
from otel_taskflow.registry import Identity, Registry
from otel_taskflow.serialize import identity_of

_logger = logging.getLogger("otel_taskflow")


class Verdict(NamedTuple):
    """What to do with one task of a dead process."""

    events: Sequence[Event]
    goes_on: bool
    """False if the events end it."""


class Past(NamedTuple):
    """What a task has behind it."""

    last: AttemptRow | None
    interruptions: int = 0
    """Attempts that were interrupted, one that is still open aside."""

    @property
    def open_attempt(self) -> AttemptRow | None:
        """The attempt that was running when the process died."""
        return self.last if self.last is not None and self.last.outcome is None else None

    @property
    def was_interrupted(self) -> bool:
        """Whether the next attempt is due at once, whatever the clock has done since: only a retry keeps a time."""
        return self.last is not None and self.last.outcome in (None, AttemptOutcome.INTERRUPTED)


def judge(task: TaskRow, past: Past, may_run: bool, now: int) -> Verdict:
    """Decide for one unfinished task whose process is gone. ``may_run``: now, or once its function is registered. Pure."""
    if task.held:
        return Verdict([TaskSettled(task.task_id, now, TaskStatus.CANCELLED, "request_lost")], False)
    if past.open_attempt is not None:
        run = Run(
            past.open_attempt.attempt,
            RetryPolicy(),
            cancel_requested=task.reason == CANCEL_REQUESTED,
            interruptions=past.interruptions,
            runs_on=task.requeue_on_interrupt and may_run,
        )
        return _end_attempt(past.open_attempt, decide(run, Interrupted("process_died"), now), now)
    if has_expired(task, now):
        return Verdict([TaskSettled(task.task_id, now, TaskStatus.CANCELLED, "expired")], False)
    if task.args is None:
        return Verdict([TaskSettled(task.task_id, now, TaskStatus.CANCELLED, "arguments_not_kept")], False)
    return Verdict([], True)


def _end_attempt(attempt: AttemptRow, transition: Transition, now: int) -> Verdict:
    ended = AttemptEnded(
        task_id=attempt.task_id,
        time=now,
        attempt=attempt.attempt,
        duration=max(0, now - attempt.started_at),
        outcome=transition.outcome,
        status=transition.status,
        error=None,
        waiting_until=transition.retry_at,
        reason=transition.reason,
        log_count=attempt.log_count,
        retry_wait=None if transition.retry_at is None else transition.wait,
    )
    return Verdict([ended], transition.retry_at is not None)


class Recovery:
    """Takes over the tasks of dead owners: claims them in the store, journals what became of them, runs on what may run.

    For several threads. A verb for a task that is just being taken over waits until that is done.
    """

    def __init__(self, parts: EngineParts, engine: LocalEngine, registry: Registry, store: StoreWriter) -> None:
        self._parts = parts
        self._engine = engine
        self._registry = registry
        self._store = store
        self._lock = threading.Lock()
        """Guards what is parked, and a claim until all its tasks are in somebody's hand."""
        self._parked: dict[str, tuple[TaskRow, Past]] = {}
        self._taken: dict[str, set[str]] = {}
        """Tasks of processes whose journals are not gone yet."""
        self._waited_for: set[Identity] = set()
        self._warned: set[str] = set()

    def take_over(self, previous_owner: str, new_owner: str, *, idle_only: bool = False) -> int:
        """Claim and settle the unfinished tasks of ``previous_owner``; return how many.

        ``idle_only``: those without a running attempt; nothing that is still to be read can tell more about them.
        """
        with self._lock:
            tasks = self._store.claim(previous_owner, new_owner, idle_only=idle_only)
            taken = self._taken.setdefault(previous_owner, set())
            for task in paced(tasks):
                if task.task_id in taken:
                    self._keep(task, previous_owner)
                else:
                    taken.add(task.task_id)
                    self._take_over_one(task, previous_owner)
        if tasks:
            _logger.info("otel_taskflow: took over %d task(s) of process %s", len(tasks), previous_owner)
        return len(tasks)

    def adopt_lines(self, payloads: Iterable[bytes]) -> None:
        """What a worker process had logged when it died together with the process that it worked for."""
        for payload in payloads:
            self._parts.writer.append_log(payload, keep=True)

    def forget(self, previous_owner: str) -> None:
        """The journal of that process is gone: nobody will bring its tasks again."""
        with self._lock:
            self._taken.pop(previous_owner, None)

    def _keep(self, task: TaskRow, previous_owner: str) -> None:
        """It comes again, from a journal that was replayed into a fresh store. It must not run again."""
        now, writer = self._parts.clock(), self._parts.writer
        writer.append(encode(TaskAdopted(task.task_id, now, previous_owner)))
        if self._engine.get(task.task_id) is None and task.task_id not in self._parked:
            writer.append(encode(TaskSettled(task.task_id, now, TaskStatus.INTERRUPTED, "store_corrupt")))

    def _take_over_one(self, task: TaskRow, previous_owner: str) -> None:
        now = self._parts.clock()
        past = self._past_of(task)
        live = self._revive(task, past)
        verdict = judge(task, past, live is not None or self._is_unknown(task), now)
        self._parts.writer.append(encode(TaskAdopted(task.task_id, now, previous_owner)))
        for event in verdict.events:
            self._parts.writer.append(encode(event))
        if verdict.goes_on and live is not None:
            self._engine.adopt(live)
        elif verdict.goes_on:
            self._parked[task.task_id] = (task, past)

    # What cannot run here yet

    def resume(self) -> None:
        """Start the tasks whose function was registered after they had been taken over; let go those that have expired."""
        with self._lock:
            now = self._parts.clock()
            for task in [task for task, _ in self._parked.values() if has_expired(task, now)]:
                self._settle_parked(task.task_id, "expired")
            known = {identity for identity in self._waited_for if identity in self._registry}
            self._waited_for -= known
            names = {identity.name for identity in known}
            for task, past in [each for each in self._parked.values() if each[0].name in names]:
                live = self._revive(task, past)
                if live is not None:
                    del self._parked[task.task_id]
                    self._engine.adopt(live)

    def cancel(self, task_id: str) -> bool:
        """Cancel a task that was taken over. False if there is none of this id. Raises TaskStateError if it has just ended."""
        with self._lock:
            if task_id in self._parked:
                self._settle_parked(task_id, "user")
                return True
        return self._engine.cancel(task_id)

    def _settle_parked(self, task_id: str, reason: str) -> None:
        del self._parked[task_id]
        self._parts.writer.append(encode(TaskSettled(task_id, self._parts.clock(), TaskStatus.CANCELLED, reason)))

    def _is_unknown(self, task: TaskRow) -> bool:
        return task.args is not None and identity_of(task) not in self._registry

    def _past_of(self, task: TaskRow) -> Past:
        if not task.requeue_on_interrupt:
            return Past(self._store.load_attempt(task.task_id, task.attempts - 1) if task.attempts else None)
        attempts = [self._store.load_attempt(task.task_id, number) for number in range(task.attempts)]
        interruptions = sum(each is not None and each.outcome is AttemptOutcome.INTERRUPTED for each in attempts)
        return Past(attempts[-1] if attempts else None, interruptions)

    def _revive(self, task: TaskRow, past: Past) -> LiveTask | None:
        """The task as this process can run it; None if the function or its arguments are not to be had."""
        if task.args is None:
            return None
        if self._is_unknown(task):
            self._waited_for.add(identity_of(task))
            self._warn_once(task.name, "its function is not registered here")
            return None
        definition = self._registry.find(identity_of(task))
        try:
            call = self._parts.codec_for(definition.func).load(task.args)
        except TaskArgumentError as error:
            self._warn_once(task.name, str(error))
            return None
        live = LiveTask(task, definition, call, Context())
        live.last_span = past.last.span if past.last is not None else None
        live.interruptions = past.interruptions + (past.open_attempt is not None)
        if past.was_interrupted:
            live.waiting_until = None
        if task.expires_at is not None:
            live.expire_in(task.expires_at - self._parts.clock())
        return live

    def _warn_once(self, name: str, why: str) -> None:
        if name not in self._warned:
            self._warned.add(name)
            _logger.warning("otel_taskflow: tasks named %r of an ended process wait: %s", name, why)
