"""What a manager is told when it is made. The runtime is made from it, at start: whoever only imports an app does not need that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otel_taskflow.manager.settings import Settings
from otel_taskflow.manager.signals import Providers
from otel_taskflow.observers import TaskObserver
from otel_taskflow.registry import Registry
from otel_taskflow.serialize import ArgumentCodec
from otel_taskflow.values import Sanitizer

if TYPE_CHECKING:
    from otel_taskflow.export import OTLPExporter


@dataclass(frozen=True)
class Blueprint:
    """What a runtime is made from: everything the user gave."""

    settings: Settings
    registry: Registry
    observers: Sequence[TaskObserver]
    exporters: Sequence[OTLPExporter]
    providers: Providers
    recovery_exporter: Any
    sanitizer: Sanitizer
    codec_for: Callable[[Callable[..., object]], ArgumentCodec]
