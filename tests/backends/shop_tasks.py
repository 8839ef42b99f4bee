"""The tasks of the shop: names, lines and failures of the demo's, repeatable and without waiting for gateways."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from otel_taskflow import OTLPExporter, TaskManager, get_task_context, task_log

SERVICE = "shop"
TASKS_OF_AN_ORDER = 2
ORDERS_OF_A_REPORT = 49
"""With every so many orders come a report and a stock count."""
REPORT_LINES = 200


class PaymentError(Exception):
    """The payment gateway said no."""


class MailError(Exception):
    """The mail server did not answer."""


class ShopTasks(NamedTuple):
    """The task functions."""

    fulfill_order: Callable[[int], None]
    send_email: Callable[[int], Any]
    monthly_report: Callable[[int, bool], None]
    sync_stock: Callable[[str], None]


def tasks_of(orders: int) -> int:
    """How many tasks that many orders, counted from 0, become."""
    return TASKS_OF_AN_ORDER * orders + 2 * -(-orders // ORDERS_OF_A_REPORT)


def attempts_of(orders: int) -> int:
    """How many attempts these tasks take."""
    of_orders = sum(1 + (n % 3 == 0) + (n % 30 == 0) + 1 + (n % 4 == 0) for n in range(orders))
    return of_orders + 3 * -(-orders // ORDERS_OF_A_REPORT)


def make_manager(folder: str, endpoint: str, **settings: Any) -> TaskManager:
    """A manager whose spans and lines go out from the journal."""
    exporter = OTLPExporter(endpoint, signals=("traces", "logs"), schedule_delay=0.2)
    return TaskManager(dir=folder, detached=True, observers=[exporter], **settings)


def add_tasks(manager: TaskManager) -> ShopTasks:
    """Register the tasks."""

    @manager.task(retries=2, delay=0.05, requeue_on_interrupt=True)
    def fulfill_order(number: int) -> None:
        order_id = f"A{number}"
        task_log("Order received", order_id=order_id, customer_id=f"c{number % 40}")
        time.sleep(number % 7 / 1000)
        if number % 3 == 0 and (_attempt() == 0 or number % 30 == 0):
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

    @manager.task(requeue_on_interrupt=True)
    def monthly_report(lines: int, hangs: bool = False) -> None:
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

    return ShopTasks(fulfill_order, send_email, monthly_report, sync_stock)


def place_orders(add_task: Callable[..., str], shop: ShopTasks, first: int, count: int) -> None:
    """Add the tasks of so many orders; FIRST is the number of the first."""
    for number in range(first, first + count):
        add_task(shop.send_email, number)
        add_task(shop.fulfill_order, number, tags={"order": str(number)})
        if number % ORDERS_OF_A_REPORT == 0:
            add_task(shop.monthly_report, REPORT_LINES)
            add_task(shop.sync_stock, "north")


def say(text: str) -> None:
    """Tell whoever started this program. A line in one write: several threads may speak at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _attempt() -> int:
    context = get_task_context()
    return context.attempt if context else 0
