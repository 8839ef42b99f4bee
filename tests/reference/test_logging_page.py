"""What the documentation of fastapi-taskflow says about task logging holds here, under the name otel_taskflow."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from otel_taskflow import InMemoryLogger, TaskAdmin, TaskManager, get_task_context, task_log

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (.*)")


class Shop:
    """A manager with an observer, behind a new app for each run."""

    def __init__(self, folder: Path) -> None:
        self.observer = InMemoryLogger()
        self.manager = TaskManager(dir=str(folder), loggers=[self.observer])

    def run(self, func: Any, *args: Any) -> dict[str, Any]:
        """Add a task in a request, wait for its end, and return what the API says about it."""
        app = FastAPI()
        TaskAdmin(app, self.manager, insecure=True)

        @app.post("/run")
        def route(tasks: Any = Depends(self.manager.get_tasks)) -> str:
            task_id: str = tasks.add_task(func, *args)
            return task_id

        with TestClient(app) as client:
            task_id = client.post("/run").json()
            assert self.manager.drain()
            detail: dict[str, Any] = client.get(f"/tasks/{task_id}").json()
            return detail


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "state")
    yield shop
    shop.manager.stop()


def bare(lines: list[str]) -> list[str]:
    """Lines without their time; separators as they are."""
    return [line if line.startswith("---") else LINE.fullmatch(line).group(1) for line in lines]  # type: ignore[union-attr]


def send_email(address: str) -> None:
    task_log("Connecting to SMTP server")
    task_log(f"Sending to {address}")


def test_lines_are_in_the_record_with_a_separator_before_each_retry(shop: Shop) -> None:
    @shop.manager.task(retries=3, delay=0.01, backoff=2.0)
    def flaky(address: str) -> None:
        send_email(address)
        if get_task_context().attempt < 2:  # type: ignore[union-attr]
            raise ConnectionError

    detail = shop.run(flaky, "user@example.com")
    block = ["Connecting to SMTP server", "Sending to user@example.com"]
    assert bare(detail["logs"]) == [*block, "--- Retry 1 ---", *block, "--- Retry 2 ---", *block]


def test_levels_are_kept_and_info_is_the_default(shop: Shop) -> None:
    @shop.manager.task
    def sync_data() -> None:
        task_log("Starting data sync", level="debug")
        task_log("Sync complete")
        task_log("Rate limit reached, retrying", level="warning")
        task_log("Payment gateway returned 500", level="error")

    shop.run(sync_data)
    assert [event.level for event in shop.observer.log_events] == ["debug", "info", "warning", "error"]


def test_extras_reach_observers_and_not_the_line(shop: Shop) -> None:
    @shop.manager.task(retries=3, delay=2.0)
    def fulfill_order(order_id: str, customer_id: str) -> None:
        task_log("Order received", order_id=order_id, customer_id=customer_id)
        items = [{"price": 2}, {"price": 3}]
        task_log(
            "Items fetched", order_id=order_id, item_count=len(items), total_value=sum(item["price"] for item in items)
        )
        task_log("Payment captured", order_id=order_id, customer_id=customer_id, level="info")

    detail = shop.run(fulfill_order, "A1", "C7")
    assert bare(detail["logs"]) == ["Order received", "Items fetched", "Payment captured"]
    assert [dict(event.extra) for event in shop.observer.log_events] == [
        {"order_id": "A1", "customer_id": "C7"},
        {"order_id": "A1", "item_count": 2, "total_value": 5},
        {"order_id": "A1", "customer_id": "C7"},
    ]
    assert [event.message for event in shop.observer.log_events] == bare(detail["logs"])


def test_sync_and_async_tasks_log_alike(shop: Shop) -> None:
    @shop.manager.task(retries=1)
    def generate_report(user_id: int) -> None:
        task_log(f"Starting report for user {user_id}", user_id=user_id)
        task_log("Report complete")

    @shop.manager.task(retries=1)
    async def process_webhook(payload: dict[str, str]) -> None:
        task_log(f"Received event: {payload['type']}", event_type=payload["type"])
        await asyncio.sleep(0)
        await asyncio.to_thread(task_log, "Forwarding", level="debug")
        task_log("Forwarded successfully")

    assert bare(shop.run(generate_report, 7)["logs"]) == ["Starting report for user 7", "Report complete"]
    lines = ["Received event: paid", "Forwarding", "Forwarded successfully"]
    assert bare(shop.run(process_webhook, {"type": "paid"})["logs"]) == lines


# The four call contexts: a route (above), a script, a test, a cron job


def test_called_directly_it_goes_to_the_standard_logger_at_its_level(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "otel_taskflow.task"):
        send_email("user@example.com")
        task_log("slow", level="warning", order_id="A1")
    assert [(record.name, record.levelname, record.getMessage()) for record in caplog.records] == [
        ("otel_taskflow.task", "INFO", "Connecting to SMTP server"),
        ("otel_taskflow.task", "INFO", "Sending to user@example.com"),
        ("otel_taskflow.task", "WARNING", "slow"),
    ]
    assert caplog.records[2].order_id == "A1"  # type: ignore[attr-defined]


def test_a_script_runs_a_task_through_the_manager(tmp_path: Path) -> None:
    observer = InMemoryLogger()
    manager = TaskManager(dir=str(tmp_path / "state"), observers=[observer])
    try:
        manager.add_task(send_email, "user@example.com")
        assert manager.drain()
    finally:
        manager.stop()
    assert observer.log_events[0].message == "Connecting to SMTP server"


def test_a_decorated_function_called_in_a_test_is_the_function_itself(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    decorated = shop.manager.task(retries=3)(send_email)
    with caplog.at_level(logging.INFO, "otel_taskflow.task"):
        decorated("user@example.com")
    assert len(caplog.records) == 2
    assert not shop.manager.is_started


def test_a_cron_job_in_a_thread_of_its_own_logs_to_the_standard_logger(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "otel_taskflow.task"):
        asyncio.run(asyncio.to_thread(send_email, "user@example.com"))
    assert len(caplog.records) == 2


# Configuring the fallback


def test_the_fallback_can_be_silenced(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL, "otel_taskflow.task"):
        send_email("user@example.com")
    assert caplog.records == []


def test_the_fallback_can_be_sent_to_a_file(tmp_path: Path) -> None:
    handler = logging.FileHandler(tmp_path / "fallback.log")
    logger = logging.getLogger("otel_taskflow.task")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        send_email("user@example.com")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
        handler.close()
    assert (tmp_path / "fallback.log").read_text() == "Connecting to SMTP server\nSending to user@example.com\n"


@pytest.mark.parametrize("name", [*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"])
def test_no_extra_can_break_a_log_record(name: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "otel_taskflow.task"):
        task_log("still there", **{name: "mine"})
    [record] = caplog.records
    assert record.getMessage() == "still there"
    assert getattr(record, f"extra_{name}") == "mine"


@pytest.mark.parametrize("level", ["bogus", 30, None, "CRITICAL", 3.5])
def test_no_level_makes_it_raise(level: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "otel_taskflow.task"):
        task_log("still there", level=level)
    assert caplog.records[0].getMessage() == "still there"
