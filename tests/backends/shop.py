"""A program: the shop of the demo without its pauses takes many orders, exports to a collector, and ends well or is killed.

python -m tests.backends.shop FOLDER ENDPOINT FIRST COUNT ENDING

FIRST and COUNT number the orders. It prints a line for each step that a test waits for. ENDING is one of

finish  drain, deliver everything, end
hang    deliver everything, metrics too; then some more orders, delivered without their metrics; then a report that never ends
flow    tell after a tenth of the orders, and go on ordering
"""

from __future__ import annotations

import sys
import threading
import time
import warnings
from typing import Any

from fastapi import Depends, FastAPI
from pydantic import BaseModel

from otel_taskflow import OTLPExporter, TaskAdmin, TaskManager, get_task_context, task_log
from otel_taskflow.setup.telemetry import Setup, setup_telemetry

SERVICE = "shop"
TASKS_OF_AN_ORDER = 2
ORDERS_OF_A_REPORT = 49
"""With every so many orders come a report and a stock count."""
REPORT_LINES = 200
UNEXPORTED_ORDERS = 5
LIMIT = 100.0
METRICS_NEVER = "3600000"
"""Milliseconds: metrics are exported when the program says so."""


class Order(BaseModel):
    """What a customer ordered."""

    number: int


class PaymentError(Exception):
    """The payment gateway said no."""


class MailError(Exception):
    """The mail server did not answer."""


def tasks_of(orders: int) -> int:
    """How many tasks that many orders, counted from 0, become."""
    return TASKS_OF_AN_ORDER * orders + 2 * -(-orders // ORDERS_OF_A_REPORT)


def make_app(folder: str, endpoint: str) -> tuple[FastAPI, TaskManager]:
    """Tasks with the names, lines and failures of the demo's, repeatable and without waiting for gateways."""
    tasks = TaskManager(dir=folder, detached=True, observers=[OTLPExporter(endpoint, schedule_delay=0.2)])
    app = FastAPI()
    TaskAdmin(app, tasks, print_link=False)
    _add_orders(app, tasks)
    _add_reports(app, tasks)
    return app, tasks


def _add_orders(app: FastAPI, manager: TaskManager) -> None:
    @manager.task(retries=2, delay=0.05, requeue_on_interrupt=True)
    def fulfill_order(order: Order) -> None:
        order_id = f"A{order.number}"
        task_log("Order received", order_id=order_id, customer_id=f"c{order.number % 40}")
        time.sleep(order.number % 7 / 1000)
        if order.number % 3 == 0 and (_attempt() == 0 or order.number % 30 == 0):
            task_log("Payment gateway returned 500", level="error", order_id=order_id)
            raise PaymentError(f"payment for {order_id} was refused")
        task_log("Payment captured", order_id=order_id, total=10.5)

    @manager.task(retries=2, delay=0.05, retry_on=MailError, requeue_on_interrupt=True)
    async def send_email(number: int) -> None:
        task_log("Connecting to the mail server", level="debug")
        if number % 4 == 0 and _attempt() == 0:
            task_log("The mail server is slow, retrying", level="warning")
            raise MailError("the mail server did not answer")
        task_log("Sent", order_id=f"A{number}", address=f"c{number % 40}@example.com")

    @app.post("/orders")
    def place_order(order: Order, tasks: Any = Depends(manager.get_tasks)) -> str:
        tasks.add_task(send_email, order.number)
        return str(tasks.add_task(fulfill_order, order, tags={"order": str(order.number)}))


def _add_reports(app: FastAPI, manager: TaskManager) -> None:
    @manager.task(requeue_on_interrupt=True)
    def monthly_report(lines: int, hangs: bool) -> None:
        for row in range(lines):
            task_log(f"Row {row} of {lines}", level="debug" if row % 10 else "info", row=row)
        if hangs and _attempt() == 0:
            say("hanging")
            threading.Event().wait()
        task_log("Report complete", rows=lines)

    @manager.task(retries=1, delay=0.05)
    def sync_stock(warehouse: str) -> None:
        task_log("Asking the warehouse", warehouse=warehouse)
        stock: dict[str, int] = {}
        task_log("Stock of chairs", pieces=stock["chair"])

    @app.post("/reports")
    def order_report(hangs: bool = False, tasks: Any = Depends(manager.get_tasks)) -> None:
        tasks.add_task(monthly_report, REPORT_LINES, hangs)

    @app.post("/stock")
    def count_stock(tasks: Any = Depends(manager.get_tasks)) -> None:
        tasks.add_task(sync_stock, "north")


class Customers:
    """Whoever orders, and knows how to wait until all of it is done and delivered."""

    def __init__(self, client: Any, tasks: TaskManager, setup: Setup) -> None:
        self._client = client
        self._tasks = tasks
        self._setup = setup

    def order(self, first: int, count: int) -> None:
        for number in range(first, first + count):
            self._post("/orders", {"number": number})
            if number % ORDERS_OF_A_REPORT == 0:
                self._post("/reports")
                self._post("/stock")

    def finish(self) -> None:
        assert self._tasks.drain(LIMIT)
        self.deliver()
        assert self._setup.flush(LIMIT)

    def deliver(self) -> None:
        assert self._tasks.force_flush(LIMIT)

    def order_endless_report(self) -> None:
        self._post("/reports?hangs=true")

    def wait(self) -> None:
        assert self._tasks.drain(LIMIT)

    def _post(self, path: str, body: Any = None) -> None:
        self._client.post(path, json=body).raise_for_status()


def main(folder: str, endpoint: str, first: str, count: str, ending: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fastapi.testclient import TestClient
    app, tasks = make_app(folder, endpoint)
    setup = setup_telemetry(app, service_name=SERVICE, endpoint=endpoint)
    with TestClient(app) as client:
        ENDINGS[ending](Customers(client, tasks, setup), int(first), int(count))
    assert setup.shutdown(LIMIT)


def _finish(customers: Customers, first: int, count: int) -> None:
    customers.order(first, count)
    customers.finish()


def _hang(customers: Customers, first: int, count: int) -> None:
    customers.order(first, count - UNEXPORTED_ORDERS)
    customers.finish()
    say(f"exported {time.time_ns()}")
    customers.order(first + count - UNEXPORTED_ORDERS, UNEXPORTED_ORDERS)
    customers.wait()
    customers.order_endless_report()
    while True:
        customers.deliver()
        say("delivered")
        time.sleep(0.5)


def _flow(customers: Customers, first: int, count: int) -> None:
    customers.order(first, count // 10)
    say("flowing")
    customers.order(first + count // 10, count - count // 10)
    customers.finish()


ENDINGS = {"finish": _finish, "hang": _hang, "flow": _flow}


def say(text: str) -> None:
    print(text, flush=True)


def _attempt() -> int:
    context = get_task_context()
    return context.attempt if context else 0


if __name__ == "__main__":
    main(*sys.argv[1:])
