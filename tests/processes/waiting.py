"""Waiting for what other processes do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

PATIENCE = 30.0


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def until(condition: Callable[[], Any]) -> Any:
    """What the condition comes to, once it is true."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found
