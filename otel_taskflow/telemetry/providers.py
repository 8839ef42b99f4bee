"""What OpenTelemetry there is in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry import _logs, metrics, trace

from otel_taskflow.telemetry.processors import processors_of

_API_ONLY = ("Proxy", "NoOp", "Default")


def describe_providers(tracers: Any = None, meters: Any = None, loggers: Any = None) -> Mapping[str, str]:
    """The classes of these providers, of the global ones where none is given, and what a tracer provider says of itself.

    Never raises.
    """
    chosen = {
        "tracer_provider": trace.get_tracer_provider() if tracers is None else tracers,
        "meter_provider": metrics.get_meter_provider() if meters is None else meters,
        "logger_provider": _logs.get_logger_provider() if loggers is None else loggers,
    }
    said = {name: class_of(provider) for name, provider in chosen.items()}
    processors = {
        f"{name.partition('_')[0]}_processors": ", ".join(processors_of(each)) for name, each in chosen.items()
    }
    return {**said, **{name: each for name, each in processors.items() if each}, **_told_by(chosen["tracer_provider"])}


def is_recording(provider_class: str) -> bool:
    """Whether a provider of this class may record anything: those of the API alone record nothing."""
    return not provider_class.rpartition(".")[2].lstrip("_").startswith(_API_ONLY)


def class_of(thing: object) -> str:
    """Its class, with the module."""
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def _told_by(provider: Any) -> Mapping[str, str]:
    """Sampler and service, which an SDK's tracer provider shows."""
    said: dict[str, str] = {}
    try:
        if (sampler := getattr(provider, "sampler", None)) is not None:
            said["sampler"] = str(sampler.get_description())
        if (resource := getattr(provider, "resource", None)) is not None:
            said["service"] = str(resource.attributes.get("service.name", ""))
    except Exception:  # noqa: BLE001 - a provider of the app may be anything
        return said
    return said


__all__ = ["class_of", "describe_providers", "is_recording"]
