"""A spool, a receiver, and a sender between the two that does not take its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow.export import Destination, Endpoint
from otel_taskflow.export.courier import Tuning
from otel_taskflow.export.pacing import Pacing
from otel_taskflow.export.sender import Sender
from otel_taskflow.spool import Spool
from otel_taskflow.testing.otlp_receiver import OTLPReceiver
from tests.export.records import NAME

QUICK = Tuning(Pacing(first=0.01, longest=0.05))
StartSender = Callable[..., Sender]


@pytest.fixture
def receiver() -> Iterator[OTLPReceiver]:
    with OTLPReceiver() as receiver:
        yield receiver


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool.db", {})
    spool.open()
    yield spool
    spool.close()


def destination(
    url: str, name: str = NAME, signals: tuple[str, ...] = ("traces", "logs"), **endpoint: Any
) -> Destination:
    endpoints = {signal: Endpoint(f"{url}/v1/{signal}", **{"timeout": 2.0, **endpoint}) for signal in signals}
    return Destination(name, endpoints, schedule_delay=0.02)


@pytest.fixture
def start_sender(spool: Spool, receiver: OTLPReceiver, tmp_path: Path) -> Iterator[StartSender]:
    """``start_sender()`` sends from ``spool`` to ``receiver``; what is given replaces a part of that."""
    started: list[Sender] = []

    def start(to: Destination | None = None, tuning: Tuning = QUICK, folder: Path | None = tmp_path) -> Sender:
        sender = Sender(to or destination(receiver.url), spool, folder, tuning)
        sender.start()
        started.append(sender)
        return sender

    yield start
    for sender in started:
        sender.stop(0)
