"""A program: the shop of the demo without its pauses takes many orders, exports to a collector, and ends well or is killed.

python -m tests.backends.shop FOLDER ENDPOINT FIRST COUNT ENDING

FIRST and COUNT number the orders. It prints a line for each step that a test waits for. ENDING is one of

finish  drain, deliver everything, end
hang    deliver everything, metrics too; then some more orders, delivered without their metrics; then a report that never ends
flow    tell after a tenth of the orders, and go on ordering
grow    deliver the first orders, wait for a line on the standard input, and go on ordering
"""

from __future__ import annotations

import sys
import time
import warnings
from typing import Any

from fastapi import Depends, FastAPI

from otel_taskflow import TaskAdmin, TaskManager
from otel_taskflow.setup.telemetry import Setup, setup_telemetry
from tests.backends.shop_tasks import ORDERS_OF_A_REPORT, SERVICE, add_tasks, make_manager, place_orders, say

UNEXPORTED_ORDERS = 5
BATCH = 100
LIMIT = 100.0


def make_app(manager: TaskManager) -> FastAPI:
    """Routes that add the tasks."""
    app = FastAPI()
    TaskAdmin(app, manager, print_link=False)
    shop = add_tasks(manager)

    @app.post("/orders")
    def orders(first: int, count: int = 1, tasks: Any = Depends(manager.get_tasks)) -> None:
        place_orders(tasks.add_task, shop, first, count)

    @app.post("/endless-report")
    def endless_report(tasks: Any = Depends(manager.get_tasks)) -> None:
        tasks.add_task(shop.monthly_report, 1, True)

    return app


class Customers:
    """Whoever orders, and knows how to wait until all of it is done and delivered."""

    def __init__(self, client: Any, tasks: TaskManager, setup: Setup) -> None:
        self._client = client
        self._tasks = tasks
        self._setup = setup

    def order(self, first: int, count: int, *, at_once: int = 1) -> None:
        """Place orders, each in a request of its own or several ``at_once``."""
        end = first + count
        for number in range(first, end, at_once):
            self._post(f"/orders?first={number}&count={min(at_once, end - number)}")

    def order_endless_report(self) -> None:
        self._post("/endless-report")

    def wait(self) -> None:
        assert self._tasks.drain(LIMIT)

    def deliver(self) -> None:
        """What the tasks said so far."""
        assert self._tasks.force_flush(LIMIT)

    def finish(self) -> None:
        """Everything done and delivered, metrics too."""
        self.wait()
        self.deliver()
        assert self._setup.flush(LIMIT)

    def _post(self, path: str) -> None:
        self._client.post(path).raise_for_status()


def main(folder: str, endpoint: str, first: str, count: str, ending: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from fastapi.testclient import TestClient
    manager = make_manager(folder, endpoint)
    app = make_app(manager)
    setup = setup_telemetry(app, service_name=SERVICE, endpoint=endpoint)
    with TestClient(app) as client:
        ENDINGS[ending](Customers(client, manager, setup), int(first), int(count))
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


def _grow(customers: Customers, first: int, count: int) -> None:
    customers.order(first, ORDERS_OF_A_REPORT)
    customers.finish()
    say("small")
    sys.stdin.readline()
    customers.order(first + ORDERS_OF_A_REPORT, count - ORDERS_OF_A_REPORT, at_once=BATCH)
    customers.finish()


ENDINGS = {"finish": _finish, "hang": _hang, "flow": _flow, "grow": _grow}

if __name__ == "__main__":
    main(*sys.argv[1:])
