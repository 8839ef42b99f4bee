"""``task_log`` outside a task: whatever goes wrong with the standard library's logging, it does not raise."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from otel_taskflow import task_log


class Raising(logging.Handler):
    """Raises in ``emit``, as handlers that do not call ``handleError`` do."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.seen.append(record.getMessage())
        raise OSError("disk full")


class Unprintable:
    def __str__(self) -> str:
        raise ValueError


@pytest.fixture
def handler() -> Iterator[Raising]:
    handler = Raising()
    logger = logging.getLogger("otel_taskflow")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_a_handler_that_raises_harms_nobody_and_is_told_once(handler: Raising) -> None:
    task_log("hello", level="warning", number=1)
    task_log(Unprintable(), level="error")
    assert handler.seen[0] == "hello"
    assert handler.seen[1].startswith("<unprintable ")
    assert len(handler.seen) == 2


def test_also_not_in_a_thread_where_the_hint_comes_first(handler: Raising, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_taskflow.context.logging._hinted", [])
    monkeypatch.setattr(logging.getLogger("otel_taskflow"), "level", logging.INFO)
    raised: list[BaseException] = []

    def work() -> None:
        try:
            task_log("hello", level="warning")
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert raised == []


def test_an_extra_that_a_record_factory_sets_costs_the_extras_not_the_line(caplog: pytest.LogCaptureFixture) -> None:
    original = logging.getLogRecordFactory()

    def factory(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = original(*args, **kwargs)
        record.request_id = "r1"
        return record

    logging.setLogRecordFactory(factory)
    try:
        task_log("hello", level="warning", request_id="r2")
    finally:
        logging.setLogRecordFactory(original)
    assert [record.getMessage() for record in caplog.records] == ["hello"]


def test_an_extra_that_gets_another_name_takes_nobody_elses(caplog: pytest.LogCaptureFixture) -> None:
    task_log("hello", level="warning", extra_name="b", name="a", args=1, extra_extra_args=2)
    (record,) = caplog.records
    extra = {key: value for key, value in vars(record).items() if key.startswith("extra_")}
    assert extra == {"extra_name": "b", "extra_extra_name": "a", "extra_args": 1, "extra_extra_args": 2}
