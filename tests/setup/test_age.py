"""The age of what the durable processors keep: it counts from when it was ended or emitted, whatever time it tells."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow.export import courier
from otel_taskflow.setup import place
from otel_taskflow.setup.leftovers import Leftovers
from otel_taskflow.setup.sharing import open_buffers
from otel_taskflow.testing.otlp_receiver import OTLPReceiver, Reply
from tests.setup.test_durable import App, logging_to


@pytest.fixture
def receiver() -> Iterator[OTLPReceiver]:
    with OTLPReceiver() as opened:
        yield opened


@pytest.fixture
def app(receiver: OTLPReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """One whose senders look all the time for what is too old."""
    monkeypatch.setattr(courier, "EXPIRY", 0.01)
    made = App(receiver.url, tmp_path)
    yield made
    made.shutdown()


def test_spans_and_lines_of_long_ago_wait_for_their_destination_as_those_of_now_do(
    receiver: OTLPReceiver, app: App
) -> None:
    receiver.default = Reply(503)
    long_ago = time.time_ns() - 8 * 24 * 3600 * 10**9
    app.tracer.start_span("import", start_time=long_ago).end(long_ago + 1)
    with logging_to(app.loggers, "shop", logging.INFO) as logger:
        fields = {"msg": "an old line", "levelno": logging.ERROR, "created": long_ago / 1e9}
        logger.handle(logging.makeLogRecord(fields))
    assert receiver.wait_for(lambda it: {each.path for each in it.requests} == {"/v1/traces", "/v1/logs"})
    receiver.default = Reply()
    assert app.tracers.force_flush()
    assert app.loggers.force_flush()
    assert [span.end_time_unix_nano for span in receiver.spans] == [long_ago + 1]
    assert receiver.log_bodies == ["an old line"]


def test_a_flush_says_false_when_something_grew_too_old_before_it_came_to_sending(
    receiver: OTLPReceiver, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert app.tracers.force_flush()
    receiver.default = Reply(503)
    (buffer,) = open_buffers()

    def until_it_is_lost(*_: Any) -> bool:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and not _lost(buffer.health()):
            time.sleep(0.01)
        return True

    monkeypatch.setattr(place, "time_ns", lambda: 1)
    monkeypatch.setattr(Leftovers, "take", until_it_is_lost)
    app.end("old")
    assert not app.tracers.force_flush()
    assert app.tracers.force_flush(), "nothing was lost since"


def _lost(health: Any) -> bool:
    return any(part.figures.get("traces.dropped.age_limit") for part in health)
