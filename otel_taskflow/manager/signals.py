"""Who exports spans and log records of tasks: the app's own providers, or the outbox. One owner each, decided at the start."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_taskflow.manager.settings import Settings
from otel_taskflow.ports import Telemetry
from otel_taskflow.setup.ownership import destinations_of
from otel_taskflow.telemetry import LogRecordConsumer, NoTelemetry, OpenTelemetry
from otel_taskflow.telemetry.additions import packed_attributes

if TYPE_CHECKING:
    from otel_taskflow.export import Destination, OTLPExporter

_logger = logging.getLogger("otel_taskflow")

Providers = tuple[Any, Any, Any]
"""Tracer, meter and logger provider, each or None."""


class ExportPlan(NamedTuple):
    """What the outbox exports, and where to."""

    destinations: Sequence[Destination]
    exports_spans: bool
    exports_logs: bool
    resource: dict[str, Any]
    resource_schema_url: str
    """Of this process, as JSON can hold it; its journal says so, for whoever sends what it leaves."""


class RecoveryPlan(NamedTuple):
    """Who exports the spans of attempts whose process died, where the app's provider exports those of the living."""

    exporter: Any
    resource: dict[str, Any]
    resource_schema_url: str
    """Of this process; as in ``ExportPlan``."""


class Signals(NamedTuple):
    """What makes telemetry of a runtime's tasks."""

    telemetry: Telemetry
    log_records: LogRecordConsumer | None
    """None where the outbox exports log records, or nobody does."""
    plan: ExportPlan | None = None
    """None where nothing is exported from the journal."""
    recovery: RecoveryPlan | None = None
    """None where the outbox exports spans, or nobody those of dead processes."""
    providers: Providers = (None, None, None)
    """As they were given."""

    def describe(self) -> Mapping[str, str]:
        """The providers of this process, and who exports what."""
        if isinstance(self.telemetry, NoTelemetry):
            return {}
        from otel_taskflow.telemetry.providers import describe_providers

        plan, theirs = self.plan, "the app's provider"
        exports = {
            "spans": "the outbox" if plan is not None and plan.exports_spans else theirs,
            "log_records": "the outbox" if plan is not None and plan.exports_logs else theirs,
        }
        return {**describe_providers(*self.providers), **{f"{name}_exported_by": by for name, by in exports.items()}}


def signals_for(
    settings: Settings, providers: Providers, exporters: Sequence[OTLPExporter], recovery_exporter: Any = None
) -> Signals:
    """Decide. Raises ConfigurationError for what the environment says about a destination."""
    if settings.testing:
        return Signals(NoTelemetry(), None)
    signals = _signals(settings, providers, exporters)
    if recovery_exporter is None:
        return signals
    return signals._replace(recovery=_recovery(recovery_exporter, signals.plan, providers[0]))


def _signals(settings: Settings, providers: Providers, exporters: Sequence[OTLPExporter]) -> Signals:
    tracers, meters, loggers = providers
    destinations = _with_the_setup(_destinations(exporters, tracers), tracers, loggers)
    if not destinations:
        telemetry = OpenTelemetry(tracers, meters, trace_mode=settings.trace_mode)
        return Signals(telemetry, LogRecordConsumer(loggers), providers=providers)
    plan, live = _plan(destinations, tracers)
    telemetry = OpenTelemetry(live, meters, trace_mode=settings.trace_mode, is_journalled=plan.exports_spans)
    return Signals(telemetry, None if plan.exports_logs else LogRecordConsumer(loggers), plan, providers=providers)


def _recovery(exporter: Any, plan: ExportPlan | None, tracers: Any) -> RecoveryPlan | None:
    """Nothing to recover where the outbox exports spans: it completes those of dead processes."""
    if plan is not None and plan.exports_spans:
        names = ", ".join(repr(each.name) for each in plan.destinations if "traces" in each.endpoints)
        _logger.info(
            "otel_taskflow: recovery_exporter=%s is not used: spans go to %s from the journal, those of processes that died too",
            type(exporter).__name__,
            names,
        )
        return None
    return RecoveryPlan(exporter, *_resource_of(tracers))


def _resource_of(tracers: Any) -> tuple[dict[str, Any], str]:
    from otel_taskflow.telemetry.private import private_provider, resource_data

    attributes, schema_url = resource_data(private_provider(tracers).resource)
    return packed_attributes(attributes), schema_url


def _with_the_setup(given: list[Destination], tracers: Any, loggers: Any) -> list[Destination]:
    """Where ``setup_telemetry(durable=True)`` sends is a destination too: its providers get no spans and lines of tasks then.

    What somebody else sends to the same receiver already is not sent there twice.
    """
    taken = {(signal, endpoint.fingerprint) for each in given for signal, endpoint in each.endpoints.items()}
    found = list(given)
    for each in destinations_of(tracers, loggers):
        left = {name: to for name, to in each.endpoints.items() if (name, to.fingerprint) not in taken}
        if left:
            found.append(replace(each, endpoints=left))
    return found


def _destinations(exporters: Sequence[OTLPExporter], tracers: Any) -> list[Destination]:
    found = [(exporter, exporter.destination) for exporter in exporters]
    return [_unless_exported(exporter, each, tracers) for exporter, each in found if each is not None]


def _unless_exported(exporter: OTLPExporter, destination: Destination, tracers: Any) -> Destination:
    """An app with an SDK of its own goes on to export the spans of its tasks by it, unless traces are asked for by name."""
    from otel_taskflow.telemetry.private import app_sdk_provider

    if exporter.asks_for_signals or app_sdk_provider(tracers) is None:
        return destination
    _logger.info(
        "otel_taskflow: the app's tracer provider exports the spans of tasks, and %r their log records only; with "
        'OTLPExporter(signals=("traces", "logs")) it exports both, and no outage loses them',
        exporter.name,
    )
    return replace(destination, endpoints={"logs": destination.endpoints["logs"]})


def _plan(destinations: Sequence[Destination], tracers: Any) -> tuple[ExportPlan, Any]:
    """The plan, and the provider of the live spans: one without processors where the outbox exports them."""
    from otel_taskflow.telemetry.private import private_provider

    private = private_provider(tracers)
    plan = ExportPlan(
        destinations,
        exports_spans=any("traces" in each.endpoints for each in destinations),
        exports_logs=any("logs" in each.endpoints for each in destinations),
        resource=packed_attributes(private.resource.attributes),
        resource_schema_url=private.resource.schema_url,
    )
    return plan, private if plan.exports_spans else tracers
