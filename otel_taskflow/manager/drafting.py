"""From what the user gave to what a runtime is made of. Makes values only; starts nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.manager.blueprint import Blueprint
from otel_taskflow.manager.settings import Settings
from otel_taskflow.manager.signals import Providers
from otel_taskflow.observers import TaskObserver, check_observers
from otel_taskflow.registry import Registry
from otel_taskflow.serialize import ArgumentCodec
from otel_taskflow.values import Limits, Redaction, Sanitizer

if TYPE_CHECKING:
    from otel_taskflow.export import OTLPExporter


def blueprint_for(
    settings: Settings,
    registry: Registry,
    observers: Sequence[TaskObserver],
    *,
    providers: Providers,
    redact: Any,
    recovery_exporter: Any,
) -> Blueprint:
    """Draft a runtime. Raises ConfigurationError."""
    check_observers(observers)
    exporters = _exporters_among(observers)
    check_providers(providers)
    if recovery_exporter is not None:
        from otel_taskflow.telemetry.recovered import check_recovery_exporter

        check_recovery_exporter(recovery_exporter)
    _check_store(settings.at_start().store)
    sanitizer = Sanitizer(Limits(), Redaction.with_rules(redact))
    return Blueprint(
        settings=settings,
        registry=registry,
        observers=[each for each in observers if not each.reads_journal],
        exporters=exporters,
        providers=providers,
        recovery_exporter=recovery_exporter,
        sanitizer=sanitizer,
        codec_for=_codecs(),
    )


def _check_store(spec: object) -> None:
    if spec is not None:  # the default needs no check, nor an import of all stores
        from otel_taskflow.stores.opening import check_store

        check_store(spec)


def _exporters_among(observers: Sequence[TaskObserver]) -> list[OTLPExporter]:
    exporters = [cast("OTLPExporter", each) for each in observers if each.reads_journal]
    if exporters:
        from otel_taskflow.export import check_exporters

        check_exporters(exporters)
    return exporters


def check_providers(providers: Providers) -> None:
    """Raise ConfigurationError for what makes no tracers, meters or loggers."""
    for kind, provider in zip(("tracer", "meter", "logger"), providers, strict=True):
        if provider is not None and not callable(getattr(provider, f"get_{kind}", None)):
            raise ConfigurationError(
                f"{kind}_provider={provider!r} must have get_{kind}(), as OpenTelemetry's {kind.capitalize()}Provider; "
                "leave it out for the global one"
            )


def _codecs() -> Callable[[Callable[..., object]], ArgumentCodec]:
    """Codecs by function, for those that the registry holds anyway: what is asked for stays in memory."""
    known: dict[Callable[..., object], ArgumentCodec] = {}

    def codec_for(func: Callable[..., object]) -> ArgumentCodec:
        codec = known.get(func)
        if codec is None:
            codec = known[func] = ArgumentCodec(func)
        return codec

    return codec_for
