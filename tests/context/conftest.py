from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from otel_taskflow.context.capture import install_capture

Install = Callable[[str], Callable[[], None]]


@pytest.fixture
def capture() -> Iterator[Install]:
    """Installs, and takes back whatever the test leaves installed."""
    with ExitStack() as undo:

        def install(level: str) -> Callable[[], None]:
            uninstall = install_capture(level)
            undo.callback(uninstall)
            return uninstall

        yield install


@pytest.fixture
def library() -> Iterator[logging.Logger]:
    """The logger of some library, as the standard library makes it; the root has its default level."""
    logger, root = logging.getLogger("library.client"), logging.getLogger()
    before = root.level
    root.setLevel(logging.WARNING)
    yield logger
    root.setLevel(before)
    for each in (logger, logging.getLogger("library")):
        each.setLevel(logging.NOTSET)
        each.propagate, each.disabled = True, False
