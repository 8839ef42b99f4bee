"""Worker processes for plain functions that are to run on a processor of their own, or must be possible to stop.

Each is kept by one thread, which hands it one attempt after the other. What an attempt logs is in a journal of the worker when
``task_log`` returns, and is brought from there into this process's journal, so that every reader sees one stream.
"""

from __future__ import annotations

import atexit
import os
import pickle
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakSet

from otel_taskflow.engine.calls import BEGUN, GOODBYE, READY, Call, Reply, WorkerSetup, outcome_of
from otel_taskflow.engine.live import RunningAttempt
from otel_taskflow.engine.relay import Relay, Take
from otel_taskflow.engine.threads import ThreadPool
from otel_taskflow.errors import TaskArgumentError
from otel_taskflow.journal.discard import discard
from otel_taskflow.journal.folder import new_worker_journal_id
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.model import Interrupted, Outcome, Raised
from otel_taskflow.values import Sanitizer

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

LOOK_EVERY = 0.02
"""Seconds between two looks for new lines while an attempt runs."""
END_LIMIT = 2.0
"""Seconds that an idle worker has to end in good order."""


class Processes:
    """At most ``limit`` workers, made when they are needed."""

    def __init__(
        self,
        limit: int,
        writer: JournalWriter,
        sanitizer: Sanitizer,
        capture_logging: str | int | None = None,
    ) -> None:
        self._threads = ThreadPool(limit, "otel_taskflow-process")
        self._writer = writer
        self._sanitizer = sanitizer
        self._capture_logging = capture_logging
        self._of_thread = threading.local()
        self._workers: list[Worker] = []
        self._lock = threading.Lock()
        self._temporary: Path | None = None

    def submit(self, call: Callable[[], None]) -> None:
        """Run ``call`` on a thread that has a worker, soon."""
        self._threads.submit(call)

    @property
    def waiting(self) -> int:
        """Calls that no thread has taken yet."""
        return self._threads.waiting

    def worker(self) -> Worker:
        """The worker of the calling thread."""
        worker: Worker | None = getattr(self._of_thread, "worker", None)
        if worker is None:
            worker = self._of_thread.worker = Worker(self._writer, self._setup)
            with self._lock:
                self._workers.append(worker)
        return worker

    def tend(self) -> None:
        """Bring what idle workers have logged: threads of an attempt may outlive it."""
        for worker in list(self._workers):
            worker.tend()

    def close(self) -> None:
        """End all workers; one that runs an attempt is killed."""
        self._threads.close()
        for worker in list(self._workers):
            worker.close()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _setup(self) -> WorkerSetup:
        header = self._writer.header._replace(journal_id=new_worker_journal_id(self._writer.id))
        return WorkerSetup(self._root(), header, self._writer.budget, self._sanitizer, self._capture_logging)

    def _root(self) -> Path:
        """Beside this process's own journal, or where that is in memory in a folder that goes with this manager."""
        if self._writer.folder is not None:
            return self._writer.folder.parent.parent
        with self._lock:
            if self._temporary is None:
                self._temporary = Path(tempfile.mkdtemp(prefix="otel_taskflow-"))
            return self._temporary


class Worker:
    """One worker process; another takes its place when it has died. ``run`` is for one thread, the rest for any."""

    def __init__(self, writer: JournalWriter, make_setup: Callable[[], WorkerSetup]) -> None:
        self._writer = writer
        self._make_setup = make_setup
        self._turn = threading.Lock()
        """Held while somebody talks to the process or reads its journal."""
        self._guard = threading.Lock()
        """Between ``_attempt`` and killing the process that runs it. Held for a moment."""
        self._attempt: RunningAttempt | None = None
        self._live: _Live | None = None
        self._has_begun = False
        """Whether the function of the attempt has: before that nothing of it has run."""
        self._is_closed = False

    def run(self, call: Call, attempt: RunningAttempt, take: Take, on_begin: Callable[[], None]) -> Outcome:
        """Let it run, and bring its lines meanwhile; returns when it has ended, or the process has.

        ``on_begin`` is called when the function begins: before that the process may have to start, and import its module.
        """
        try:
            payload = pickle.dumps(call)
        except Exception as error:  # noqa: BLE001 - arguments of the user's raise what they like
            return Raised(_cannot_be_sent(call, error))
        with self._turn:
            outcome = self._run(call, payload, attempt, take, on_begin)
            if outcome is None:  # an idle worker died just when it was to begin
                outcome = self._run(call, payload, attempt, take, on_begin)
        return outcome or Interrupted("shutdown")

    def _run(
        self, call: Call, payload: bytes, attempt: RunningAttempt, take: Take, on_begin: Callable[[], None]
    ) -> Outcome | None:
        """None if the worker of an attempt before was gone when this one was to begin: another one can have it."""
        was_idle = self._live is not None
        try:
            if not self._begin(attempt):
                return attempt.cancelled_as or Interrupted("shutdown")
            return self._ask(payload, take, on_begin)
        except (EOFError, OSError) as error:
            how = self._bury(take, error)
            if was_idle and not (self._has_begun or self._is_closed or attempt.cancelled_as is not None):
                return None
            return attempt.cancelled_as or self._outcome_of_death(call, how)
        except Exception as error:  # noqa: BLE001 - no attempt is left without an end, whatever is wrong here
            return Raised(error)
        finally:
            with self._guard:
                self._attempt = None

    def _outcome_of_death(self, call: Call, how: str) -> Outcome:
        """Where nothing of the function has run, nothing was interrupted: that is an error like others, and retries hold."""
        if self._has_begun:
            return Interrupted("process_died", how)
        return Interrupted("shutdown") if self._is_closed else Raised(_never_begun(call, how))

    def kill(self, attempt: RunningAttempt) -> None:
        """Kill the process if it runs this attempt."""
        with self._guard:
            if self._attempt is attempt and self._live is not None:
                self._live.kill()

    def tend(self) -> None:
        """Bring the lines of an idle worker."""
        if self._turn.acquire(blocking=False):
            try:
                if self._live is not None and self._live.relay is not None:
                    self._live.relay.bring(self._take_late)
            finally:
                self._turn.release()

    def close(self) -> None:
        """End the process: idle, it has a moment; else it is killed."""
        self._is_closed = True
        with self._guard:
            attempt = self._attempt
        if attempt is not None:
            self.kill(attempt)
        with self._turn:
            if self._live is not None:
                self._live.say_goodbye()
                self._bury(self._take_late, None)

    def _begin(self, attempt: RunningAttempt) -> bool:
        """Have a living process for this attempt; False if it is not to run any more. Raises EOFError, OSError."""
        self._has_begun = False
        if self._live is not None and not self._live.process.is_alive():
            self._bury(self._take_late, None)
        with self._guard:
            self._attempt = attempt
            if attempt.cancelled_as is not None or self._is_closed:
                return False
            if self._live is None:
                self._live = _Live(self._make_setup())
        self._live.wait_until_ready()
        return True

    def _ask(self, payload: bytes, take: Take, on_begin: Callable[[], None]) -> Outcome:
        live = self._live
        if live is None or live.relay is None:
            raise EOFError
        live.connection.send_bytes(payload)
        if (answer := live.next_message(take)) == BEGUN:
            self._has_begun = True
            on_begin()
            answer = live.next_message(take)
        reply: Reply = pickle.loads(answer)  # noqa: S301 - from our own process, plain values
        live.relay.bring(take)
        self._writer.dropped.update(reply.dropped)
        return outcome_of(reply)

    def _bury(self, take: Take, error: Exception | None) -> str:
        """Bring what a dead process has left, and remove it; returns how it ended, for people."""
        live, self._live = self._live, None
        if live is None:
            return f"its process could not be started: {error}"
        live.end(take)
        return live.refusal or f"its process {live.process.pid} {_end_of(live.process.exitcode)}"

    def _take_late(self, payload: bytes) -> None:
        self._writer.append_log(payload, keep=True)


class _Live:
    """A process, the connection to it and the way of its lines."""

    def __init__(self, setup: WorkerSetup) -> None:
        # Nothing for an app that has no such task.
        import multiprocessing.util

        from otel_taskflow.engine.worker import serve

        context = multiprocessing.get_context("spawn")  # a fork would copy locks that other threads hold
        self.connection: Connection
        self.connection, theirs = context.Pipe()
        self.folder = setup.root / "journal" / setup.header.journal_id
        self.relay: Relay | None = None
        """None until the process is ready."""
        self.refusal = ""
        """Why it never is, if that is known."""
        self.process: BaseProcess = context.Process(
            target=serve, args=(theirs, setup), name="otel_taskflow-worker", daemon=True
        )
        try:
            self.process.start()
        finally:
            theirs.close()
        _at_exit.add(self)
        _end_workers_at_exit()

    def kill(self) -> None:
        """Kill it, with what it has started."""
        pid = self.process.pid
        if pid is not None and self.process.is_alive():
            with suppress(OSError):  # it leads no group before it is ready
                os.killpg(pid, signal.SIGKILL)
        self.process.kill()

    def wait_until_ready(self) -> None:
        """Until it has imported what it needs, and has a journal. Raises EOFError, OSError if that does not come."""
        if self.relay is not None:
            return
        answer = self.connection.recv_bytes()
        if answer != READY:
            self.refusal = answer.decode(errors="replace")
            raise EOFError(self.refusal)
        try:
            self.relay = Relay(self.folder)
        except OSError as error:
            self.refusal = f"its journal cannot be used: {error}"
            raise

    def next_message(self, take: Take) -> bytes:
        """What the process says next; lines are brought meanwhile. Raises EOFError, OSError."""
        while not self.connection.poll(LOOK_EVERY):
            if self.relay is not None:
                self.relay.bring(take)
        return self.connection.recv_bytes()

    def say_goodbye(self) -> None:
        """Let it end in good order."""
        with suppress(OSError):
            self.connection.send_bytes(GOODBYE)
        self.process.join(END_LIMIT)

    def end(self, take: Take) -> None:
        """Make sure that it is dead, bring its last lines, remove its journal."""
        self.kill()
        self.process.join()
        self.connection.close()
        relay, self.relay = self.relay, None
        if relay is not None:
            relay.bring_rest(take)
        discard(self.folder)


_at_exit: WeakSet[_Live] = WeakSet()


os.register_at_fork(after_in_child=_at_exit.clear)


@cache
def _end_workers_at_exit() -> None:
    """``multiprocessing`` asks its children to end when the interpreter does, and waits; these do not do as they are asked.

    What was registered last comes first: to be called when ``multiprocessing.util`` was imported.
    """
    atexit.register(_kill_all)


def _kill_all() -> None:
    for live in list(_at_exit):
        live.kill()


def _cannot_be_sent(call: Call, error: Exception) -> TaskArgumentError:
    return TaskArgumentError(
        f"task {call.context.func_name!r} cannot be sent to a worker process: {type(error).__name__}: {error}; executor='process' "
        "needs a function of a module and arguments that pickle takes; pass ids instead of objects, or leave executor out"
    )


def _never_begun(call: Call, how: str) -> ChildProcessError:
    return ChildProcessError(
        f"the function of task {call.context.func_name!r} did not begin in its worker process: {how}"
    )


def _end_of(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with exit status {exit_code}"
