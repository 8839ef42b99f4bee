"""A server killed between add_task and the response, and between the response and the start of the task."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import httpx
import pytest

from otel_taskflow.model import TaskStatus
from tests.crash.child import child
from tests.crash.rows import Rows


def post_and_forget(url: str) -> None:
    with contextlib.suppress(httpx.TransportError):
        httpx.post(url, timeout=20)


@pytest.mark.failure("C18")
def test_a_task_whose_response_never_left_is_cancelled(tmp_path: Path) -> None:
    with child("serve_and_be_killed", tmp_path) as server:
        address = server.says("address")
        client = threading.Thread(target=post_and_forget, args=(f"{address}/unanswered",))
        client.start()
        task_id = server.says("added")
        server.kill()
        client.join(20)
    with child("worker", tmp_path) as following:
        following.asks("start")
        found = Rows(tmp_path).settled(task_id)
    assert (found.task.status, found.task.reason) == (TaskStatus.CANCELLED, "request_lost")
    assert found.attempts == []


@pytest.mark.failure("C18")
def test_a_task_whose_response_has_left_is_started_once(tmp_path: Path) -> None:
    with child("serve_and_be_killed", tmp_path) as server:
        answer = httpx.post(f"{server.says('address')}/answered", timeout=20)
        assert answer.status_code == 200
        server.kill()
    rows = Rows(tmp_path)
    with child("worker", tmp_path) as one, child("worker", tmp_path) as two:
        one.tell("start")
        two.tell("start")
        found = rows.settled(answer.json())
        pids = {one.process.pid, two.process.pid}
    assert (found.task.status, len(found.attempts)) == (TaskStatus.SUCCESS, 1)
    [message] = rows.messages(answer.json())
    assert message in {f"in {pid}" for pid in pids}
