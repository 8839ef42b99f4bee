"""The shop: orders, e-mails, reports. Some fail and retry, one logs 100,000 lines, some never succeed."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, FastAPI
from pydantic import BaseModel

from otel_taskflow import TaskAdmin, TaskManager, get_task_context, task_log


class Order(BaseModel):
    """What a customer ordered."""

    order_id: str
    customer_id: str
    total: float


class PaymentError(Exception):
    """The payment gateway said no."""


class MailError(Exception):
    """The mail server did not answer."""


@dataclass(frozen=True)
class Shop:
    """The app and its manager."""

    app: FastAPI
    tasks: TaskManager


def make_shop(seed: int | None = None, links: Mapping[str, str] | None = None, **manager_settings: Any) -> Shop:
    """Build the app. ``seed`` makes the failures repeatable; ``links`` lead to where the telemetry is."""
    chance = random.Random(seed)  # noqa: S311 - a demo's dice
    task_manager = TaskManager(**manager_settings)
    app = FastAPI(title="The shop")
    TaskAdmin(app, task_manager, title="The shop", print_link=False, links=links)
    _add_orders(app, task_manager, chance)
    _add_reports(app, task_manager)
    _add_stock(app, task_manager)
    return Shop(app, task_manager)


def _add_orders(app: FastAPI, task_manager: TaskManager, chance: random.Random) -> None:
    @task_manager.task(retries=3, delay=1.0, backoff=2.0)
    def fulfill_order(order: Order) -> None:
        task_log("Order received", order_id=order.order_id, customer_id=order.customer_id)
        time.sleep(chance.uniform(0.05, 0.4))
        task_log("Items reserved", order_id=order.order_id, item_count=chance.randint(1, 6))
        if chance.random() < 0.35:
            task_log("Payment gateway returned 500", level="error", order_id=order.order_id)
            raise PaymentError(f"payment of {order.total:.2f} for {order.order_id} was refused")
        task_log("Payment captured", order_id=order.order_id, total=order.total)

    @task_manager.task(retries=2, delay=0.5, backoff=2.0, retry_on=MailError)
    async def send_email(address: str, subject: str) -> None:
        task_log("Connecting to the mail server", level="debug", attempt=_attempt())
        await asyncio.sleep(chance.uniform(0.02, 0.3))
        if chance.random() < 0.25:
            task_log("The mail server is slow, retrying", level="warning")
            raise MailError("the mail server did not answer within 0.3 s")
        task_log("Sent", address=address, subject=subject)

    @app.post("/orders")
    def place_order(order: Order, tasks: Any = Depends(task_manager.get_tasks)) -> dict[str, str]:
        tags = {"customer": order.customer_id, "order_id": order.order_id}
        tasks.add_task(send_email, f"{order.customer_id}@example.com", f"Your order {order.order_id}", tags=tags)
        return {"task_id": tasks.add_task(fulfill_order, order, tags=tags)}


def _add_reports(app: FastAPI, task_manager: TaskManager) -> None:
    @task_manager.task
    def monthly_report(lines: int) -> None:
        for number in range(lines):
            task_log(f"Row {number} of {lines}", level="debug" if number % 10 else "info", row=number)
        task_log("Report complete", rows=lines)

    @app.post("/reports")
    def order_report(lines: int = 1000, tasks: Any = Depends(task_manager.get_tasks)) -> dict[str, str]:
        return {"task_id": tasks.add_task(monthly_report, lines)}


def _add_stock(app: FastAPI, task_manager: TaskManager) -> None:
    @task_manager.task(retries=1, delay=0.2)
    def sync_stock(warehouse: str) -> None:
        task_log("Asking the warehouse", warehouse=warehouse)
        stock: dict[str, int] = {}
        task_log("Stock of chairs", pieces=stock["chair"])

    @app.post("/stock/{warehouse}")
    def stock(warehouse: str, tasks: Any = Depends(task_manager.get_tasks)) -> dict[str, str]:
        return {"task_id": tasks.add_task(sync_stock, warehouse)}


def _attempt() -> int:
    context = get_task_context()
    return context.attempt if context else 0
