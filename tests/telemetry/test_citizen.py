"""In real apps with the three set-ups people have: one trace from request to task, no span doubled, nothing taken over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from otel_taskflow import ManagedBackgroundTasks, TaskAdmin, TaskManager, task_log
from otel_taskflow.telemetry.quiet import exclude_dashboard, excluded_urls
from tests.telemetry.parts import Recorder

pytestmark = pytest.mark.filterwarnings("ignore:Using `httpx` with `starlette.testclient`")
"""The tests' own client, for as long as the oldest supported FastAPI has no other."""


class Shop:
    """An app with one of the set-ups, and what its users do."""

    def __init__(self, recorder: Recorder, app: FastAPI, **settings: Any) -> None:
        self.recorder = recorder
        self.app = app
        self.tasks = TaskManager(
            store="memory",
            tracer_provider=recorder.tracer_provider,
            meter_provider=recorder.meter_provider,
            logger_provider=recorder.logger_provider,
            **settings,
        )
        TaskAdmin(app, self.tasks, insecure=True, auto_install=True)
        self._add_tasks()
        self._add_routes()

    def _add_tasks(self) -> None:
        self.failures = 1

        @self.tasks.task(retries=1)
        async def send_email(order_id: str) -> None:
            task_log("sending", order_id=order_id)
            with self.recorder.tracer.start_as_current_span("smtp"):
                pass
            if self.failures:
                self.failures -= 1
                raise ConnectionError("no route to the mail server")

        @self.tasks.task
        def make_invoice(order_id: str) -> None:
            with self.recorder.tracer.start_as_current_span("render"):
                task_log("rendering", order_id=order_id)

        self.send_email, self.make_invoice = send_email, make_invoice

    def _add_routes(self) -> None:
        @self.app.post("/orders")
        async def order(tasks: Any = Depends(self.tasks.get_tasks)) -> dict[str, str]:
            return {"task": tasks.add_task(self.send_email, "A1")}

        @self.app.post("/invoices")
        def invoice(tasks: BackgroundTasks) -> None:
            tasks.add_task(self.make_invoice, "A1")

        @self.app.post("/direct")
        def direct(plain: BackgroundTasks) -> None:
            ManagedBackgroundTasks(self.tasks, plain).add_task(self.make_invoice, "A1")

    def ask(self, *asked: tuple[str, str]) -> list[Any]:
        from fastapi.testclient import TestClient

        with TestClient(self.app) as client:
            return [client.request(method, path) for method, path in asked]


def no_instrumentation(_recorder: Recorder) -> FastAPI:
    return FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})


def fastapis_own(recorder: Recorder) -> FastAPI:
    return FastAPI(
        telemetry={
            "tracer_provider": recorder.tracer_provider,
            "meter_provider": recorder.meter_provider,
            "logger_provider": recorder.logger_provider,
            "exclude": exclude_dashboard("/tasks"),
        }
    )


def contrib(recorder: Recorder) -> FastAPI:
    app = FastAPI()
    FastAPIInstrumentor.instrument_app(
        app,
        tracer_provider=recorder.tracer_provider,
        meter_provider=recorder.meter_provider,
        excluded_urls=excluded_urls("/tasks"),
    )
    return app


SET_UPS: dict[str, Callable[[Recorder], FastAPI]] = {
    "none": no_instrumentation,
    "FastAPI's own": fastapis_own,
    "contrib": contrib,
}


@pytest.fixture(params=SET_UPS)
def shop(request: pytest.FixtureRequest, recorder: Recorder) -> Iterator[Shop]:
    app = SET_UPS[request.param](recorder)
    yield Shop(recorder, app)
    FastAPIInstrumentor.uninstrument_app(app)


def traces(recorder: Recorder) -> dict[int, list[ReadableSpan]]:
    found: dict[int, list[ReadableSpan]] = {}
    for span in recorder.spans:
        found.setdefault(span.get_span_context().trace_id, []).append(span)
    return found


def test_request_send_and_attempts_are_one_trace(shop: Shop) -> None:
    shop.ask(("POST", "/orders"))
    recorder = shop.recorder
    (spans,) = traces(recorder).values()
    by_id = {span.get_span_context().span_id: span for span in spans}
    send = recorder.span("send send_email")
    attempts = [span for span in spans if span.name == "process send_email"]
    assert [span.parent.span_id for span in attempts if span.parent] == [send.get_span_context().span_id] * 2
    root = send
    while root.parent is not None:
        root = by_id[root.parent.span_id]
    servers = [span for span in spans if span.kind is SpanKind.SERVER]
    assert servers in ([], [root])
    inner = [span for span in spans if span.name == "smtp"]
    assert {by_id[span.parent.span_id].name for span in inner if span.parent} == {"process send_email"}


@pytest.mark.parametrize("route", ["/invoices", "/direct"])
def test_a_sync_task_is_in_the_requests_trace_too(shop: Shop, route: str) -> None:
    shop.ask(("POST", route))
    (spans,) = traces(shop.recorder).values()
    process, render = shop.recorder.span("process make_invoice"), shop.recorder.span("render")
    assert process in spans
    assert render.parent is not None
    assert render.parent.span_id == process.get_span_context().span_id


@pytest.mark.parametrize("route", ["/orders", "/invoices", "/direct"])
def test_no_span_is_doubled(shop: Shop, route: str) -> None:
    shop.failures = 0
    shop.ask(("POST", route))
    names = Counter(span.name for span in shop.recorder.spans)
    ours = {name: count for name, count in names.items() if name.startswith(("send ", "process "))}
    assert set(ours.values()) == {1}
    assert len(ours) == 2
    about_tasks = [name for name in names if "background" in name.lower()]
    assert about_tasks == []


def test_log_records_correlate_with_the_attempt_and_metrics_are_there(shop: Shop) -> None:
    shop.failures = 0
    shop.ask(("POST", "/orders"))
    process = shop.recorder.span("process send_email")
    (line,) = [record for record in shop.recorder.records if record.body == "sending"]
    assert line.span_id == process.get_span_context().span_id
    assert line.trace_id == process.get_span_context().trace_id
    assert line.event_name is None
    assert [event.name for event in process.events] == ["task.log"]
    assert [point.count for point in shop.recorder.points("messaging.process.duration")] == [1]


def test_the_dashboards_own_requests_make_no_spans(shop: Shop) -> None:
    answers = shop.ask(("GET", "/tasks"), ("GET", "/tasks/dashboard"), ("GET", "/tasks/metrics"))
    assert answers[0].status_code == 200
    assert shop.recorder.spans == ()


@pytest.mark.skipif(find_spec("fastapi.telemetry") is None, reason="FastAPI has telemetry of its own from 0.142")
def test_the_dashboard_makes_no_operation_spans_where_its_server_spans_are_not_excluded(recorder: Recorder) -> None:
    app = FastAPI(telemetry={"tracer_provider": recorder.tracer_provider})
    shop = Shop(recorder, app)
    (answer,) = shop.ask(("GET", "/tasks"))
    assert answer.status_code == 200
    assert [span.kind for span in recorder.spans] == [SpanKind.SERVER]


@pytest.mark.skipif(find_spec("fastapi.telemetry") is None, reason="FastAPI has telemetry of its own from 0.142")
@pytest.mark.parametrize("prefix", ["", "/inner"])
def test_server_spans_of_the_dashboard_have_the_route_that_was_asked_for(recorder: Recorder, prefix: str) -> None:
    from fastapi.testclient import TestClient

    app = inner = FastAPI(telemetry={"tracer_provider": recorder.tracer_provider})
    TaskAdmin(inner, TaskManager(store="memory", testing=True), insecure=True)
    if prefix:
        app = FastAPI(telemetry={"tracer_provider": recorder.tracer_provider})
        app.mount(prefix, inner)
    with TestClient(inner), TestClient(app, base_url="http://localhost") as client:
        for path in ("", "/metrics", "/x/logs", "/livez", "/dashboard/static/x.js", "/a/b/c"):
            client.get(f"{prefix}/tasks{path}")
    routes = [dict(span.attributes or {}).get("http.route") for span in recorder.spans]
    expected = ("", "/metrics", "/{task_id}/logs", "/{path}", "/dashboard/static/{path}", "/{path}")
    assert routes == [f"{prefix}/tasks{path}" for path in expected]


def test_in_link_mode_the_attempts_have_traces_of_their_own(recorder: Recorder) -> None:
    shop = Shop(recorder, fastapis_own(recorder), trace_mode="link")
    shop.ask(("POST", "/orders"))
    attempts = [span for span in recorder.spans if span.name == "process send_email"]
    assert [span.parent for span in attempts] == [None, None]
    assert len(traces(recorder)) == 3
    request = recorder.span("send send_email").get_span_context().span_id
    assert all(request in [link.context.span_id for link in span.links] for span in attempts)


def test_the_second_attempt_is_linked_to_the_first(recorder: Recorder) -> None:
    shop = Shop(recorder, no_instrumentation(recorder))
    shop.ask(("POST", "/orders"))
    first, second = [span for span in recorder.spans if span.name == "process send_email"]
    assert first.get_span_context().span_id in [link.context.span_id for link in second.links]


def test_providers_that_were_given_are_neither_shut_down_nor_made_global(recorder: Recorder) -> None:
    from opentelemetry import trace

    before = trace.get_tracer_provider()
    shop = Shop(recorder, no_instrumentation(recorder))
    shop.ask(("POST", "/orders"))
    with recorder.tracer.start_as_current_span("afterwards"):
        pass
    assert recorder.span("afterwards").end_time is not None
    assert trace.get_tracer_provider() is before
