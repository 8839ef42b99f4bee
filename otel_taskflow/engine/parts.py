"""What the engine is made of, handed over once at start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from otel_taskflow.engine.loops import Loops
from otel_taskflow.engine.processes import Processes
from otel_taskflow.engine.slots import Slots
from otel_taskflow.engine.threads import ThreadPool
from otel_taskflow.engine.timers import Timers
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.ports import Clock, Telemetry
from otel_taskflow.serialize import ArgumentCodec
from otel_taskflow.values import Sanitizer


@dataclass(frozen=True)
class EngineParts:
    """The collaborators of the engine. ``worker`` names this process to people."""

    writer: JournalWriter
    telemetry: Telemetry
    sanitizer: Sanitizer
    codec_for: Callable[[Callable[..., object]], ArgumentCodec]
    slots: Slots
    threads: ThreadPool
    processes: Processes
    timers: Timers
    loops: Loops
    clock: Clock
    worker: str
    skip_waits: bool = False
    """Retries start at once (tests)."""
    max_pending: int = 100_000
    is_persistent: bool = True
    """Whether another process can take over what is left at the end."""
    commit: Callable[[], None] = field(default=lambda: None)
    """Makes what was appended durable beyond the process, for ``durability="power"``."""
