"""Any sequence of enqueue, log, fail, succeed, cancel, kill, stop, restart and clock jumps agrees with a small model."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from otel_taskflow.lifecycle.decide import MAX_INTERRUPTIONS
from otel_taskflow.model import TaskStatus
from tests.beside import AT_A_TIME
from tests.crash.child import PATIENCE
from tests.crash.rows import Rows
from tests.failures.child import Failing, failing

HOUR = 3600.0


@dataclass
class Model:
    """What is to become of a task. ``status`` is RUNNING, also while it waits until ``due``, or final."""

    opted_in: bool
    retries: int
    delay: float
    status: TaskStatus = TaskStatus.RUNNING
    runs: int = 1
    failures: int = 0
    interruptions: int = 0
    due: float | None = None
    lines: list[str] = field(default_factory=list)

    @property
    def is_running(self) -> bool:
        return self.status is TaskStatus.RUNNING and self.due is None

    def fail(self, now: float) -> None:
        self.failures += 1
        if self.failures > self.retries:
            self.status = TaskStatus.FAILED
        elif self.delay:
            self.due = now + self.delay
        else:
            self.runs += 1

    def interrupt(self) -> None:
        """Its process ended."""
        if not self.is_running:
            return
        self.interruptions += 1
        if self.opted_in and self.interruptions <= MAX_INTERRUPTIONS:
            self.due = float("-inf")
        else:
            self.status = TaskStatus.INTERRUPTED

    def resume(self, now: float) -> None:
        """Another process begins."""
        if self.due is not None and self.due <= now:
            self.due = None
            self.runs += 1


class Machine(RuleBasedStateMachine):
    """One folder, one process at a time, forked by one of ``idle``."""

    idle: ClassVar[list[Failing]]
    make: ClassVar[Callable[[], Failing]]
    tasks = Bundle("tasks")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.models: dict[str, Model] = {}
        self.now = 0.0
        self.is_up = False

    @initialize()
    def begin(self) -> None:
        self.zygote = self.idle.pop() if self.idle else self.make()
        self.restart()

    @precondition(lambda self: not self.is_up)
    @rule()
    def restart(self) -> None:
        self.zygote.do("clock", self.now)
        self.zygote.tell(f'spawn "{self.folder}"')
        self.zygote.says("spawn")
        self.is_up = True
        for model in self.models.values():
            model.resume(self.now)
        rows = Rows(self.folder)
        rows.until(lambda: len(list((self.folder / "journal").glob("[!.]*"))) == 1, "what was left is taken over")
        self.agree()

    @precondition(lambda self: self.is_up)
    @rule(target=tasks, opted_in=st.booleans(), retries=st.integers(0, 2), delay=st.sampled_from([0.0, HOUR]))
    def enqueue(self, opted_in: bool, retries: int, delay: float) -> str:
        task_id: str = self.zygote.do("add", opted_in, retries, delay)
        self.models[task_id] = Model(opted_in, retries, delay)
        self.agree()
        return task_id

    @precondition(lambda self: self.is_up)
    @rule(task_id=tasks, lines=st.integers(1, 3))
    def log(self, task_id: str, lines: int) -> None:
        model = self.models[task_id]
        for _ in range(lines if model.is_running else 0):
            line = f"line{len(model.lines)}"
            self.zygote.do("order", task_id, line)
            model.lines.append(line)

    @precondition(lambda self: self.is_up)
    @rule(task_id=tasks)
    def fail(self, task_id: str) -> None:
        if self.models[task_id].is_running:
            self.zygote.do("order", task_id, "fail")
            self.models[task_id].fail(self.now)
            self.agree()

    @precondition(lambda self: self.is_up)
    @rule(task_id=consumes(tasks))
    def succeed(self, task_id: str) -> None:
        if self.models[task_id].is_running:
            self.zygote.do("order", task_id, "succeed")
            self.models[task_id].status = TaskStatus.SUCCESS
            self.agree()

    @precondition(lambda self: self.is_up)
    @rule(task_id=tasks)
    def cancel(self, task_id: str) -> None:
        model = self.models[task_id]
        was_unfinished = model.status is TaskStatus.RUNNING
        assert self.zygote.do("cancel", task_id) is was_unfinished
        if was_unfinished:
            model.status, model.due = TaskStatus.CANCELLED, None
        self.agree()

    @precondition(lambda self: self.is_up)
    @rule(in_good_order=st.booleans())
    def end(self, in_good_order: bool) -> None:
        self.zygote.tell("stop" if in_good_order else "kill")
        self.zygote.says("ended 0" if in_good_order else "killed")
        self.is_up = False
        for model in self.models.values():
            model.interrupt()

    @rule(jump=st.sampled_from([-2 * HOUR, 2 * HOUR, 24 * HOUR]))
    def jump(self, jump: float) -> None:
        """Waits of a living process do not notice; those that another one takes over do."""
        self.now += jump
        self.zygote.do("clock", self.now)

    def agree(self) -> None:
        """The tasks that await orders are those that should."""
        wanted = sorted(task_id for task_id, model in self.models.items() if model.is_running)
        deadline = time.monotonic() + PATIENCE * 2
        while (running := self.zygote.do("running")) != wanted:
            assert time.monotonic() < deadline, (running, self.models, Rows(self.folder).tasks())
            time.sleep(0.005)

    @invariant()
    def nothing_has_run_more_often_than_it_should(self) -> None:
        runs = Counter((self.folder / "runs").read_text().split("\n")) if self.is_up else Counter()
        assert all(count == 1 for run, count in runs.items() if run)

    def teardown(self) -> None:
        if not self.is_up:
            self.restart()
        self.end(in_good_order=True)
        self.restart()
        self.end(in_good_order=True)
        found = {each.task.task_id: each for each in Rows(self.folder).tasks()}
        assert found.keys() == self.models.keys()
        for task_id, model in self.models.items():
            task, attempts = found[task_id].task, found[task_id].attempts
            assert (task.status, task_id) == (model.status, task_id)
            assert [attempt.attempt for attempt in attempts] == list(range(model.runs))
            assert [attempt.outcome is None for attempt in attempts] == [False] * model.runs
            lines = Rows(self.folder).logs(task_id)
            assert [line.message for line in lines] == model.lines
            assert [line.seq for line in lines] == list(range(1, len(model.lines) + 1))
        shutil.rmtree(self.folder)
        self.idle.append(self.zygote)


@pytest.mark.failure("T13")
def test_an_interrupted_task_runs_on_at_once_though_the_clock_was_set_back() -> None:
    with failing("", Path(), module="tests.failures.obedient") as process:
        Machine.idle = [process]
        machine = Machine()
        machine.begin()
        task_id = machine.enqueue(opted_in=True, retries=0, delay=HOUR)
        machine.log(task_id=task_id, lines=1)
        machine.end(in_good_order=True)
        machine.jump(jump=-2 * HOUR)
        machine.restart()
        machine.teardown()


def check(examples: int, number: int = 0) -> None:
    """So many sequences: in CI always the same ones for a number, elsewhere new ones."""
    options = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        print_blob=True,
        phases=[Phase.generate],  # each example takes seconds: to shrink one would take many minutes
        suppress_health_check=list(HealthCheck),
    )
    if options.derandomize:
        seed(number)(Machine)
    with ExitStack() as stack:
        Machine.idle = []
        Machine.make = lambda _: stack.enter_context(failing("", Path(), module="tests.failures.obedient"))
        run_state_machine_as_test(Machine, settings=options)


@pytest.mark.failure("T13")
@pytest.mark.timeout(300)
def test_a_few_sequences_of_events_agree_with_a_model() -> None:
    check(8)


@pytest.mark.failure("T13")
@pytest.mark.failures_slow
@pytest.mark.timeout(900)
def test_many_sequences_of_events_agree_with_a_model() -> None:
    with ProcessPoolExecutor(AT_A_TIME, get_context("spawn")) as pool:
        list(pool.map(check, [60 // AT_A_TIME] * AT_A_TIME, range(AT_A_TIME)))
