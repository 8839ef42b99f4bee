"""A final failure reaches an error tracker that listens to standard library logging, once; a retry does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from otel_taskflow.manager import TaskManager


class Received(Transport):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        event = envelope.get_event()
        if event is not None:
            self.events.append(dict(event))


@pytest.fixture
def received() -> Iterator[Received]:
    transport = Received()
    sentry_sdk.init(dsn="http://public@127.0.0.1:9/1", transport=transport, default_integrations=True)
    yield transport
    sentry_sdk.get_client().close(timeout=1.0)
    sentry_sdk.get_global_scope().set_client(None)


def test_a_final_failure_is_one_event_with_its_stack(received: Received) -> None:
    manager = TaskManager(store="memory")

    @manager.task(retries=1)
    def charge() -> None:
        raise ConnectionError("gateway down")

    try:
        task_id = manager.add_task(charge)
        assert manager.drain()
        sentry_sdk.flush(2.0)
    finally:
        manager.stop()
    [event] = received.events
    [error] = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("ConnectionError", "gateway down")
    assert error["stacktrace"]["frames"][-1]["function"] == "charge"
    assert event["extra"]["task_id"] == task_id
    assert event["level"] == "error"
