"""The main function of a worker process: one attempt after the other, the lines of each in a journal of its own."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Callable
from contextvars import Context
from itertools import count
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from time import time_ns
from typing import Any

from opentelemetry import context as otel_context

from otel_taskflow.context import enter_attempt
from otel_taskflow.context.capture import install_capture
from otel_taskflow.engine.attempt_log import AttemptLog
from otel_taskflow.engine.calls import BEGUN, GOODBYE, READY, Call, Reply, WorkerSetup, packed
from otel_taskflow.engine.relay import RELAYED_NAME
from otel_taskflow.engine.results import judge_result
from otel_taskflow.journal.mark import read_mark
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.model import Outcome, Raised
from otel_taskflow.telemetry.carrier import unpack
from otel_taskflow.telemetry.guard import Mishaps

TIDY_EVERY = 0.05
"""Seconds between two looks for segments that are not needed any more."""


_serving = threading.Event()


def is_worker() -> bool:
    """True in a worker process."""
    return _serving.is_set()


def serve(connection: Connection, setup: WorkerSetup) -> None:
    """Run what comes through the connection until it ends."""
    _serving.set()
    _live_no_longer_than_parent()
    try:
        journal = _prepare(setup)
    except Exception as error:  # noqa: BLE001 - whatever it is, the attempt that waits for this worker tells it
        connection.send_bytes(f"{type(error).__name__}: {error}".encode(errors="replace"))
        return
    connection.send_bytes(READY)
    pid = os.getpid()
    while (payload := _received(connection)) != GOODBYE:
        dropped = journal.dropped.copy()
        reply = _run(payload, journal, setup, lambda: connection.send_bytes(BEGUN))
        if os.getpid() != pid:
            os.kill(os.getpid(), signal.SIGKILL)  # a fork of the function's that has come back from it: it is no worker
        connection.send(reply._replace(dropped=dict(journal.dropped - dropped)))


def _prepare(setup: WorkerSetup) -> JournalWriter:
    """What is needed before the first call. Raises JournalError."""
    if setup.capture_logging is not None:
        install_capture(setup.capture_logging)
    header = setup.header._replace(pid=os.getpid(), created_at=time_ns())
    journal = JournalWriter.create(setup.root, header, budget=setup.budget)
    threading.Thread(target=_tidy, args=(journal,), name="otel_taskflow-worker-journal", daemon=True).start()
    return journal


def _received(connection: Connection) -> bytes:
    try:
        return connection.recv_bytes()
    except EOFError:
        return GOODBYE


def _live_no_longer_than_parent() -> None:
    """The parent decides when to end; a worker whose parent is gone ends at once, for others take over its task.

    It leads a process group, so that what the function has started can be ended with it. Whoever ends all processes of a service
    sends them SIGTERM, too, and the parent gives tasks their grace: it does nothing here, but is not ignored, for programs that the
    function starts would inherit that.
    """
    os.setpgid(0, 0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), name="otel_taskflow-worker-parent", daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os.killpg(0, signal.SIGKILL)


def _tidy(journal: JournalWriter) -> None:
    pause = threading.Event()
    mark = None if journal.folder is None else journal.folder / RELAYED_NAME
    while mark is not None and not pause.wait(TIDY_EVERY):
        journal.prepare()
        if len(journal.segments) > 1:
            journal.reclaim(read_mark(mark))


def _run(payload: bytes, journal: JournalWriter, setup: WorkerSetup, on_begin: Callable[[], None]) -> Reply:
    try:
        call: Call = pickle.loads(payload)  # noqa: S301 - from the process that started this one
        log = AttemptLog(call.context, journal, count(call.first_seq).__next__, setup.sanitizer)
        on_begin()
        outcome = _call(call, log)
    except BaseException as error:  # noqa: BLE001 - whatever a task raises is its outcome; the worker serves on
        outcome = Raised(error)
    if not isinstance(outcome, Raised):
        return Reply()
    return Reply(setup.sanitizer.error(outcome.exception), packed(outcome.exception))


def _call(call: Call, log: AttemptLog) -> Outcome:
    context = Context()
    context.run(_enter, call, log)
    try:
        return judge_result(context.run(call.func, *call.args, **call.kwargs), call.code_name)
    finally:
        log.ended = True


def _enter(call: Call, log: AttemptLog) -> None:
    enter_attempt(log)
    otel_context.attach(unpack(call.carrier, Mishaps()))
