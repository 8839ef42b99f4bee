"""Health over HTTP: the report for those who are let in, yes or no for whoever probes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from otel_taskflow import TaskAdmin, TaskManager
from otel_taskflow.health import DEGRADED, FAILED, OK, PartHealth
from tests.web.parts import BEARER, HOSTILE, Backend, client, get, make_app, task
from tests.web.server import Server, serving, stream

pytestmark = pytest.mark.anyio

TEMPO = PartHealth("destination:tempo", DEGRADED, "connection refused", "start it", {"traces.backlog": 7})
STORE = PartHealth("store", OK, figures={"bytes": 12, "writable": True})
PROBES = ("/tasks/livez", "/tasks/readyz")


@pytest.fixture
def server(backend: Backend) -> Iterator[Server]:
    with serving(make_app(backend, poll_interval=0.2)) as started:
        yield started
        backend.stop()


async def test_the_report_is_json(backend: Backend) -> None:
    backend.become(STORE, TEMPO)
    answer = await get(backend, "/tasks/health")
    assert (answer.status_code, answer.json()["state"]) == (200, "degraded")
    assert answer.json()["time"] == "2026-01-01T12:00:00.000000+00:00"
    assert answer.json()["parts"] == [
        {"part": "store", "state": "ok", "why": "", "remedy": "", "figures": {"bytes": 12, "writable": True}},
        {
            "part": "destination:tempo",
            "state": "degraded",
            "why": "connection refused",
            "remedy": "start it",
            "figures": {"traces.backlog": 7},
        },
    ]
    assert (await get(backend, "/tasks/health?x=1")).status_code == 422


@pytest.mark.parametrize("options", [{}, {"auth": ("a", "b")}, {"allowed_hosts": ["shop.example"]}])
async def test_probes_need_no_session_and_say_nothing_but_yes_or_no(backend: Backend, options: dict[str, Any]) -> None:
    backend.become(STORE._replace(state=FAILED, why=HOSTILE), TEMPO)
    async with client(make_app(backend, **options)) as anonymous:
        assert [(await anonymous.get(path)).text for path in PROBES] == ["ok", "ok"]
        assert [(await anonymous.head(path)).status_code for path in PROBES] == [200, 200]
        backend.is_ready = False
        answers = [await anonymous.get(path) for path in PROBES]
    assert [(each.status_code, each.text) for each in answers] == [(200, "ok"), (503, "not ok")]


@pytest.mark.parametrize(
    "path",
    [
        "/tasks/livez/",
        "/tasks/livez/x",
        "/tasks/dashboard/livez",
        "/tasks/readyz%2F..%2Fhealth",
        "/tasks//livez",
        "/tasks/LIVEZ",
    ],
)
async def test_only_exactly_the_two_need_no_session(backend: Backend, path: str) -> None:
    async with client(make_app(backend)) as anonymous:
        assert (await anonymous.get(path)).status_code == 401
        assert {
            (await anonymous.request(method, "/tasks/livez")).status_code for method in ("POST", "PUT", "OPTIONS")
        } == {401}


async def test_a_disabled_process_answers_its_probes_and_nothing_else() -> None:
    app = FastAPI()
    TaskAdmin(app, TaskManager(disabled=True))
    asked = [(method, path) for path in PROBES for method in ("GET", "HEAD")]
    beside = [
        ("POST", "/tasks/livez"),
        ("GET", "/tasks/livez/x"),
        *(("GET", f"/tasks{end}") for end in ("", "/x/logs")),
    ]
    async with app.router.lifespan_context(app), client(app) as anybody:
        answers = [await anybody.request(*each) for each in asked]
        others = [await anybody.request(*each) for each in beside]
    assert [answer.text for answer in answers] == ["ok", "", "ok", ""]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}
    assert {answer.status_code for answer in others} == {404}


async def test_a_disabled_process_leaves_the_rest_of_the_path_to_the_app() -> None:
    app = FastAPI()
    TaskAdmin(app, TaskManager(disabled=True))
    app.get("/tasks/{name}")(lambda name: name)
    async with app.router.lifespan_context(app), client(app) as anybody:
        assert (await anybody.get("/tasks/own")).json() == "own"
        assert (await anybody.get("/tasks/livez")).text == "ok"


async def test_degraded_telemetry_fails_neither_liveness_nor_readiness(backend: Backend) -> None:
    backend.become(STORE, TEMPO, PartHealth("spool", FAILED, "the disk is full"))
    assert (await get(backend, "/tasks/health")).json()["state"] == "degraded"
    async with client(make_app(backend)) as anonymous:
        assert [(await anonymous.get(path)).status_code for path in PROBES] == [200, 200]


async def test_a_manager_is_ready_between_the_end_of_its_start_and_the_begin_of_its_end() -> None:
    manager = TaskManager(store="memory")
    app = FastAPI()
    TaskAdmin(app, manager)
    async with client(app) as anonymous:
        assert [(await anonymous.get(path)).status_code for path in PROBES] == [200, 503]
        async with app.router.lifespan_context(app):
            assert [(await anonymous.get(path)).status_code for path in PROBES] == [200, 200]
            manager.on_stop(lambda: None)
        assert [(await anonymous.get(path)).status_code for path in PROBES] == [200, 503]
    assert manager.health().state == "failed"


async def test_streams_tell_what_is_not_well_when_it_changes(backend: Backend, server: Server) -> None:
    backend.become(STORE, TEMPO)
    async with stream(server) as seen:
        first = (await seen.until("health")).data
        assert first["state"] == "degraded"
        assert first["parts"] == [
            {"part": "destination:tempo", "state": "degraded", "why": "connection refused", "remedy": "start it"}
        ]
        backend.become(STORE, TEMPO._replace(figures={"traces.backlog": 8}))
        backend.become(STORE, TEMPO._replace(why=HOSTILE))
        assert [each["why"] for each in (await seen.until("health")).data["parts"]] == [HOSTILE]
        backend.become(STORE)
        assert (await seen.until("health")).data == {"state": "ok", "parts": []}


async def test_a_stream_that_asks_for_it_tells_all_figures_at_each_look(backend: Backend, server: Server) -> None:
    backend.become(STORE, TEMPO)
    async with stream(server, "?health=1") as seen:
        assert len((await seen.until("health")).data["parts"]) == 2
        backend.become(STORE, TEMPO._replace(figures={"traces.backlog": 8}))
        parts = (await seen.until("health")).data["parts"]
        assert parts[1]["figures"] == {"traces.backlog": 8}


async def test_streams_tell_it_while_the_store_is_not_to_be_had(
    backend: Backend, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.write([task()])
    async with stream(server) as seen:
        await seen.until("health")
        with monkeypatch.context() as patch:
            patch.setattr(backend, "reader", lambda: 1 / 0)
            backend.become(STORE._replace(state=FAILED, why="it is gone"))
            assert (await seen.until("health")).data["state"] == "failed"
        backend.become(STORE)
        assert (await seen.until("health")).data["state"] == "ok"
        backend.write([task("t2")])
        assert (await seen.until("tasks")).data["tasks"][0]["task_id"] == "t2"


async def test_a_stream_that_ends_listens_no_more(backend: Backend, server: Server) -> None:
    async with stream(server) as seen:
        await seen.until("health")
        assert len(backend.health_callbacks) == 1
    backend.callback_was_taken_back.wait(10)
    assert backend.health_callbacks == []


async def test_the_page_of_health_needs_no_store_and_carries_the_report(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.become(STORE._replace(state=FAILED, why="it is gone"))
    monkeypatch.setattr(backend, "reader", lambda: 1 / 0)
    async with client(make_app(backend), BEARER) as program:
        answer = await program.get("/tasks/dashboard/health")
    assert (answer.status_code, "it is gone" in answer.text) == (200, True)
