"""``setup_telemetry``: providers with OTLP exporters, for apps that have no OpenTelemetry set-up of their own."""

from __future__ import annotations

import atexit
import logging
import os
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_taskflow.setup.checks import Given, check_app, checked
from otel_taskflow.setup.deadline import run_with_deadline
from otel_taskflow.setup.exporting import Ledger, judged
from otel_taskflow.setup.flushing import add_flush_at_shutdown

if TYPE_CHECKING:
    from otel_taskflow.export import OTLPExporter
    from otel_taskflow.setup.processors import DurableLogRecordProcessor, DurableSpanProcessor

_logger = logging.getLogger("otel_taskflow")

DESTINATION = "setup_telemetry"
"""What spans and logs wait under in the spool, with ``durable=True``."""
INSTANCE = "service.instance.id"
FLUSH_TIMEOUT = 5.0
"""Seconds that the end of the app, and of the process, waits for the exporters."""


class Providers(NamedTuple):
    """What ``setup_telemetry`` built."""

    tracer_provider: Any
    meter_provider: Any
    logger_provider: Any


class Durable(NamedTuple):
    """What ``setup_telemetry(durable=True)`` adds: the processors that keep on disk what is not delivered."""

    exporter: OTLPExporter
    spans: DurableSpanProcessor
    logs: DurableLogRecordProcessor


class Setup:
    """The providers that ``setup_telemetry`` built, and their end.

    Attributes:
        tracer_provider: SDK tracer provider.
        meter_provider: SDK meter provider.
        logger_provider: SDK logger provider.
        is_global: Whether all three became the global providers. If not, hand them on:
            ``TaskManager(tracer_provider=setup.tracer_provider, ...)``.
    """

    def __init__(self, providers: Providers, ledger: Ledger, is_global: bool, durable: Durable | None = None) -> None:
        self.tracer_provider, self.meter_provider, self.logger_provider = self._providers = providers
        self.is_global = is_global
        self._ledger = ledger
        self._durable = durable
        self._forget_destination = _nothing_to_do if durable is None else _own(durable, providers)
        self._delivered_all: bool | None = None

    @property
    def failed_exports(self) -> int:
        """Batches that the endpoint did not accept so far. They are lost: what is not delivered is kept in memory only.

        A batch of which the endpoint rejects a part counts as accepted: the SDK's exporters do not tell.

        With ``durable=True`` these are metrics: spans and logs wait on disk, and ``flush`` says whether they are delivered.
        """
        return self._ledger.failed

    def flush(self, timeout: float = FLUSH_TIMEOUT) -> bool:
        """Export what is buffered. False if ``timeout`` seconds passed first, or a batch was refused meanwhile."""
        milliseconds = max(1, int(timeout * 1000))
        return self._delivered([partial(each.force_flush, milliseconds) for each in self._providers], timeout)

    def flush_at_end(self) -> bool:
        """As ``flush``, when the app ends: what is safe on disk is not worth waiting for a collector that is known to be away."""
        return self.flush(FLUSH_TIMEOUT if self._durable is None else self._durable.spans.patience(FLUSH_TIMEOUT))

    def shutdown(self, timeout: float = FLUSH_TIMEOUT) -> bool:
        """Export what is buffered and end, in ``timeout`` seconds at most, also when nobody answers. Idempotent.

        Returns True if everything that was buffered was accepted. After False, what was left is lost; with ``durable=True``
        metrics are, while spans and logs are sent at the next start.
        """
        if self._delivered_all is not None:
            return self._delivered_all
        atexit.unregister(self._at_exit)
        self._delivered_all = done = self._delivered(self._ends(timeout), timeout)
        if not done:
            _logger.warning(
                "otel_taskflow: telemetry could not all be delivered within %g s; %s",
                timeout,
                "the rest is lost" if self._durable is None else "spans and logs are kept and sent at the next start",
            )
        return done

    def _ends(self, timeout: float) -> list[Callable[[], Any]]:
        """How each provider ends. Those of a buffer on disk end one after the other: it is one buffer."""
        tracers, meters, loggers = self._providers
        if self._durable is None:
            return [each.shutdown for each in self._providers]
        durable = self._durable
        self._forget_destination()

        def end() -> bool:
            deadline = monotonic() + timeout
            for processor, provider in ((durable.spans, tracers), (durable.logs, loggers)):
                processor.shutdown(max(0.0, deadline - monotonic()))
                provider.shutdown()
            return durable.spans.is_delivered and durable.logs.is_delivered

        return [end, meters.shutdown]

    def _delivered(self, steps: list[Callable[[], Any]], timeout: float) -> bool:
        failed_before = self._ledger.failed
        in_time = run_with_deadline(steps, timeout)
        return in_time and self._ledger.failed == failed_before

    def close_at_exit(self) -> None:
        """Shut down when the interpreter exits, with our deadline instead of the SDK's."""
        atexit.register(self._at_exit)

    def _at_exit(self) -> None:
        self.shutdown(FLUSH_TIMEOUT)


def setup_telemetry(
    app: Any = None,
    *,
    service_name: str | None = None,
    endpoint: str | None = None,
    headers: Mapping[str, str] | None = None,
    resource_attributes: Mapping[str, Any] | None = None,
    durable: bool = False,
) -> Setup:
    """Send traces, metrics and logs of this process by OTLP over HTTP. Call once, before the app starts.

    For apps without an OpenTelemetry set-up; with one, do not call it: tasks use the app's providers by themselves. What waits
    in memory when the process is killed is lost, as with every batch exporter, unless it is ``durable``; the dashboard has it all
    the same.

    Args:
        app: A FastAPI or Starlette app; what is buffered is sent when it shuts down (up to 5 s). Without one only at exit,
            which a server that is ended by a signal may not reach.
        service_name: ``service.name``. Default: ``OTEL_SERVICE_NAME``.
        endpoint: Base address of the collector, such as ``http://localhost:4318``. Default: ``OTEL_EXPORTER_OTLP_ENDPOINT``
            and its kin, else ``http://localhost:4318``.
        headers: Sent with each request. Default: ``OTEL_EXPORTER_OTLP_HEADERS``. The other ``OTEL_EXPORTER_OTLP_*`` variables
            (timeout, compression, certificates) and ``OTEL_RESOURCE_ATTRIBUTES`` hold too.
        resource_attributes: More about this service, e.g. ``{"deployment.environment.name": "production"}``.
        durable: Keep spans and log records on disk, in ``OTEL_TASKFLOW_DIR`` or ``.otel_taskflow``, until they are delivered: over
            outages of the collector, restarts and ``kill -9``. Metrics are sent as without it.

    In hermetic tests (``OTEL_TASKFLOW_TESTING=1``) the providers have no exporters.

    Returns a Setup with the providers. They become the global ones, unless there are global ones already: those are left
    alone, with a warning. Raises ConfigurationError for a value that cannot be used and an app that has started, and with
    ``durable`` JournalError for a folder that cannot be used; nothing is set up then.
    """
    given = checked(Given(service_name, endpoint, headers, resource_attributes, durable))
    if app is not None:
        check_app(app)
    ledger = Ledger()
    resource, is_hermetic = _resource(given.service_name, given.resource_attributes), _is_hermetic()
    exporters = {} if is_hermetic else _exporters(given, ledger)
    processors = _durable(given.endpoint, given.headers) if durable and not is_hermetic else None
    providers = _silent(resource) if is_hermetic else _build(resource, exporters, processors)
    setup = Setup(providers, ledger, _set_as_global(providers), processors)
    setup.close_at_exit()
    if app is not None:
        add_flush_at_shutdown(app, setup.flush_at_end)
    return setup


def _resource(service_name: str | None, more: Mapping[str, Any] | None) -> Any:
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    is_given = INSTANCE in OTELResourceDetector().detect().attributes
    attributes = {**({} if is_given else {INSTANCE: str(uuid.uuid4())}), **(more or {})}
    if service_name is not None:
        attributes["service.name"] = service_name
    return Resource.create(attributes)


def _durable(endpoint: str | None, headers: Mapping[str, str] | None) -> Durable:
    from otel_taskflow.export import OTLPExporter
    from otel_taskflow.setup.processors import DurableLogRecordProcessor, DurableSpanProcessor

    exporter = OTLPExporter(endpoint, headers=headers, name=DESTINATION)
    return Durable(exporter, DurableSpanProcessor(exporter), DurableLogRecordProcessor(exporter))


def _own(durable: Durable, providers: Providers) -> Callable[[], object]:
    """Tasks whose spans and lines would go to these providers are exported from their journal. Returns what ends that."""
    from otel_taskflow.setup.ownership import add_durable_destination

    return add_durable_destination(durable.exporter, providers.tracer_provider, providers.logger_provider)


def _nothing_to_do() -> None:
    """Nothing is exported from a journal."""


def _exporters(given: Given, ledger: Ledger) -> Mapping[str, Any]:
    """One a signal. Making them starts nothing, so a variable that they refuse leaves nothing behind."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    kinds: dict[str, Callable[..., Any]] = {"metrics": OTLPMetricExporter}
    if not given.durable:
        kinds |= {"traces": OTLPSpanExporter, "logs": OTLPLogExporter}
    headers = None if given.headers is None else _as_utf8(given.headers)
    base = None if given.endpoint is None else given.endpoint.rstrip("/")
    addresses = {signal: None if base is None else f"{base}/v1/{signal}" for signal in kinds}
    return {signal: judged(kind(endpoint=addresses[signal], headers=headers), ledger) for signal, kind in kinds.items()}


def _build(resource: Any, exporters: Mapping[str, Any], durable: Durable | None) -> Providers:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    tracers.add_span_processor(BatchSpanProcessor(exporters["traces"]) if durable is None else durable.spans)
    loggers = LoggerProvider(resource=resource, shutdown_on_exit=False)
    loggers.add_log_record_processor(BatchLogRecordProcessor(exporters["logs"]) if durable is None else durable.logs)
    reader = PeriodicExportingMetricReader(exporters["metrics"])
    return Providers(tracers, MeterProvider([reader], resource=resource, shutdown_on_exit=False), loggers)


def _as_utf8(headers: Mapping[str, str]) -> dict[str, str]:
    """The SDK's exporters can send no character above U+00FF; so written, what they send are the bytes of the text in UTF-8."""
    return {name: value.encode().decode("latin-1") for name, value in headers.items()}


def _is_hermetic() -> bool:
    return os.environ.get("OTEL_TASKFLOW_TESTING", "").strip().lower() in ("1", "true", "yes", "on")


def _silent(resource: Any) -> Providers:
    """In hermetic tests: spans are made and go nowhere."""
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

    return Providers(
        TracerProvider(resource=resource, shutdown_on_exit=False),
        MeterProvider(resource=resource, shutdown_on_exit=False),
        LoggerProvider(resource=resource, shutdown_on_exit=False),
    )


def _set_as_global(providers: Providers) -> bool:
    """Set those that nobody has set yet; True if all three are ours now."""
    from opentelemetry import _logs, metrics, trace

    ways = (
        ("tracer", trace.get_tracer_provider, trace.set_tracer_provider),
        ("meter", metrics.get_meter_provider, metrics.set_meter_provider),
        ("logger", _logs.get_logger_provider, _logs.set_logger_provider),
    )
    taken = []
    for provider, (kind, get, set_global) in zip(providers, ways, strict=True):
        if "Proxy" in type(get()).__name__:
            set_global(provider)  # type: ignore[operator] # one setter a kind, in one loop
        else:
            taken.append(kind)
    if taken:
        _logger.warning(
            "otel_taskflow: setup_telemetry() found a global %s provider and left it alone; remove the call, or hand the "
            "returned providers to TaskManager(tracer_provider=..., meter_provider=..., logger_provider=...)",
            ", ".join(taken),
        )
    return not taken
