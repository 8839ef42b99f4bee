"""``DurableSpanProcessor`` and ``DurableLogRecordProcessor``: a disk buffer for any Python app that uses OpenTelemetry.

They stand in the place of the SDK's batch processors and need nothing else of this package: no task, no TaskManager.
"""

from __future__ import annotations

import os
from pathlib import Path

from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.export import Destination, OTLPExporter
from otel_taskflow.setup.encoding import encode_log, encode_span
from otel_taskflow.setup.place import Place
from otel_taskflow.telemetry.otlp.requests import LOGS, TRACES
from otel_taskflow.telemetry.quiet import is_quiet
from otel_taskflow.telemetry.semconv import SCOPE
from otel_taskflow.values.paths import as_path

DEFAULT_FOLDER = ".otel_taskflow"
SHUTDOWN_TIMEOUT = 5.0


class _Durable:
    """What both have in common."""

    signal = ""

    def __init__(
        self,
        exporter: OTLPExporter | None = None,
        *,
        dir: str | os.PathLike[str] | None = None,  # noqa: A002 - its name everywhere
        shutdown_timeout: float = SHUTDOWN_TIMEOUT,
    ) -> None:
        self._shutdown_timeout = shutdown_timeout
        destination = None if _is_testing() else (exporter or OTLPExporter()).destination
        self._place = None
        if destination is not None:
            _check(type(self).__name__, self.signal, destination)
            self._place = Place(_folder(dir), destination, self.signal)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what was ended or emitted so far, and what earlier processes left for this destination.

        Returns True only if the destination has all of it: False when the time is over, when it fails, and when anything was
        lost on the way. What is not delivered stays on disk.
        """
        return self._place is None or self._place.flush(timeout_millis / 1000)

    def shutdown(self, timeout: float | None = None) -> None:
        """Deliver and end, in 5 seconds at most (``shutdown_timeout``), or 1.5 if the destination is known to fail. Idempotent.

        What is not delivered then is on disk, and sent at the next start or by another process of the folder.
        """
        if self._place is not None:
            self._place.leave(self._shutdown_timeout if timeout is None else timeout)

    def patience(self, timeout: float) -> float:
        """Seconds worth waiting when the app ends: ``timeout``, or fewer if the destination is known to fail."""
        return timeout if self._place is None else self._place.patience(timeout)

    @property
    def is_delivered(self) -> bool:
        """Whether everything was delivered when it was shut down."""
        return self._place is None or self._place.is_delivered


class DurableSpanProcessor(_Durable, SpanProcessor):
    """Keeps every sampled span on disk until a collector has it: over outages, restarts and ``kill -9``.

    ``provider.add_span_processor(DurableSpanProcessor())``, in the place of a BatchSpanProcessor. When ``span.end()`` returns,
    the span is in a journal that the death of the process cannot take. All durable processors of a folder share one buffer.

    Args:
        exporter: Where spans go. Default: ``OTLPExporter()``, which reads the ``OTEL_EXPORTER_OTLP_*`` variables. Its settings
            about lines of tasks do not matter here.
        dir: Folder of the buffer. Default: ``OTEL_TASKFLOW_DIR``, else ``.otel_taskflow``.
        shutdown_timeout: Seconds that ``shutdown`` may take.

    With ``OTEL_SDK_DISABLED=true``, and in hermetic tests, it does nothing. Raises JournalError if the folder cannot be used and
    ConfigurationError for settings that cannot be.
    """

    signal = TRACES

    def on_end(self, span: ReadableSpan) -> None:
        """Keep the span. Waits for nothing and never raises."""
        place, context = self._place, span.context
        if place is None or context is None or not context.trace_flags.sampled:
            return
        place.put(span, encode_span)


class DurableLogRecordProcessor(_Durable, LogRecordProcessor):
    """Keeps every log record on disk until a collector has it: over outages, restarts and ``kill -9``.

    ``logger_provider.add_log_record_processor(DurableLogRecordProcessor())``; otherwise as ``DurableSpanProcessor``.
    """

    signal = LOGS

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Keep the record. Waits for nothing and never raises."""
        place, scope = self._place, log_record.instrumentation_scope
        if place is None:
            return
        if is_quiet() and (scope is None or scope.name != SCOPE):
            return  # what libraries say while they send for us would beget itself for ever
        place.put(log_record, encode_log)


def _folder(given: str | os.PathLike[str] | None) -> Path:
    chosen = given or os.environ.get("OTEL_TASKFLOW_DIR") or DEFAULT_FOLDER
    try:
        return as_path(chosen)
    except ValueError as error:
        raise ConfigurationError(f"dir={chosen!r} must name a folder: {error}") from None


def _is_testing() -> bool:
    """Whether the pytest plugin asks for hermetic tests: nothing written, nothing exported."""
    return os.environ.get("OTEL_TASKFLOW_TESTING", "").strip().lower() in ("1", "true", "yes", "on")


def _check(kind: str, signal: str, destination: Destination) -> None:
    if signal not in destination.endpoints:
        raise ConfigurationError(
            f"{kind}: destination {destination.name!r} takes {', '.join(destination.signals)} only; "
            f"give it an exporter of {signal}, such as OTLPExporter()"
        )


__all__ = ["DurableLogRecordProcessor", "DurableSpanProcessor"]
