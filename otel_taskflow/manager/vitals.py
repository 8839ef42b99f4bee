"""How a manager is, started or not."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING

from otel_taskflow.engine.lag import LoopLag
from otel_taskflow.health import FAILED, OK, Figure, HealthReport, PartHealth, report_of

if TYPE_CHECKING:
    from otel_taskflow.manager.runtime import Runtime

_DISABLED = PartHealth("manager", OK, "it is disabled")
_NOT_STARTED = PartHealth(
    "manager", FAILED, "it is not started", "it starts with the app, with start(), or with its first task"
)


def health_of(runtime: Runtime | None, *, is_disabled: bool) -> HealthReport:
    """The report of what runs; else that nothing does."""
    if runtime is not None:
        return runtime.health()
    return report_of([_DISABLED if is_disabled else _NOT_STARTED], time_ns())


def health_of_manager(queue_depth: int, loop_lag: LoopLag) -> PartHealth:
    """How many starts wait, and how late the app's loop is. Neither is a reason to be unwell."""
    now, worst = loop_lag.look(), loop_lag.worst()
    lag: dict[str, Figure] = {
        "loop_lag": round(now.seconds, 3),
        "loop_lag_worst": round(worst.seconds, 3),
        "loop_held_by": worst.culprit,
    }
    return PartHealth("manager", OK, figures={"queue_depth": queue_depth, **lag})
