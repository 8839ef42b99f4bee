"""``OTLPExporter``: an observer whose events go to an OpenTelemetry collector or back end, through the spool."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit, urlunsplit

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.export import checks
from otel_taskflow.export.destination import Destination, Detail, Endpoint, Filters, Limits, TaskLogs, Tls
from otel_taskflow.export.environment import (
    DEFAULT_COMPRESSION,
    DEFAULT_ENDPOINT,
    DEFAULT_TIMEOUT,
    Variables,
    is_disabled,
)
from otel_taskflow.observers.base import TaskObserver
from otel_taskflow.values.levels import normalize_level

_DEFAULT_PORT = 4318
_FOR_ONE_RECEIVER: Mapping[str, Any] = {"protocol": "http/protobuf", "headers": {}}
"""A preset names its receiver: what the environment says about another one, its keys above all, is not for this one."""
_Value = TypeVar("_Value")

_logger = logging.getLogger("otel_taskflow")


class OTLPExporter(TaskObserver):
    """Send spans and log records of tasks by OTLP over HTTP. What cannot be delivered waits on disk, over restarts too.

    ``TaskManager(observers=[OTLPExporter()])``. Several at once each have their own place in the spool, retries and health;
    give each a name. Arguments win over the standard ``OTEL_EXPORTER_OTLP_*`` variables, which are read when the manager
    starts; ``OTEL_SDK_DISABLED=true`` turns the exporter off.

    Args:
        endpoint: Base address; ``/v1/traces`` and ``/v1/logs`` are added. Default: the variables, else
            ``http://localhost:4318``.
        headers: Sent with each request, instead of ``OTEL_EXPORTER_OTLP_HEADERS``.
        signals: ``("traces", "logs")`` or one of them. Default: both; only logs in an app whose own tracer provider exports
            the spans of tasks already.
        protocol: ``http/protobuf``; nothing else is spoken.
        name: Names the destination in health, counters and the spool: under another name it begins anew.
        min_level: Lines below are not sent: debug, info, warning or error; None for all.
        max_lines_per_second: Lines beyond are left out, counted.
        before_export: Called with each SpanData and LogData before it is encoded; returns it, another one (see
            ``dataclasses.replace``), or None to leave it out, counted. If it raises nothing is sent, counted too.
        task_logs: Lines as log records and as events of the span (``both``), or one of them (``logs``, ``events``).
        detail: Lines of all attempts (``always``), only of those that failed, were retried, interrupted or slow
            (``on_problem``), or a function that is given the finished attempt and returns whether its lines are sent.
        slow: Seconds from which an attempt counts as slow.
        timeout: Seconds that a request may take. Default: 10.
        compression: ``gzip`` (default) or ``none``.
        certificate: PEM file of the authorities to trust. Default: those of the system.
        client_certificate: PEM file that says who we are.
        client_key: PEM file of its key, unless that is in the certificate's file.
        max_bytes: Disk space for what waits; beyond it the oldest is dropped, counted.
        max_age: Seconds after which what waits is dropped, counted.
        schedule_delay: Seconds that records may wait for others to fill a batch.

    Raises ConfigurationError for a value that it cannot use.
    """

    name = "otlp"
    reads_journal = True

    def __init__(  # noqa: PLR0913 - the documented constructor takes its settings by keyword
        self,
        endpoint: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        signals: Collection[str] | None = None,
        protocol: str | None = None,
        name: str = "otlp",
        min_level: str | None = None,
        max_lines_per_second: float | None = None,
        before_export: Callable[..., Any] | None = None,
        task_logs: TaskLogs = "both",
        detail: Detail = "always",
        slow: float | None = None,
        timeout: float | None = None,
        compression: str | None = None,
        certificate: str | os.PathLike[str] | None = None,
        client_certificate: str | os.PathLike[str] | None = None,
        client_key: str | os.PathLike[str] | None = None,
        max_bytes: int = Limits().max_bytes,
        max_age: float = Limits().max_age,
        schedule_delay: float = 1.0,
    ) -> None:
        super().__init__(min_level, name=checks.checked_name(_where("name"), name))
        self.asks_for_signals = signals is not None
        """Whether the signals were named, not left to what the app exports already."""
        self._signals = checks.checked_signals(_where("signals"), ("traces", "logs") if signals is None else signals)
        self._given = _Given(
            url=_checked("endpoint", endpoint, checks.checked_endpoint),
            protocol=_checked("protocol", protocol, checks.checked_protocol),
            headers=_checked("headers", headers, checks.checked_headers),
            timeout=_checked("timeout", timeout, checks.checked_timeout),
            compression=_checked("compression", compression, checks.checked_compression),
            certificate=_checked("certificate", certificate, checks.checked_path),
            client_certificate=_checked("client_certificate", client_certificate, checks.checked_path),
            client_key=_checked("client_key", client_key, checks.checked_path),
        )
        self._filters = _checked_filters(
            Filters(
                normalize_level(min_level or "debug")[0], task_logs, detail, slow, max_lines_per_second, before_export
            )
        )
        self._limits = Limits(
            checks.checked_bytes(_where("max_bytes"), max_bytes),
            checks.checked_positive(_where("max_age"), max_age, "use seconds above 0, such as 7 * 86400"),
        )
        self._schedule_delay = checks.checked_delay(_where("schedule_delay"), schedule_delay)

    @classmethod
    def collector(cls, url: str = DEFAULT_ENDPOINT, **settings: Any) -> OTLPExporter:
        """For an OpenTelemetry Collector: both signals."""
        return cls(url, **_for_one_receiver({"name": "collector", **settings}))

    @classmethod
    def tempo(cls, url: str = DEFAULT_ENDPOINT, **settings: Any) -> OTLPExporter:
        """For Grafana Tempo, which takes traces only, at ``<url>/v1/traces``."""
        return cls(url, **_for_one_receiver({"name": "tempo", "signals": ("traces",), **settings}))

    @classmethod
    def loki(cls, url: str = "http://localhost:3100", **settings: Any) -> OTLPExporter:
        """For Grafana Loki, which takes logs only, at ``<url>/otlp/v1/logs``."""
        base = checks.checked_endpoint(f"{cls.__name__}.loki(url)", url).rstrip("/")
        endpoint = base if base.endswith("/otlp") else f"{base}/otlp"
        return cls(endpoint, **_for_one_receiver({"name": "loki", "signals": ("logs",), **settings}))

    @classmethod
    def datadog_agent(cls, url: str = DEFAULT_ENDPOINT, **settings: Any) -> OTLPExporter:
        """For a Datadog Agent with OTLP over HTTP turned on: both signals, at port 4318 if ``url`` names none."""
        base = _with_port(checks.checked_endpoint(f"{cls.__name__}.datadog_agent(url)", url))
        return cls(base, **_for_one_receiver({"name": "datadog", **settings}))

    @cached_property
    def destination(self) -> Destination | None:
        """What the arguments and the environment of now say, fixed at the first look; None if export is turned off.

        Raises ConfigurationError for a variable or file that cannot be used.
        """
        if is_disabled(os.environ):
            _logger.warning("otel_taskflow: OTEL_SDK_DISABLED=true, nothing is sent to destination %s", self.name)
            return None
        return self.resolve(os.environ)

    def resolve(self, environ: Mapping[str, str]) -> Destination:
        """The destination that the arguments and these variables describe. Raises ConfigurationError."""
        return Destination(
            name=self.name,
            endpoints={signal: self._endpoint(signal, environ) for signal in self._signals},
            limits=self._limits,
            filters=self._filters,
            schedule_delay=self._schedule_delay,
        )

    def _endpoint(self, signal: str, environ: Mapping[str, str]) -> Endpoint:
        given, variables = self._given, Variables(environ, signal)
        if given.protocol is None:
            variables.protocol()
        url = variables.url() if given.url is None else checks.signal_url(given.url, signal)
        timeout = variables.timeout() if given.timeout is None else given.timeout
        return Endpoint(
            url=url or checks.signal_url(DEFAULT_ENDPOINT, signal),
            headers=(variables.headers() if given.headers is None else given.headers) or {},
            timeout=DEFAULT_TIMEOUT if timeout is None else timeout,
            compression=given.compression or variables.compression() or DEFAULT_COMPRESSION,
            tls=self._tls(variables),
        )

    def _tls(self, variables: Variables) -> Tls:
        def file(name: str) -> str | None:
            path = getattr(self._given, name)
            return variables.file(name.upper()) if path is None else checks.existing_file(_where(name), path)

        tls = Tls(file("certificate"), file("client_certificate"), file("client_key"))
        if tls.key is not None and tls.certificate is None:
            raise ConfigurationError(
                f"{_where('client_key')}={tls.key!r}: a key alone says nothing; give client_certificate= too, or "
                "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"
            )
        return tls

    def __repr__(self) -> str:
        where = repr(checks.without_user(self._given.url)) if self._given.url else "from the environment"
        return f"{type(self).__name__}(name={self.name!r}, endpoint={where}, signals={self._signals})"


def check_exporters(exporters: Sequence[OTLPExporter]) -> None:
    """Raise ConfigurationError if two share a name: what waits in the spool waits under the destination's name.

    Case does not tell them apart: the name is also a file's.
    """
    counts = Counter(each.name.lower() for each in exporters)
    twice = [each.name for each in exporters if counts[each.name.lower()] > 1]
    if twice:
        raise ConfigurationError(
            f"observers: {len(twice)} exporters are called {', '.join(map(repr, sorted(set(twice))))}; what waits for a "
            'destination waits under its name, so give each its own, with OTLPExporter(name="...")'
        )


class _Given(NamedTuple):
    """What the arguments say: None leaves it to the environment."""

    url: str | None
    protocol: str | None
    headers: Mapping[str, str] | None
    timeout: float | None
    compression: str | None
    certificate: str | None
    client_certificate: str | None
    client_key: str | None


def _for_one_receiver(settings: Mapping[str, Any]) -> dict[str, Any]:
    """None is no setting: it is what these have when nothing is said."""
    said = {key: value for key, value in settings.items() if value is not None or key not in _FOR_ONE_RECEIVER}
    return {**_FOR_ONE_RECEIVER, **said}


def _where(parameter: str) -> str:
    return f"OTLPExporter: {parameter}"


def _checked(parameter: str, value: object, check: Callable[[str, object], _Value]) -> _Value | None:
    return None if value is None else check(_where(parameter), value)


def _checked_filters(filters: Filters) -> Filters:
    checks.checked_choice(_where("task_logs"), filters.task_logs, ("both", "logs", "events"))
    if callable(filters.detail):
        checks.checked_sync(_where("detail"), filters.detail)
    else:
        remedy = "use 'always', 'on_problem' or a function of the finished attempt"
        checks.checked_choice(_where("detail"), filters.detail, ("always", "on_problem"), remedy)
    if filters.slow is not None:
        checks.checked_positive(_where("slow"), filters.slow, "use seconds above 0, or None")
    if filters.max_lines_per_second is not None:
        remedy = "use a number above 0, or None for no limit"
        checks.checked_positive(_where("max_lines_per_second"), filters.max_lines_per_second, remedy)
    if filters.before_export is not None:
        if not callable(filters.before_export):
            checks.refuse(
                _where("before_export"), filters.before_export, "use a function that is given a line, or None"
            )
        checks.checked_sync(_where("before_export"), filters.before_export)
    return filters


def _with_port(url: str) -> str:
    """The address with the OTLP port if it names none: an agent does not listen at port 80."""
    parts = urlsplit(url)
    return url if parts.port else urlunsplit(parts._replace(netloc=f"{parts.netloc.rstrip(':')}:{_DEFAULT_PORT}"))


__all__ = ["OTLPExporter", "check_exporters"]
