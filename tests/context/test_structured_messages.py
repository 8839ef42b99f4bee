from __future__ import annotations

import logging
from typing import Any

import pytest

from otel_taskflow import InMemoryLogger, TaskManager
from tests.context.attempt import attempt
from tests.context.conftest import Install


@pytest.mark.parametrize("key", ["event", "message"])
def test_a_structured_message_becomes_a_line_with_extras(capture: Install, library: logging.Logger, key: str) -> None:
    capture("INFO")
    with attempt() as running:
        library.info({key: "login", "user": "bob", "attempts": 2}, extra={"status": 200})
    assert running.lines == [("login", "info", {"status": 200, "user": "bob", "attempts": 2}, "library.client")]


def test_what_structlog_adds_for_its_formatter_is_no_extra(capture: Install, library: logging.Logger) -> None:
    capture("INFO")
    with attempt() as running:
        library.info(
            {"event": "login", "_record": None, "_from_structlog": True}, extra={"_logger": library, "_name": "info"}
        )
    assert running.lines == [("login", "info", {}, "library.client")]


def test_a_mapping_that_cannot_be_read_is_left_to_the_record(capture: Install, library: logging.Logger) -> None:
    class Broken(dict[str, str]):
        def items(self) -> Any:
            raise RuntimeError("no")

    broken = Broken(event="login")
    capture("INFO")
    with attempt() as running:
        library.info(broken)
    assert running.lines == [(broken, "info", {}, "library.client")]


@pytest.mark.parametrize("message", [{"event": "login", "password": "hunter2"}, {"user": "bob", "password": "hunter2"}])
def test_a_secret_in_a_structured_message_is_masked_as_one_of_task_log(
    library: logging.Logger, message: dict[str, str]
) -> None:
    seen = InMemoryLogger()
    manager = TaskManager(store="memory", capture_logging="INFO", observers=[seen])

    @manager.task
    def log_in() -> None:
        library.info(message)

    manager.start()
    manager.add_task(log_in)
    assert manager.drain(10)
    manager.stop()
    (line,) = seen.log_events
    assert "hunter2" not in f"{line.message} {line.extra}"
    assert "[redacted:password]" in f"{line.message} {line.extra}"
