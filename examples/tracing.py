"""Spans, log records and metrics: to a collector, or to the console if there is none.

Needs fastapi.testclient's HTTP client: pip install httpx2 (httpx with older releases of Starlette).
Run:  python examples/tracing.py
      OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318 python examples/tracing.py
"""

import os

from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from opentelemetry import trace

from otel_taskflow import TaskAdmin, TaskManager, setup_telemetry, task_log

app = FastAPI()
tracer = trace.get_tracer("shop")
task_manager = TaskManager()
TaskAdmin(app, task_manager)


@task_manager.task
def fulfill(order_id: str) -> None:
    task_log("Order received", order_id=order_id)  # an event of the attempt's span, and a log record
    trace.get_current_span().set_attribute("shop.order_id", order_id)
    with tracer.start_as_current_span("reserve items"):  # a child of the attempt's span
        task_log("Items reserved", items=3)


@app.post("/orders/{order_id}")
def order(order_id: str, tasks=Depends(task_manager.get_tasks)):
    return {"task_id": tasks.add_task(fulfill, order_id)}


def set_up() -> None:
    """A collector gets everything; the console shows spans only. An app that has providers already needs none of this."""
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        setup_telemetry(app, service_name="shop")
        return
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))
    trace.set_tracer_provider(provider)


def main() -> None:
    set_up()
    with TestClient(app) as client:
        print(client.post("/orders/A1").json())
        task_manager.drain()


if __name__ == "__main__":
    main()
