"""Programs that are killed. Run as ``python -m tests.crash.programs NAME FOLDER ...``; they say what they have done."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import mmap
import os
import resource
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from otel_taskflow import TaskManager, get_task_context, task_log
from otel_taskflow.errors import TaskflowError
from tests.crash.heard import Heard
from tests.crash.long_journal import write_journal

WRITERS = 3
PATIENCE = 20.0


def say(*words: object) -> None:
    """A line in one write: several processes may speak at once."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def for_ever() -> None:
    threading.Event().wait()


class Acknowledged:
    """Numbers in a shared map, one for each writer; they survive their process as the journal does."""

    def __init__(self, path: Path) -> None:
        path.touch()
        with path.open("r+b") as file:
            file.truncate(mmap.PAGESIZE)  # never shorter than it was, whoever else is about to make it
            # As numbers: each is set at once. ``Struct.pack_into`` would write zeros first, and a kill might leave them.
            self._numbers = memoryview(mmap.mmap(file.fileno(), mmap.PAGESIZE)).cast("Q")

    def __setitem__(self, writer: int, number: int) -> None:
        self._numbers[writer] = number

    def __getitem__(self, writer: int) -> int:
        return self._numbers[writer]


def long_journal(folder: str, lines: str) -> None:
    """Leave a long journal."""
    folder_of_all = Path(folder)
    folder_of_all.mkdir(exist_ok=True)
    say("written", write_journal(folder_of_all, int(lines)))
    for_ever()


def number_lines(folder: str) -> None:
    """Log numbered lines from several tasks, flat out, and acknowledge each when task_log has returned."""
    manager = TaskManager(dir=folder)
    acknowledged = Acknowledged(Path(folder) / "acknowledged")

    @manager.task
    def count(writer: int) -> None:
        number = 0
        while True:
            number += 1
            task_log(f"line {number}", writer=writer)
            acknowledged[writer] = number

    for writer in range(WRITERS):
        say("task", writer, manager.add_task(count, writer))
    for_ever()


def one_running(folder: str, retries: str = "0", opted_in: str = "", kind: str = "sync") -> None:
    """One task that begins, logs and never ends."""
    manager = TaskManager(dir=folder)
    begin = begin_async if kind == "async" else begin_sync
    register = manager.task(retries=int(retries), requeue_on_interrupt=opted_in == "opted-in", name="work")
    manager.add_task(register(begin))
    for_ever()


def cancelled_while_running(folder: str) -> None:
    """An opted-in task that was cancelled and does not come to its end."""
    manager = TaskManager(dir=folder)

    async def work() -> None:
        try:
            begin()
            await asyncio.Event().wait()
        finally:
            await asyncio.Event().wait()

    task_id = manager.add_task(manager.task(requeue_on_interrupt=True, name="work")(work))
    while (live := manager.runtime.engine.get(task_id)) is None or live.attempt is None:
        time.sleep(0.01)
    asyncio.run(manager.cancel(task_id))
    say("cancelled", task_id)
    for_ever()


def resume_running(folder: str) -> None:
    """Take over the task of ``one_running`` and run it again."""
    manager = TaskManager(dir=folder)
    manager.task(requeue_on_interrupt=True, name="work")(begin_sync)
    manager.start()
    for_ever()


def begin_sync() -> None:
    begin()
    for_ever()


async def begin_async() -> None:
    begin()
    await asyncio.Event().wait()


def begin() -> None:
    context = get_task_context()
    assert context is not None
    task_log("begun")
    say("running", context.task_id, context.attempt, context.trace_id, context.span_id)


def waits_for_retry(folder: str, delay: str) -> None:
    """A task that has failed once and waits for its retry."""
    manager = TaskManager(dir=folder)

    @manager.task(retries=1, delay=float(delay))
    def work() -> None:
        context = get_task_context()
        assert context is not None
        say("failed", context.task_id)
        raise ValueError("no")

    manager.add_task(work)
    for_ever()


def takeovers_killed(folder: str) -> None:
    """For each line read, take over what is in the folder in a process that dies at the instant the line names.

    ``calls 300``: at the 300th call of a function of ours; ``call NAME`` or ``return NAME``: at that of a function.
    """
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _take_over(folder, *line.split())
        _, status = os.waitpid(child, 0)
        say(line.strip(), "killed" if os.WIFSIGNALED(status) else "ended")


def _take_over(folder: str, event: str, what: str) -> None:
    threading.setprofile(_calls(int(what)) if event == "calls" else _instant(event, what))
    manager = TaskManager(dir=folder)
    manager.task(quick)
    manager.start()
    while len(list(Path(folder, "journal").glob("[!.]*"))) > 1:
        time.sleep(0.005)
    manager.drain(20.0)  # what is adopted has begun, however busy the machine
    manager.stop(grace=0.0)
    os._exit(0)


def _calls(left: int) -> Callable[[FrameType, str, object], None]:
    def profile(frame: FrameType, event: str, _: object) -> None:
        nonlocal left
        if event == "call" and "otel_taskflow" in frame.f_code.co_filename:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return profile


def _instant(wanted: str, name: str) -> Callable[[FrameType, str, object], None]:
    def profile(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == wanted and code.co_name == name and "otel_taskflow" in code.co_filename:
            os.kill(os.getpid(), signal.SIGKILL)

    return profile


def worker(folder: str, grace: str = "0", threads: str = "32") -> None:
    """Does what each line of its input says."""
    manager = TaskManager(dir=folder, shutdown_grace=float(grace), max_sync_threads=int(threads))
    requests = []
    manager.task(never)
    manager.task(quick)

    def hold() -> str:
        from otel_taskflow import ManagedBackgroundTasks  # with FastAPI, which the others do without

        requests.append(ManagedBackgroundTasks(manager))
        return requests[-1].add_task(quick)

    def release() -> None:
        requests[-1].release()

    verbs: dict[str, Callable[[], object]] = {
        "never": lambda: manager.add_task(never),
        "quick": lambda: manager.add_task(quick),
        "brief": lambda: manager.add_task(quick, expires=0.5),
        "lasting": lambda: manager.add_task(quick, expires=600),
        "hold": hold,
        "release": release,
        "start": manager.start,
        "stop": manager.stop,
    }
    for line in sys.stdin:
        say(line.strip(), verbs[line.strip()]())


def never() -> None:
    task_log("never ends")
    for_ever()


def quick() -> None:
    task_log(f"in {os.getpid()}")


def logs_at_the_end(folder: str) -> None:
    """Log when the interpreter goes: in ``atexit``, in ``__del__``, and in a daemon thread that never stops."""
    atexit.register(lambda: globals()["kept"][0].run(task_log, "in atexit, after ours ended"))
    manager = TaskManager(dir=folder)
    is_logging = threading.Event()

    class Late:
        def __del__(self) -> None:
            task_log("in __del__")

    def log_for_ever() -> None:
        while True:
            task_log("in a daemon thread")
            is_logging.set()
            time.sleep(0.0005)

    @manager.task
    def work() -> None:
        context = contextvars.copy_context()
        atexit.register(context.run, task_log, "in atexit, before ours ends")
        globals()["kept"] = context, context.run(Late)
        threading.Thread(target=context.copy().run, args=(log_for_ever,), daemon=True).start()
        is_logging.wait()

    say("task", manager.add_task(work))
    manager.drain(5.0)


def forks(folder: str, times: str) -> None:
    """A task forks while others log; each child adds a task of its own and says what became of it."""
    warnings.simplefilter("ignore", DeprecationWarning)
    manager = TaskManager(dir=folder)
    has_forked, forks_now = threading.Event(), threading.Event()

    @manager.task
    def log_on() -> None:
        while not has_forked.is_set():
            task_log("on")
            if not forks_now.is_set():  # flat out all the time, there would be minutes of work in the end
                time.sleep(0.0001)

    @manager.task
    def fork() -> None:
        for number in range(int(times)):
            task_log(f"before {number}")
            forks_now.set()
            time.sleep(0.02)  # by now the other one logs
            child = os.fork()
            if child == 0:
                heard = Heard()
                task_log("in the child", level="warning")
                task_id = manager.add_task(quick)
                manager.drain()
                say("child", os.getpid(), task_id, manager.runtime.writer.id, heard.messages, get_task_context())
                manager.stop()
                os._exit(0)
            forks_now.clear()
            os.waitpid(child, 0)
            task_log(f"after {number}")
        has_forked.set()

    manager.add_task(log_on)
    say("parent", manager.add_task(fork), manager.runtime.writer.id)
    manager.drain()
    manager.stop()
    say("gone")


def forks_in_a_lifespan(folder: str) -> None:
    """A thread of an app that runs forks; the child adds an async task and says what became of it."""
    warnings.simplefilter("ignore", DeprecationWarning)
    manager = TaskManager(dir=folder)

    @manager.task
    async def wait_a_turn() -> None:
        await asyncio.sleep(0)

    def fork() -> None:
        child = os.fork()
        if child == 0:
            task_id = manager.add_task(wait_a_turn)
            say("child", task_id, manager.drain(PATIENCE / 2))
            manager.stop(grace=0.0)
            os._exit(0)
        os.waitpid(child, 0)

    async def app() -> None:
        await manager.startup()
        await asyncio.to_thread(fork)
        await manager.shutdown()

    asyncio.run(app())
    say("gone")


def forks_and_asks(folder: str) -> None:
    """Fork beside a task that runs; the child, which has added nothing, says how its manager is and what it waits for."""
    warnings.simplefilter("ignore", DeprecationWarning)
    manager = TaskManager(dir=folder)
    running, may_end = threading.Event(), threading.Event()

    def work() -> None:
        running.set()
        may_end.wait(PATIENCE)

    manager.add_task(work)
    assert running.wait(PATIENCE)
    child = os.fork()
    if child == 0:
        drained, flushed = manager.drain(0.0), manager.force_flush(0.0)
        say("child", manager.is_started, drained, flushed, len(manager.dropped))
        os._exit(0)
    os.waitpid(child, 0)
    say("parent", manager.is_started, manager.drain(0.0))
    may_end.set()
    manager.stop()


def disk_fills(folder: str, lines: str) -> None:
    """Log more than fits while files may not grow; say so, let them grow again, and end."""
    manager = TaskManager(dir=folder)
    limit, all_logged = resource.getrlimit(resource.RLIMIT_FSIZE)[1], threading.Event()

    def work() -> None:
        for number in range(int(lines)):
            task_log(f"line {number}", filler="x" * 1000)
        all_logged.set()

    manager.start()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limit))
    task_id = manager.add_task(work)
    say("logged", all_logged.wait(PATIENCE), task_id, manager.runtime.writer.is_degraded)
    sys.stdin.readline()
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    say("drained", manager.drain())
    manager.stop()


def starts_on_a_full_disk(folder: str, on_store_error: str) -> None:
    """Start where no file may grow, and run a task if that works."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    manager = TaskManager(dir=folder, on_store_error=on_store_error)
    try:
        manager.start()
    except TaskflowError as error:
        say("refused", type(error).__name__, error)
        return
    manager.add_task(quick)
    say("drained", manager.drain())


if __name__ == "__main__":
    from tests.crash import serving

    program: Callable[..., None] = globals().get(sys.argv[1]) or getattr(serving, sys.argv[1])
    program(*sys.argv[2:])
