"""The live stream, over a real server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import anyio
import httpx
import pytest

from otel_taskflow.model import AttemptOutcome, ErrorInfo, TaskStatus
from otel_taskflow.web import feed as feed_module
from otel_taskflow.web import stream as stream_module
from otel_taskflow.web.responses import to_json
from tests.web.parts import BEARER, HOSTILE, NOON, Backend, attempt, line, make_app, task, write_retried_task
from tests.web.server import Server, Stream, serving, stream

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(backend: Backend) -> Iterator[Server]:
    with serving(make_app(backend, poll_interval=0.2)) as started:
        yield started
        backend.stop()


async def test_it_begins_with_hello_and_goes_on_with_what_changes(backend: Backend, server: Server) -> None:
    write_retried_task(backend)
    async with stream(server) as seen:
        assert seen.response.headers["content-type"].startswith("text/event-stream")
        assert seen.response.headers["x-accel-buffering"] == "no"
        hello = await seen.until("hello")
        assert (hello.id, hello.data["change"], hello.data["metrics"]["total"]) == (1, 1, 1)
        backend.write([task("t2")])
        tasks = await seen.until("tasks")
        assert tasks.id == 2
        assert [each["task_id"] for each in tasks.data["tasks"]] == ["t2"]
        assert tasks.data["metrics"]["total"] == 2


async def test_the_stream_of_a_task_carries_its_new_lines_and_attempts(backend: Backend, server: Server) -> None:
    backend.write([task()])
    async with stream(server, "?task=t1") as seen:
        await seen.until("hello")
        backend.write([task(attempts=1, status=TaskStatus.RUNNING)], [attempt(0)], [line(1, message=HOSTILE), line(2)])
        logs = await seen.until("logs")
        attempts = await seen.until("attempts")
        tasks = await seen.until("tasks")
        assert [(each["seq"], each["message"]) for each in logs.data["entries"]] == [(1, HOSTILE), (2, "line 2")]
        assert [each["status"] for each in attempts.data["attempts"]] == ["running"]
        assert [event.id for event in (logs, attempts, tasks)] == [1, 1, 2]
        backend.write([task("t2")])
        assert (await seen.until("tasks")).id == 3
        backend.write(logs=[line(3)])
        assert [each["seq"] for each in (await seen.until("logs")).data["entries"]] == [3]


async def test_only_attempts_that_changed_are_told(backend: Backend, server: Server) -> None:
    error = ErrorInfo("TimeoutError", "too slow", "Traceback ...\n" * 200)
    first = attempt(0, outcome=AttemptOutcome.RETRYING, error=error)
    backend.write([task(status=TaskStatus.RUNNING, attempts=2, error=error)], [first, attempt(1)])
    async with stream(server, "?task=t1") as seen:
        await seen.until("hello")
        backend.write([task(attempts=2, error=error, log_count=1)], [attempt(1, log_count=1)], [line(1, 1)])
        told = await events_of_a_change(seen)
        assert [each["attempt"] for each in told["attempts"]["attempts"]] == [0, 1]
        backend.write([task(attempts=2, error=error, log_count=2)], [attempt(1, log_count=2)], [line(2, 1)])
        told = await events_of_a_change(seen)
        assert told.keys() == {"logs", "tasks"}
        assert len(to_json(told)) < 2000
        ended = attempt(1, outcome=AttemptOutcome.SUCCEEDED, log_count=2)
        backend.write([task(attempts=2, status=TaskStatus.SUCCESS)], [ended])
        told = await events_of_a_change(seen)
        assert [each["status"] for each in told["attempts"]["attempts"]] == ["succeeded"]


async def test_attempts_that_the_page_was_made_with_are_not_told(backend: Backend, server: Server) -> None:
    write_retried_task(backend)
    change = backend.write([task("t2")])
    async with stream(server, f"?task=t1&after={change}") as seen:
        await seen.until("health")
        backend.write(logs=[line(7, 2)])
        assert (await events_of_a_change(seen)).keys() == {"logs", "tasks"}


async def test_attempts_that_changed_since_the_page_was_made_are_told(backend: Backend, server: Server) -> None:
    change = backend.write([task("t1")])
    write_retried_task(backend)
    async with stream(server, f"?task=t1&after={change}") as seen:
        await seen.until("hello")
        told = await events_of_a_change(seen)
        assert [each["attempt"] for each in told["attempts"]["attempts"]] == [0, 1, 2]


async def events_of_a_change(seen: Stream) -> dict[str, Any]:
    """The data of the events up to the one that carries the change's number, by name."""
    told: dict[str, Any] = {}
    while "tasks" not in told:
        event = await seen.next()
        assert event is not None
        told[event.name] = event.data
    return told


async def test_tasks_are_told_without_their_stack_traces(backend: Backend, server: Server) -> None:
    async with stream(server) as seen:
        await seen.until("hello")
        backend.write([task(status=TaskStatus.FAILED, error=ErrorInfo("ValueError", "no such order", "Traceback ..."))])
        [told] = (await seen.until("tasks")).data["tasks"]
        assert (told["error"], told["stacktrace"]) == ("no such order", None)


async def test_a_connection_that_broke_resumes_without_gap_or_double(backend: Backend, server: Server) -> None:
    backend.write([task()])
    async with stream(server, "?task=t1") as seen:
        await seen.until("hello")
        backend.write(logs=[line(1)])
        await seen.until("logs")
        last = (await seen.until("tasks")).id
    backend.write([task("t2")], logs=[line(2), line(3)])
    async with stream(server, "?task=t1", last_event_id=last) as seen:
        assert (await seen.until("hello")).id == last
        assert [each["seq"] for each in (await seen.until("logs")).data["entries"]] == [2, 3]
        tasks = await seen.until("tasks")
        assert {each["task_id"] for each in tasks.data["tasks"]} == {"t1", "t2"}
        backend.write(logs=[line(4)])
        assert [each["seq"] for each in (await seen.until("logs")).data["entries"]] == [4]


@pytest.mark.parametrize("events", [1, 2, 3, 4])
async def test_a_connection_that_breaks_again_while_it_catches_up_misses_nothing(
    backend: Backend, server: Server, events: int
) -> None:
    backend.write([task()])
    backend.write([task("t2")], logs=[line(1), line(2)])
    told: set[str] = set()
    lines: list[int] = []
    last = 0
    for is_cut in (True, False):
        async with stream(server, "?task=t1", last_event_id=last) as seen:
            while not is_cut or events:
                event = await seen.next()
                assert event is not None
                events, last = events - 1, event.id
                told |= {each["task_id"] for each in event.data.get("tasks", ())}
                lines += [each["seq"] for each in event.data.get("entries", ())]
                if event.name == "health":
                    break
    assert told == {"t1", "t2"}
    assert set(lines) == {1, 2}


async def test_a_page_goes_on_from_the_change_it_was_made_at(backend: Backend, server: Server) -> None:
    change = backend.write([task()])
    backend.write([task("t2")])
    async with stream(server, f"?after={change}") as seen:
        await seen.until("hello")
        assert [each["task_id"] for each in (await seen.until("tasks")).data["tasks"]] == ["t2"]


@pytest.mark.parametrize("last", [7, 10_000])
async def test_who_is_too_far_behind_or_ahead_is_told_to_reload(backend: Backend, server: Server, last: int) -> None:
    for number in range(250):
        backend.write([task(f"t{number}")])
    async with stream(server, last_event_id=last) as seen:
        resync = await seen.until("resync")
        assert resync.id == 250


async def test_a_number_that_is_none_is_refused_and_takes_no_place(backend: Backend, server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.base, headers=BEARER) as browser:
        for _ in range(stream_module.MAX_STREAMS + 1):
            answer = await browser.get("/tasks/dashboard/stream", headers={"last-event-id": "x"})
            assert answer.status_code == 422
        assert (await browser.get("/tasks/dashboard/stream?task=nobody")).status_code == 404


async def test_changes_are_gathered_and_many_are_told_in_few_events(backend: Backend, server: Server) -> None:
    async with stream(server) as seen:
        await seen.until("hello")
        backend.write([task(f"t{number}", created_at=NOON + number) for number in range(150)])
        for _ in range(3):
            backend.write([task("t0", attempts=1)])
        told: set[str] = set()
        events = 0
        while len(told) < 150:
            events += 1
            told |= {each["task_id"] for each in (await seen.until("tasks")).data["tasks"]}
        assert events < 10


async def test_more_changes_than_a_tick_can_show_reload_the_page(
    backend: Backend, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "MAX_PENDING", 100)
    async with stream(server) as seen:
        await seen.until("hello")
        change = backend.write([task(f"t{number}") for number in range(101)])
        assert (await seen.until("resync")).id == change


class SlowLines:
    """A reader whose new lines come when the gate is opened."""

    def __init__(self, reader: Any, gate: threading.Event) -> None:
        self._reader = reader
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    async def get_new_logs(self, *given: Any) -> Any:
        await asyncio.to_thread(self._gate.wait, 10)
        return await self._reader.get_new_logs(*given)


async def test_who_lags_behind_the_kept_batches_is_told_to_reload(
    backend: Backend, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, reader = threading.Event(), backend.reader
    monkeypatch.setattr(feed_module, "_BATCHES_KEPT", 2)
    monkeypatch.setattr(backend, "reader", lambda: SlowLines(reader(), gate))
    backend.write([task()])
    async with stream(server) as quick, stream(server, "?task=t1") as slow:
        await quick.until("hello")
        await slow.until("hello")
        change = 0
        for number in range(5):
            change = backend.write([task("t1", log_count=number)])
            await quick.until("tasks")
        gate.set()
        assert (await slow.until("resync")).id == change
        change = backend.write([task("t2")])
        assert (await slow.until("tasks")).id == change


async def test_more_lines_than_a_page_can_take_reload_it(
    backend: Backend, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "MAX_LINES", 50)
    backend.write([task()])
    async with stream(server, "?task=t1") as seen:
        await seen.until("hello")
        change = backend.write(logs=[line(number) for number in range(1, 60)])
        assert (await seen.until("resync")).id == change


async def test_too_many_streams_are_refused_and_a_closed_one_makes_room(
    backend: Backend, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "MAX_STREAMS_A_CLIENT", 1)
    async with stream(server) as first:
        await first.until("hello")
        async with stream(server) as second:
            assert second.response.status_code == 503
            assert second.response.headers["retry-after"] == "5"
    with anyio.fail_after(5):
        while True:
            async with stream(server) as third:
                if third.response.status_code == 200:
                    break


async def test_an_idle_stream_shows_signs_of_life_that_a_page_can_hear(backend: Backend, server: Server) -> None:
    change = backend.write([task()])
    async with stream(server) as seen:
        assert (await seen.until("hello")).data["alive_every"] == 0.2
        assert await seen.until("alive") == (change, "alive", {})


async def test_figures_follow_what_retention_takes_though_that_is_no_change(
    backend: Backend, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "RECOUNT_AFTER", 0.3)
    backend.write([task(status=TaskStatus.FAILED, ended_at=NOON)])
    async with stream(server) as seen:
        assert (await seen.until("hello")).data["metrics"]["total"] == 1
        assert backend.store.writer.prune(NOON + 1, 2**62) == 1
        told = await seen.until("tasks")
        while told.data["metrics"]["total"]:
            told = await seen.until("tasks")
        assert told.data["tasks"] == []


async def test_it_asks_again_whether_it_may_go_on(
    backend: Backend, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "RECHECK_AFTER", 0.2)
    monkeypatch.setattr("otel_taskflow.web.policy.Policy.decide", allow_once())
    async with stream(server) as seen:
        await seen.until("hello")
        assert await seen.ends()


def allow_once() -> Any:
    from otel_taskflow.web.policy import Answer

    answers = iter([Answer.ENTER])
    return lambda *_: next(answers, Answer.WHO_ARE_YOU)


async def test_streams_end_when_the_process_begins_to_stop(backend: Backend) -> None:
    with serving(make_app(backend)) as server:
        async with stream(server) as seen:
            await seen.until("hello")
            threading.Thread(target=backend.stop).start()
            assert await seen.ends()
    assert backend.stop_callbacks == []


async def test_one_poller_serves_all_streams_and_ends_with_the_last(backend: Backend, server: Server) -> None:
    async with stream(server) as first, stream(server) as second:
        await first.until("hello")
        await second.until("hello")
        assert len(backend.stop_callbacks) == 1
        backend.write([task()])
        assert await first.until("tasks") == await second.until("tasks")
    assert await asyncio.to_thread(backend.callback_was_taken_back.wait, 5)


async def test_a_store_that_fails_for_a_while_is_waited_for(
    backend: Backend, server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from otel_taskflow.errors import StoreError

    async with stream(server) as seen:
        await seen.until("hello")
        reader = backend.reader
        has_failed = threading.Event()

        def broken() -> Any:
            has_failed.set()
            raise StoreError("disk I/O error")

        monkeypatch.setattr(backend, "reader", broken)
        assert await asyncio.to_thread(has_failed.wait, 5)
        monkeypatch.setattr(backend, "reader", reader)
        backend.write([task()])
        await seen.until("tasks")
    assert [record.message for record in caplog.records if "live pages wait" in record.message]


async def test_no_line_is_lost_over_reconnects_while_lines_are_written(backend: Backend, server: Server) -> None:
    backend.write([task()])
    writer = threading.Thread(target=write_bursts, args=(backend,))
    seen: set[int] = set()
    last: int | None = 1
    writer.start()
    while len(seen) < 400:
        async with stream(server, "?task=t1", last_event_id=last) as each:
            for _ in range(4):
                event = await each.next()
                assert event is not None
                assert event.name != "resync"
                last = event.id
                if event.name == "logs":
                    seen |= {entry["seq"] for entry in event.data["entries"]}
                if len(seen) == 400:
                    break
    writer.join()
    assert seen == set(range(1, 401))


def write_bursts(backend: Backend) -> None:
    for first in range(1, 401, 5):
        backend.write(logs=[line(seq) for seq in range(first, first + 5)])
        threading.Event().wait(0.01)


@pytest.mark.parametrize(("cost", "pause"), [(0.001, 0.1), (0.04, 4.0), (0.2, 5.0), (0.5, 5.0), (3.0, 30.0)])
async def test_figures_that_are_dear_to_count_are_counted_seldom_but_not_hidden_for_long(
    cost: float, pause: float
) -> None:
    assert feed_module.pause_after(cost) == pytest.approx(pause)
