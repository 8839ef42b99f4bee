"""Plain functions in worker processes: what they log, how they end, and what ends them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow import ConfigurationError, TaskManager
from otel_taskflow.cli.diagnosis.journals import check
from otel_taskflow.engine import processes
from otel_taskflow.model import AttemptOutcome, TaskStatus
from otel_taskflow.ports import TaskDetail
from tests.crash.rows import Rows
from tests.processes import exiting_import, slow_import, work
from tests.processes.waiting import PATIENCE, is_alive, until


@pytest.fixture
def run(manager: TaskManager, rows: Rows) -> Callable[..., TaskDetail]:
    """Runs a function of ``work`` in a worker process and returns what the store has of it."""

    def run(function: Callable[..., Any], *args: object, config: dict[str, Any] | None = None) -> TaskDetail:
        manager.task(executor="process", name=function.__name__, **(config or {}))(function)
        task_id = manager.add_task(function, *args)
        assert manager.drain(PATIENCE)
        return rows.settled(task_id)

    return run


def test_a_task_runs_in_another_process_and_its_lines_are_in_its_record(
    run: Callable[..., TaskDetail], rows: Rows, tmp_path: Path
) -> None:
    found = run(work.tell_process, str(tmp_path / "pid"))
    logs = rows.logs(found.task.task_id)
    pid = int((tmp_path / "pid").read_text())
    assert found.task.status is TaskStatus.SUCCESS
    assert found.task.executor == "process"
    assert pid != os.getpid()
    assert [(line.seq, line.message, line.extra["pid"]) for line in logs] == [(1, "told", pid)]
    assert "secret" not in str(logs)


@pytest.mark.parametrize("name", ["n" * 200, "注文処理バックグラウンドタスク管理者の仕事場"], ids=["long", "Japanese"])
def test_a_manager_of_any_name_has_worker_processes(tmp_path: Path, name: str) -> None:
    manager = TaskManager(dir=str(tmp_path / "tasks"), name=name)
    manager.task(executor="process")(work.tell_process)
    task_id = manager.add_task(work.tell_process, str(tmp_path / "pid"))
    assert manager.drain(PATIENCE)
    found = Rows(tmp_path / "tasks").settled(task_id)
    assert (found.task.status, found.task.log_count) == (TaskStatus.SUCCESS, 1)
    manager.stop()


def test_a_worker_serves_one_task_after_the_other_and_leaves_nothing_behind(
    manager: TaskManager, rows: Rows, tmp_path: Path
) -> None:
    manager.task(executor="process")(work.tell_process)
    pids = set()
    for number in range(3):
        manager.add_task(work.tell_process, str(tmp_path / str(number)))
        assert manager.drain(PATIENCE)
        pids.add((tmp_path / str(number)).read_text())
    assert len(pids) == 1
    manager.stop()
    assert not is_alive(int(pids.pop()))
    assert list((tmp_path / "state" / "journal").glob("*worker*")) == []


def test_the_task_knows_its_context_and_spans_made_in_the_worker_continue_the_trace(
    manager: TaskManager, rows: Rows, tmp_path: Path
) -> None:
    from opentelemetry.sdk.trace import TracerProvider

    traced = TaskManager(dir=str(tmp_path / "state"), name="traced", tracer_provider=TracerProvider())
    traced.task(executor="process")(work.tell_context)
    task_id = traced.add_task(work.tell_context, str(tmp_path / "context"), tags={"tenant": "a"})
    assert traced.drain(PATIENCE)
    traced.stop()
    span = rows.settled(task_id).attempts[0].span
    expected = f"{task_id} 0 {{'tenant': 'a'}} {span.trace_id} {span.span_id}"
    assert (tmp_path / "context").read_text() == expected


def test_an_exception_comes_over_with_its_type_message_and_the_workers_stack(run: Callable[..., TaskDetail]) -> None:
    found = run(work.refuse)
    assert found.task.status is TaskStatus.FAILED
    assert found.task.error is not None
    assert found.task.error.type == "tests.processes.work.PaymentError"
    assert found.task.error.message == "A1 was refused with 500"
    assert "in refuse" in found.task.error.stacktrace


def test_retry_on_holds_for_an_exception_that_cannot_be_sent(run: Callable[..., TaskDetail], rows: Rows) -> None:
    found = run(work.refuse, config={"retries": 2, "retry_on": work.PaymentError})
    assert [attempt.outcome for attempt in found.attempts] == [
        AttemptOutcome.RETRYING,
        AttemptOutcome.RETRYING,
        AttemptOutcome.FAILED,
    ]
    assert [line.seq for line in rows.logs(found.task.task_id)] == [1, 2, 3]


def test_an_exception_whose_class_refuses_attributes_keeps_its_type(run: Callable[..., TaskDetail]) -> None:
    found = run(work.refuse_for_good, config={"retries": 1, "retry_on": work.FrozenError})
    assert [attempt.outcome for attempt in found.attempts] == [AttemptOutcome.RETRYING, AttemptOutcome.FAILED]
    assert found.task.error is not None
    assert found.task.error.type == "tests.processes.work.FrozenError"


@pytest.mark.failure("T8")
def test_a_result_that_cannot_be_pickled_is_no_failure_since_results_are_not_kept(
    run: Callable[..., TaskDetail],
) -> None:
    assert run(work.return_a_lock).task.status is TaskStatus.SUCCESS


def test_a_generator_that_nobody_has_run_is_a_failure_as_in_a_thread(run: Callable[..., TaskDetail]) -> None:
    found = run(work.return_a_generator)
    assert found.task.error is not None
    assert "returned a generator" in found.task.error.message


@pytest.mark.failure("T8")
@pytest.mark.parametrize(
    ("function", "how"), [(work.kill_itself, "was ended by SIGKILL"), (work.exit_hard, "ended with exit status 7")]
)
def test_a_worker_that_dies_interrupts_its_attempt_and_the_record_says_how(
    run: Callable[..., TaskDetail], function: Callable[[], None], how: str
) -> None:
    found = run(function)
    (attempt,) = found.attempts
    assert found.task.status is TaskStatus.INTERRUPTED
    assert found.task.reason == "process_died"
    assert attempt.outcome is AttemptOutcome.INTERRUPTED
    assert attempt.error is not None
    assert attempt.error.message.endswith(how)


@pytest.mark.failure("T8")
def test_an_attempt_whose_worker_cannot_make_its_journal_has_failed_for_that_reason_and_is_retried(
    run: Callable[..., TaskDetail], rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = iter(["no-file-has-such-a-long-name" * 10])
    make = processes.new_worker_journal_id
    monkeypatch.setattr(processes, "new_worker_journal_id", lambda employer: next(ids, None) or make(employer))
    found = run(work.log_lines, 3, config={"retries": 1})
    first, second = found.attempts
    assert (first.outcome, second.outcome) == (AttemptOutcome.RETRYING, AttemptOutcome.SUCCEEDED)
    assert first.error is not None
    assert first.error.type == "ChildProcessError"
    assert first.error.message.startswith(
        "the function of task 'log_lines' did not begin in its worker process: JournalError: cannot create a journal in "
    )
    assert rows.messages(found.task.task_id) == ["line 0", "line 1", "line 2"]


@pytest.mark.failure("T8")
def test_an_attempt_whose_worker_dies_before_the_function_begins_has_failed_and_uses_its_retries(
    run: Callable[..., TaskDetail],
) -> None:
    found = run(exiting_import.do_nothing, config={"retries": 1, "retry_on": ChildProcessError})
    assert (found.task.status, found.task.reason) == (TaskStatus.FAILED, None)
    assert [attempt.outcome for attempt in found.attempts] == [AttemptOutcome.RETRYING, AttemptOutcome.FAILED]
    assert found.task.error is not None
    assert found.task.error.message.endswith("ended with exit status 7")


@pytest.mark.failure("T8")
def test_the_lines_up_to_a_kill_are_there_each_once_and_in_order(
    manager: TaskManager, rows: Rows, tmp_path: Path
) -> None:
    manager.task(executor="process")(work.flood_and_wait)
    told = tmp_path / "pid"
    task_id = manager.add_task(work.flood_and_wait, str(told), 50_000)
    os.kill(int(until(lambda: told.exists() and told.read_text())), signal.SIGKILL)
    assert manager.drain(PATIENCE)
    found = rows.settled(task_id)
    assert found.task.status is TaskStatus.INTERRUPTED
    assert [line.extra["number"] for line in rows.logs(task_id)] == list(range(50_000))
    assert found.attempts[0].log_count == 50_000


@pytest.mark.failure("T8")
def test_a_task_whose_worker_died_runs_again_if_it_opted_in(run: Callable[..., TaskDetail], rows: Rows) -> None:
    found = run(work.kill_itself, config={"requeue_on_interrupt": True})
    assert [attempt.outcome for attempt in found.attempts] == [AttemptOutcome.INTERRUPTED] * 4
    assert rows.messages(found.task.task_id) == ["about to go"] * 4


def test_a_worker_that_died_is_replaced_for_the_next_task(run: Callable[..., TaskDetail], tmp_path: Path) -> None:
    run(work.kill_itself)
    assert run(work.tell_process, str(tmp_path / "pid")).task.status is TaskStatus.SUCCESS


def test_a_timeout_ends_the_process_and_the_task_has_failed(
    run: Callable[..., TaskDetail], rows: Rows, tmp_path: Path
) -> None:
    found = run(work.flood_and_wait, str(tmp_path / "pid"), 10, config={"timeout": 3.0})
    assert found.task.status is TaskStatus.FAILED
    assert found.attempts[0].outcome is AttemptOutcome.TIMED_OUT
    assert not found.attempts[0].late_end
    assert len(rows.logs(found.task.task_id)) == 10
    until(lambda: not is_alive(int((tmp_path / "pid").read_text())))


def test_the_time_that_a_worker_takes_to_import_the_function_is_not_taken_from_its_timeout(
    run: Callable[..., TaskDetail], rows: Rows
) -> None:
    found = run(slow_import.log_a_line, config={"timeout": slow_import.LIMIT})
    assert found.task.status is TaskStatus.SUCCESS
    assert [line.message for line in rows.logs(found.task.task_id)] == ["imported"]


def test_the_doctor_tells_a_worker_from_the_process_that_it_works_for(
    manager: TaskManager, rows: Rows, folder: Path, tmp_path: Path
) -> None:
    manager.task(executor="process")(work.flood_and_wait)
    told = tmp_path / "pid"
    task_id = manager.add_task(work.flood_and_wait, str(told), 3)
    pid = until(lambda: told.exists() and told.read_text())
    rows.until(lambda: len(rows.logs(task_id)) == 3, "its lines are in the store")
    (finding,) = [each for each in check(folder, folder / "tasks.db") if "worker process" in each.text]
    assert f"worker process {pid} on" in finding.text
    assert finding.text.endswith("3 events, 4.2 MB, 0 not in the store yet; its process lives")


def test_a_cancel_ends_the_process(manager: TaskManager, rows: Rows, tmp_path: Path) -> None:
    manager.task(executor="process")(work.flood_and_wait)
    told = tmp_path / "pid"
    task_id = manager.add_task(work.flood_and_wait, str(told), 3)
    pid = int(until(lambda: told.exists() and told.read_text()))
    assert manager.runtime.engine.cancel(task_id)
    assert manager.drain(PATIENCE)
    assert rows.settled(task_id).task.status is TaskStatus.CANCELLED
    until(lambda: not is_alive(pid))


def test_arguments_that_cannot_be_sent_fail_the_attempt_with_the_remedy(run: Callable[..., TaskDetail]) -> None:
    found = run(work.take, threading.Lock())
    assert found.task.error is not None
    assert "cannot be sent to a worker process" in found.task.error.message
    assert "pass ids instead of objects" in found.task.error.message


def test_a_shutdown_interrupts_what_runs_in_a_worker_when_the_grace_has_passed(
    manager: TaskManager, rows: Rows, tmp_path: Path
) -> None:
    manager.task(executor="process")(work.flood_and_wait)
    told = tmp_path / "pid"
    task_id = manager.add_task(work.flood_and_wait, str(told), 3)
    until(lambda: told.exists() and told.read_text())
    manager.stop()
    found = rows.settled(task_id)
    assert (found.task.status, found.task.reason) == (TaskStatus.INTERRUPTED, "shutdown")
    assert len(rows.logs(task_id)) == 3


def test_a_line_that_a_thread_writes_after_its_attempt_is_kept_as_late(
    manager: TaskManager, rows: Rows, tmp_path: Path
) -> None:
    manager.task(executor="process")(work.leave_a_thread)
    task_id = manager.add_task(work.leave_a_thread, str(tmp_path / "go"))
    assert manager.drain(PATIENCE)
    (tmp_path / "go").touch()
    rows.until(lambda: len(rows.logs(task_id)) == 2, "the late line is there")
    assert [(line.message, line.late) for line in rows.logs(task_id)] == [("in time", False), ("late", True)]


def test_a_store_in_memory_needs_no_folder_of_ours() -> None:
    manager = TaskManager(store="memory", max_process_workers=1)
    manager.task(executor="process")(work.log_lines)
    task_id = manager.add_task(work.log_lines, 3)
    assert manager.drain(PATIENCE)
    assert manager.runtime.store.writer.load_tasks([task_id])[task_id].log_count == 3
    manager.stop()


def test_hermetic_tests_run_such_tasks_in_a_thread_where_they_can_be_replaced(tmp_path: Path) -> None:
    manager = TaskManager(testing=True)
    manager.task(executor="process")(work.tell_process)
    manager.add_task(work.tell_process, str(tmp_path / "pid"))
    assert manager.drain(PATIENCE)
    assert int((tmp_path / "pid").read_text()) == os.getpid()
    manager.stop()


def test_a_coroutine_function_cannot_run_in_a_process(manager: TaskManager) -> None:
    async def hello() -> None: ...

    with pytest.raises(ConfigurationError, match=r"executor='process' needs a plain function; hello is a coroutine"):
        manager.task(executor="process")(hello)


def test_a_fork_that_comes_back_from_the_function_is_no_worker(
    run: Callable[..., TaskDetail], rows: Rows, tmp_path: Path
) -> None:
    found = run(work.fork_into_nothing)
    assert found.task.status is TaskStatus.SUCCESS
    assert rows.messages(found.task.task_id) == ["the parent"]
    found = run(work.tell_process, str(tmp_path / "pid"))
    assert rows.messages(found.task.task_id) == ["told"]


def test_an_idle_worker_that_dies_as_it_is_called_costs_the_next_task_nothing(
    run: Callable[..., TaskDetail], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(work.tell_process, str(tmp_path / "pid"))
    idle = [int((tmp_path / "pid").read_text())]
    is_alive = BaseProcess.is_alive

    def looks_alive(process: BaseProcess) -> bool:
        if idle and process.pid == idle[0]:
            os.kill(idle.pop(), signal.SIGKILL)
            return True
        return is_alive(process)

    monkeypatch.setattr(BaseProcess, "is_alive", looks_alive)
    found = run(work.last_a_moment, str(tmp_path / "pid"))
    assert idle == []
    assert found.task.status is TaskStatus.SUCCESS
    assert len(found.attempts) == 1
