"""The JSON API at the reference's paths and with its keys."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import anyio
import pytest

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.model import ErrorInfo, TaskStatus
from otel_taskflow.values.limits import Limits
from otel_taskflow.values.redaction import Redaction
from otel_taskflow.values.sanitize import Sanitizer
from otel_taskflow.web import api as api_module
from otel_taskflow.web import stream as stream_module
from otel_taskflow.web.responses import Json
from tests.web.parts import (
    BEARER,
    HANGS,
    NOON,
    SECOND,
    Backend,
    Hanging,
    attempt,
    client,
    get,
    hang,
    line,
    make_app,
    task,
    write_retried_task,
)

pytestmark = pytest.mark.anyio

HALF_A_PAIR = "WzEsICJcdWQ4MDAiXQ"
"""A cursor whose task id is half of a surrogate pair."""
REFERENCE_KEYS = {
    "task_id", "func_name", "status", "created_at", "start_time", "end_time", "duration", "retries_used", "error",
    "logs", "stacktrace", "tags", "source", "priority", "executor", "queue",
}  # fmt: skip


# The list


async def test_the_list_is_an_array_with_the_keys_of_the_reference_newest_first(backend: Backend) -> None:
    write_retried_task(backend)
    backend.write([task("t2", created_at=NOON + SECOND)])
    newer, older = (await get(backend, "/tasks")).json()
    assert set(newer) >= REFERENCE_KEYS
    assert (newer["task_id"], newer["attempts"], older["attempts"]) == ("t2", 0, 3)
    assert older["created_at"] == "2026-01-01T12:00:00.000000+00:00"
    assert (older["duration"], older["retries_used"], older["logs"], older["queue"]) == (3.0, 2, [], "default")


async def test_the_list_says_which_tasks_can_be_recovered_also_where_it_hides_arguments(backend: Backend) -> None:
    backend.write([task("t1", args=None), task("t2", args='{"args":[1],"kwargs":{}}', created_at=NOON + SECOND)])
    kept, not_kept = (await get(backend, "/tasks")).json()
    assert (kept["recoverable"], not_kept["recoverable"]) == (True, False)
    assert "args" not in kept


async def test_the_list_can_be_filtered(backend: Backend) -> None:
    backend.write(
        [
            task("t1", status=TaskStatus.FAILED, tags={"customer": "7", "note": "a:b"}),
            task("t2", name="report"),
            task("t3", tags={"customer": "8"}),
        ]
    )
    questions = ["status=failed", "func_name=report", "tag=customer:8", "tag=note:a:b", "status=success"]
    found = [[each["task_id"] for each in (await get(backend, f"/tasks?{each}")).json()] for each in questions]
    assert found == [["t1"], ["t2"], ["t3"], ["t1"], []]


@pytest.mark.parametrize(
    ("key", "asked_for"),
    [("x:y", r"x\:y"), ("", ""), ("a\\", r"a\\"), ("\\:", r"\\\:"), ("a\\b", r"a\b"), ("k\n", "k\n")],
)
async def test_every_tag_can_be_asked_for(backend: Backend, key: str, asked_for: str) -> None:
    backend.write([task(tags={key: "z:\\ \n"}), task("t2", tags={"x": "y:z:\\ \n"})])
    answer = await get(backend, f"/tasks?{urlencode({'tag': asked_for + ':' + 'z:' + chr(92) + ' ' + chr(10)})}")
    assert [each["task_id"] for each in answer.json()] == ["t1"]


async def test_the_longest_tag_that_is_kept_can_be_asked_for(backend: Backend) -> None:
    kept = Sanitizer(Limits(), Redaction()).tags({":" * 500: "//a:b@c " * 500})
    backend.write([task(tags=kept)])
    ((key, value),) = kept.items()
    asked_for = urlencode({"tag": key.replace(":", "\\:") + ":" + value})
    assert [each["task_id"] for each in (await get(backend, f"/tasks?{asked_for}")).json()] == ["t1"]


async def test_the_link_header_leads_through_all_pages(backend: Backend) -> None:
    backend.write([task(f"t{number}", created_at=NOON + number) for number in range(7)])
    seen: list[str] = []
    async with client(make_app(backend), BEARER) as program:
        url: str | None = "/tasks?limit=3&status=pending"
        while url is not None:
            answer = await program.get(url)
            seen += [each["task_id"] for each in answer.json()]
            backend.write([task(f"later{len(seen)}", created_at=NOON + 100)])
            follow = answer.links.get("next")
            assert follow is None or "status=pending" in follow["url"]
            url = None if follow is None else str(answer.url.join(follow["url"]))
    assert seen == [f"t{number}" for number in range(6, -1, -1)]


@pytest.mark.parametrize(
    "question",
    [
        *("limit=0", "limit=201", "limit=x", "status=done", "tag=customer", "colour=red"),
        *("cursor=%27%3B--", f"cursor={HALF_A_PAIR}"),
    ],
)
async def test_a_wrong_question_is_refused_and_named(backend: Backend, question: str) -> None:
    answer = await get(backend, f"/tasks?{question}")
    assert answer.status_code == 422
    assert question.partition("=")[0] in json.dumps(answer.json()["detail"])


class Refusing:
    """A reader that cannot list tasks."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def list_tasks(self, *_given: Any) -> Any:
        raise self._error


@pytest.mark.parametrize(
    ("question", "error"),
    [
        ("", ValueError("row 7 cannot be read")),
        ("?cursor=abc", ValueError("row 7 cannot be read")),
        ("", ConfigurationError("no region is set")),
    ],
)
async def test_what_a_reader_raises_is_no_wrong_cursor_but_a_server_error_that_says_why(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, question: str, error: Exception
) -> None:
    monkeypatch.setattr(backend, "reader", lambda: Refusing(error))
    async with client(make_app(backend), BEARER, raise_app_exceptions=False) as program:
        assert (await program.get(f"/tasks{question}")).status_code == 500
    with pytest.raises((ValueError, RuntimeError)) as raised:  # what a server logs
        await get(backend, f"/tasks{question}")
    assert error in (raised.value, raised.value.__cause__)


async def test_arguments_are_shown_only_when_asked_for_and_without_secrets(backend: Backend) -> None:
    write_retried_task(backend)
    for path in ("/tasks", "/tasks/t1"):
        hidden = (await get(backend, path)).text
        assert "hunter2" not in hidden
        assert "kwargs" not in hidden
    shown = (await get(backend, "/tasks/t1", display_func_args=True)).json()
    assert shown["args"] == [7]
    assert shown["kwargs"]["to"] == "a@example.com"
    assert "hunter2" not in json.dumps(shown)


# One task


async def test_a_task_has_its_attempts_and_its_whole_log_with_separators(backend: Backend) -> None:
    write_retried_task(backend)
    answer = (await get(backend, "/tasks/t1")).json()
    assert answer["logs"] == [
        "2026-01-01T12:00:01.000Z line 1",
        "2026-01-01T12:00:02.000Z line 2",
        "--- Retry 1 ---",
        "2026-01-01T12:00:03.000Z line 3",
        "2026-01-01T12:00:04.000Z line 4",
        "--- Retry 2 ---",
        "2026-01-01T12:00:05.000Z line 5",
        "2026-01-01T12:00:06.000Z line 6",
    ]
    assert (answer["attempt_count"], answer["attempt"], answer["trace_id"]) == (3, 2, "a" * 32)
    first, _, last = answer["attempts"]
    assert (first["status"], first["error"], first["error_type"]) == ("failed", "too slow", "TimeoutError")
    assert first["stacktrace"].startswith("Traceback")
    assert (last["status"], last["error"], last["duration"]) == ("succeeded", None, 0.5)
    assert (last["trace_id"], last["span_id"]) == (f"{3:032x}", f"{3:016x}")
    assert (last["attempt"], last["attempt_number"]) == (2, 3)


async def test_an_attempt_without_lines_has_its_separator_too(backend: Backend) -> None:
    write_retried_task(backend)
    backend.write([task("t9", attempts=2)], [attempt(0, "t9"), attempt(1, "t9")])
    assert (await get(backend, "/tasks/t9")).json()["logs"] == ["--- Retry 1 ---"]


async def test_a_very_long_log_is_cut_in_the_detail_and_says_so(backend: Backend) -> None:
    backend.write([task(attempts=1, log_count=10_001)], [attempt(0, "t1")], [line(n) for n in range(1, 10_002)])
    answer = await get(backend, "/tasks/t1")
    assert len(answer.json()["logs"]) == 10_000
    assert answer.headers["x-taskflow-logs-truncated"] == "shown=10000; total=10001"
    assert len((await get(backend, "/tasks/t1/logs.txt")).text.splitlines()) == 10_001


async def test_a_separator_is_no_line_where_it_is_said_how_many_are_shown(backend: Backend) -> None:
    lines = [line(n, 0 if n <= 5000 else 1) for n in range(1, 10_002)]
    backend.write([task(attempts=2, log_count=10_001)], [attempt(0), attempt(1)], lines)
    answer = await get(backend, "/tasks/t1")
    assert (len(answer.json()["logs"]), answer.json()["logs"][5000]) == (10_001, "--- Retry 1 ---")
    assert answer.headers["x-taskflow-logs-truncated"] == "shown=10000; total=10001"


async def test_a_huge_field_is_cut_and_says_so(backend: Backend) -> None:
    error = ErrorInfo("ValueError", "x" * 300_000, "y" * 300_000)
    backend.write([task(error=error, status=TaskStatus.FAILED)])
    answer = (await get(backend, "/tasks/t1")).json()
    assert len(answer["error"]) < 263_000
    assert answer["stacktrace"].endswith("(cut; 300000 characters)")


@pytest.mark.parametrize("path", ["/tasks/nobody", "/tasks/nobody/logs", "/tasks/nobody/logs.txt", "/tasks/%00%0a"])
async def test_an_unknown_task_is_a_404(backend: Backend, path: str) -> None:
    answer = await get(backend, path)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Task not found"})


# Figures and verbs


async def test_metrics_have_the_keys_of_the_reference(backend: Backend) -> None:
    empty = (await get(backend, "/tasks/metrics")).json()
    assert (empty["total"], empty["success_rate"], empty["avg_duration_seconds"]) == (0, 0.0, 0.0)
    write_retried_task(backend)
    backend.write(
        [task("t2", status=TaskStatus.FAILED, started_at=NOON, ended_at=NOON + SECOND), task("t3"), task("t4")]
    )
    figures = (await get(backend, "/tasks/metrics")).json()
    assert {"total", "success", "failed", "running", "pending", "interrupted"} <= set(figures)
    assert (figures["total"], figures["success"], figures["pending"]) == (4, 1, 2)
    assert (figures["success_rate"], figures["avg_duration_seconds"]) == (0.25, 2.0)


async def test_verbs_answer_as_the_reference_does(backend: Backend) -> None:
    backend.write([task("t1"), task("t2", status=TaskStatus.FAILED), task("t3", status=TaskStatus.FAILED, name="gone")])
    async with client(make_app(backend), BEARER) as program:
        cancelled = await program.post("/tasks/t1/cancel")
        retried = await program.post("/tasks/t2/retry")
        refused = {
            path: (await program.post(path)).status_code
            for path in (
                "/tasks/t2/cancel",
                "/tasks/t1/retry",
                "/tasks/t3/retry",
                "/tasks/nobody/retry",
                "/tasks/%00/cancel",
            )
        }
    assert (cancelled.json()["task_id"], cancelled.json()["task"]["status"]) == ("t1", "cancelled")
    assert (retried.json()["task_id"], retried.json()["task"]["retry_of"]) == ("the-new-one", "t2")
    assert list(refused.values()) == [400, 400, 409, 404, 404]


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "t1/retry"), ("POST", "t1/cancel"), ("GET", "dashboard/stream"), ("GET", "t1"), ("GET", "t1/logs.txt")],
)
async def test_a_parameter_that_is_unknown_is_refused_and_nothing_is_done(
    backend: Backend, method: str, path: str
) -> None:
    backend.write([task(status=TaskStatus.FAILED)])
    async with client(make_app(backend), BEARER) as program:
        with anyio.fail_after(5):
            answer = await program.request(method, f"/tasks/{path}?colour=red")
    assert (answer.status_code, backend.verbs) == (422, [])
    assert "colour" in json.dumps(answer.json()["detail"])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "audit"),
        ("GET", "queues"),
        ("PATCH", "queues/mail"),
        ("POST", "bulk-retry"),
        ("POST", "retry-failed"),
        ("DELETE", "history"),
        ("GET", "auth/login"),
        ("POST", "auth/login"),
        ("GET", "auth/logout"),
    ],
)
async def test_what_the_reference_has_beyond_this_release_is_refused_by_name(
    backend: Backend, method: str, path: str
) -> None:
    async with client(make_app(backend), BEARER) as program:
        answer = await program.request(method, f"/tasks/{path}")
    assert answer.status_code == 501
    assert " is not in this release; " in answer.json()["detail"]


# Fresh and in time


async def test_an_answer_says_how_far_it_is_behind(backend: Backend) -> None:
    write_retried_task(backend)
    paths = ("/tasks", "/tasks/metrics", "/tasks/t1", "/tasks/t1/logs", "/tasks/t1/logs.txt", "/tasks/dashboard")
    assert ["x-taskflow-behind" in (await get(backend, path)).headers for path in paths] == [False] * 6
    backend.behind = 12
    assert [(await get(backend, path)).headers["x-taskflow-behind"] for path in paths] == ["12"] * 6


@HANGS
@pytest.mark.parametrize("path", ["/tasks", "/tasks/metrics", "/tasks/t1", "/tasks/t1/logs", "/tasks/t1/logs.txt"])
async def test_a_store_that_hangs_is_given_up(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, path: str, part: str, hanging: Any
) -> None:
    monkeypatch.setattr(backend, part, hanging)
    monkeypatch.setattr(api_module, "READ_TIMEOUT", 0.05)
    answer = await get(backend, path)
    assert answer.status_code == 503
    assert "0.05 s" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("question", "part", "hanging"),
    [("", "reader", Hanging), ("?task=t1", "reader", Hanging), ("?task=t1", "level", hang)],
)
async def test_a_stream_over_a_store_that_hangs_is_refused_and_takes_no_place(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, question: str, part: str, hanging: Any
) -> None:
    monkeypatch.setattr(backend, part, hanging)
    monkeypatch.setattr(api_module, "READ_TIMEOUT", 0.01)
    monkeypatch.setattr(stream_module, "MAX_STREAMS_A_CLIENT", 1)
    async with client(make_app(backend), BEARER) as program:
        for _ in range(3):
            with anyio.fail_after(5):
                answer = await program.get(f"/tasks/dashboard/stream{question}")
            assert answer.status_code == 503
            assert "0.01 s" in answer.json()["detail"]


def test_numbers_that_json_lacks_and_half_characters_do_not_break_an_answer() -> None:
    value = {"message": "half \ud83d", "rate": float("nan"), "deep": [float("-inf"), (1.5,)]}
    answer = json.loads(bytes(Json(value).body))
    assert answer == {"message": "half \ud83d", "rate": "nan", "deep": ["-inf", [1.5]]}


def test_texts_that_look_like_such_numbers_and_line_ends_beyond_ascii_come_through() -> None:
    value = {
        "message": "NaN and -Infinity",
        "rate": float("inf"),
        "ends": "a\x85b\u2028c\u2029d",
        "é": [None, True, 0.1],
    }
    for shown in (value, {**value, "rate": 1.0}, {**value, "rate": 1.0, "message": "none"}):
        body = bytes(Json(shown).body)
        assert json.loads(body) == {**shown, "rate": "inf" if shown["rate"] == float("inf") else 1.0}
        assert len(body.decode().splitlines()) == 1
