"""A receiver of OTLP, and apps that export to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

from otel_taskflow.testing.otlp_receiver import OTLPReceiver
from tests.failures.child import Failing, failing

Run = Callable[..., Failing]


@pytest.fixture
def receiver() -> Iterator[OTLPReceiver]:
    with OTLPReceiver() as receiver:
        yield receiver


@pytest.fixture
def run(tmp_path: Path, receiver: OTLPReceiver) -> Iterator[Run]:
    """Starts programs of ``tests.durable.programs``; all are gone at the end."""
    with ExitStack() as programs:

        def start(name: str = "obey", url: str | None = None, folder: Path = tmp_path) -> Failing:
            program: AbstractContextManager[Failing] = failing(
                name, folder, url or receiver.url, module="tests.durable.programs"
            )
            return programs.enter_context(program)

        yield start
