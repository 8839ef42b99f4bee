"""OpenTelemetry in this process, and what the environment asks of it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from otel_taskflow.cli.diagnosis.findings import NOTE, OK, Finding
from otel_taskflow.setup.sharing import open_buffers
from otel_taskflow.telemetry.providers import describe_providers, is_recording
from otel_taskflow.values import Redaction

_SECRET = ("HEADERS",)
_SIGNALS = ("TRACES", "METRICS", "LOGS")


def check(imported: Finding | None) -> Iterator[Finding]:
    """The providers, and how it went to import the app's module, if one is given."""
    if imported is not None:
        yield imported
    described = describe_providers()
    for signal in ("tracer", "meter", "logger"):
        kind = described[f"{signal}_provider"]
        yield Finding(OK if is_recording(kind) else NOTE, f"{signal} provider: {kind}{_about(signal, described)}")
    yield from _ours()
    yield from _environment()
    if imported is None and not is_recording(described["tracer_provider"]):
        yield Finding(
            NOTE,
            "these are the providers of this command; those of a running app cannot be seen from outside",
            "give --app MODULE (it is imported), or see the part telemetry of GET <dashboard>/health in the app",
        )


def _about(signal: str, described: object) -> str:
    """What a provider's class does not say: to whom it hands what it gets; of the tracer's its service and sampler."""
    if not isinstance(described, dict):
        return ""
    names = ["service", "sampler"] if signal == "tracer" else []
    told = [f"{name} {described[name]}" for name in names if described.get(name)]
    told += [f"to {described[key]}" for key in (f"{signal}_processors",) if described.get(key)]
    return f" ({', '.join(told)})" if told else ""


def _ours() -> Iterator[Finding]:
    for buffer in open_buffers():
        for part in buffer.health():
            if part.part.startswith("destination:"):
                name = part.part.partition(":")[2]
                yield Finding(OK, f"durable processors export to {name}, kept in {buffer.root}")


def _environment() -> Iterator[Finding]:
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        yield Finding(NOTE, "OTEL_SDK_DISABLED=true: nothing is recorded or exported", "unset it to export")
    names = sorted(name for name in os.environ if name.startswith("OTEL_"))
    for name in names:
        yield Finding(OK, f"{name}={_shown(name, os.environ[name])}")
    for signal in _SIGNALS:
        if "grpc" in os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", ""):
            yield Finding(
                NOTE,
                f"{signal.lower()} are to go by gRPC, which OTLPExporter does not speak",
                "set it to http/protobuf",
            )


def _shown(name: str, value: str) -> object:
    """The value of a variable, as it may be shown to whoever is asked for help."""
    return "***" if name.endswith(_SECRET) else Redaction().value({name: value})[name]
