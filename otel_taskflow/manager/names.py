"""Names of the managers that run in this process: two of one name on one folder could not be told apart."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from otel_taskflow.errors import ConfigurationError

_taken: set[tuple[Path, str]] = set()
_lock = threading.Lock()


def take_name(root: Path, name: str) -> Callable[[], None]:
    """Claim a name; returns what gives it back. Raises ConfigurationError if a manager that runs here has it."""
    key = (root, name)
    with _lock:
        if key in _taken:
            raise ConfigurationError(
                f"two task managers named {name!r} run in this process on the folder {root}; "
                "give one of them another name=, or another dir="
            )
        _taken.add(key)
    return lambda: _taken.discard(key)


os.register_at_fork(after_in_child=_taken.clear)
