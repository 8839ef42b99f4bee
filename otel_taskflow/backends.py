"""Where fastapi-taskflow has its backends. There are none here: the error for each of them says what ``store=`` takes."""

from __future__ import annotations

from typing import Any

from otel_taskflow.manager.compatibility import no_such_name


def __getattr__(name: str) -> Any:
    raise no_such_name(__name__, name)
