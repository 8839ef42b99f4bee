"""Consumers that are closed at the end of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from otel_taskflow.consumers.observers import ObserverConsumer
from otel_taskflow.observers import TaskObserver

Make = Callable[..., ObserverConsumer]


@pytest.fixture
def consume() -> Iterator[Make]:
    """Makes consumers and closes them at the end."""
    made: list[ObserverConsumer] = []

    def make(observer: TaskObserver, **settings: Any) -> ObserverConsumer:
        made.append(ObserverConsumer(observer, **settings))
        return made[-1]

    yield make
    for consumer in made:
        consumer.close(2.0)
