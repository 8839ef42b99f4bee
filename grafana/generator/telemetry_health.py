"""The dashboard *Telemetry health*: does what tasks do arrive, from the journal of the app to the back ends."""

from __future__ import annotations

from grafana.generator import links, promql
from grafana.generator.dashboards import DASHBOARD, SERVICES, Dashboard
from grafana.generator.panels import Panel, Query, Row
from grafana.generator.promql import increase, now, or_zero, rate, total

THESE = 'service_name=~"$service"'
OURS = f"{promql.OURS}, {THESE}"
COLLECTOR = 'job="otelcol"'
FROM_OUTSIDE = f'{COLLECTOR}, receiver!="otlp/counts"'
TO_OUTSIDE = f'{COLLECTOR}, exporter!~"otlp_http/(one_by_one|totals)"'
"""Without what the collector sends to itself, to count spans."""
SIGNALS = ("spans", "log_records", "metric_points")

NO_METRICS = "No metrics of tasks in this time: does the app export metrics?"
NO_SDK = "The SDK reports on itself only with OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED=true in the app's environment."
NO_COLLECTOR = "No metrics of a collector: does Prometheus scrape its port 8888 as the job otelcol?"


def dashboard() -> Dashboard:
    """The whole dashboard."""
    return Dashboard(
        file="telemetry-health.json",
        uid=links.HEALTH,
        title="otel_taskflow: Telemetry health",
        description="What waits and what was lost on the way of telemetry: in the app, in its SDK, in the collector.",
        variables=(SERVICES, DASHBOARD),
        rows=(
            Row("App: journal and export", (*_export(), *_journal())),
            Row("App: OpenTelemetry SDK", _sdk()),
            Row("Collector", (*_collector_flow(), *_collector_queues())),
        ),
        local_page="/dashboard/health",
    )


def _export() -> tuple[Panel, ...]:
    to_where = "otel_taskflow_export_destination, otel_taskflow_export_signal"
    legend = "{{otel_taskflow_export_destination}} {{otel_taskflow_export_signal}}"
    pending = total(now("otel_taskflow_export_pending", OURS), to_where)
    dropped = total(increase("otel_taskflow_export_dropped_total", OURS), f"{to_where}, otel_taskflow_drop_reason")
    return (
        Panel(
            "Waiting to be sent",
            "timeseries",
            "Spans and log records in the spool of OTLPExporter. It grows while a destination is away; nothing is lost by that.",
            "short",
            "No figures: the app has no OTLPExporter, or exports no metrics.",
            (Query(or_zero(pending, "otel_taskflow_export_destination", "no OTLPExporter"), legend),),
        ),
        Panel(
            "Lost on the way to a destination",
            "timeseries",
            "Spans and log records that a destination will never get, by reason (docs/how-to/watch-health.md).",
            "short",
            NO_METRICS,
            (
                Query(
                    or_zero(dropped, "otel_taskflow_export_destination", "nothing lost"),
                    f"{legend} {{{{otel_taskflow_drop_reason}}}}",
                ),
            ),
            thresholds={"red": 1},
        ),
    )


def _journal() -> tuple[Panel, ...]:
    lag = total(now("otel_taskflow_journal_lag", OURS), "otel_taskflow_consumer")
    lost = total(increase("otel_taskflow_dropped_total", OURS), "otel_taskflow_drop_signal, otel_taskflow_drop_reason")
    by_metric = total(rate("messaging_client_consumed_messages_total", OURS))
    by_span = total(rate(promql.ATTEMPTS, f"{promql.AN_ATTEMPT}, {THESE}"))
    return (
        Panel(
            "Journal lag",
            "timeseries",
            "Events that are in the journal and that a consumer has not taken yet: store, outbox, log records, observers.",
            "short",
            NO_METRICS,
            (Query(lag, "{{otel_taskflow_consumer}}"),),
        ),
        Panel(
            "Lost in the app",
            "timeseries",
            "Lines and events that were lost before any export, by reason (docs/reference/http-api.md, Figures).",
            "short",
            NO_METRICS,
            (
                Query(
                    or_zero(lost, "otel_taskflow_drop_signal", "nothing lost"),
                    "{{otel_taskflow_drop_signal}} {{otel_taskflow_drop_reason}}",
                ),
            ),
            thresholds={"red": 1},
        ),
        Panel(
            "Attempts, as the app and as the collector count them",
            "timeseries",
            "Started by the app's counter, ended by spans that reached the collector. Below it: sampling, or spans that were lost.",
            "suffix:/s",
            NO_METRICS,
            (Query(by_metric, "started, by the app"), Query(by_span, "ended, by spans")),
        ),
        Panel(
            "Processes that report",
            "timeseries",
            f"Processes with a task manager whose metrics came in during the last {promql.FRESH}.",
            "short",
            NO_METRICS,
            (Query(f"count by (service_name) ({now('otel_taskflow_queue_depth', OURS)})", "{{service_name}}"),),
        ),
    )


def _sdk() -> tuple[Panel, ...]:
    signals = ("span", "log", "metric_data_point")
    failed = 'error_type!=""'
    return (
        Panel(
            "Sent by the SDK's exporters",
            "timeseries",
            "Spans, log records and metric points a second. Those that OTLPExporter sends from the journal are not among them.",
            "suffix:/s",
            NO_SDK,
            tuple(
                Query(
                    or_zero(total(rate(f"otel_sdk_exporter_{signal}_exported_total", THESE))), signal.replace("_", " ")
                )
                for signal in signals
            ),
        ),
        Panel(
            "Failed in the SDK's exporters",
            "timeseries",
            "What the SDK's exporters could not deliver and gave up, since the processes started.",
            "short",
            NO_SDK,
            tuple(
                Query(
                    or_zero(total(f"otel_sdk_exporter_{signal}_exported_total{{{failed}, {THESE}}}")),
                    signal.replace("_", " "),
                )
                for signal in signals
            ),
            thresholds={"red": 1},
        ),
        Panel(
            "Dropped by the SDK's full queues",
            "timeseries",
            "What batch processors refused because their queue in memory was full, since the processes started.",
            "short",
            NO_SDK,
            tuple(
                Query(
                    or_zero(total(f"otel_sdk_processor_{signal}_processed_total{{{failed}, {THESE}}}")),
                    signal,
                )
                for signal in signals[:2]
            ),
            thresholds={"red": 1},
        ),
    )


def _collector_flow() -> tuple[Panel, ...]:
    return (
        Panel(
            "Received by the collector",
            "timeseries",
            "What senders handed over, a second.",
            "suffix:/s",
            NO_COLLECTOR,
            _of_signals("otelcol_receiver_accepted_{}"),
        ),
        Panel(
            "Refused by the collector",
            "timeseries",
            "What receivers sent back because memory or queues were full, since the start. Senders with a queue try again.",
            "short",
            NO_COLLECTOR,
            _of_signals("otelcol_receiver_refused_{}", is_loss=True),
            thresholds={"red": 1},
        ),
        Panel(
            "Sent by the collector",
            "timeseries",
            "What back ends took, a second.",
            "suffix:/s",
            NO_COLLECTOR,
            _of_signals("otelcol_exporter_sent_{}"),
        ),
        Panel(
            "Lost by the collector",
            "timeseries",
            "What a back end refused for good (400 and the like), and what did not fit into a queue, since the start.",
            "short",
            NO_COLLECTOR,
            (
                *_of_signals("otelcol_exporter_send_failed_{}", "refused", is_loss=True),
                *_of_signals("otelcol_exporter_enqueue_failed_{}", "queue full", is_loss=True),
            ),
            thresholds={"red": 1},
        ),
    )


def _of_signals(name: str, suffix: str = "", *, is_loss: bool = False) -> tuple[Query, ...]:
    """A query for each signal: a rate, or for losses their number since the start.

    A counter of losses is not there before the first one, which therefore is no increase.
    """
    those = FROM_OUTSIDE if name.startswith("otelcol_receiver") else TO_OUTSIDE
    return tuple(
        Query(_loss(name.format(signal), those) if is_loss else total(rate(name.format(signal), those)), legend.strip())
        for signal, legend in ((signal, f"{signal.replace('_', ' ')} {suffix}") for signal in SIGNALS)
    )


def _loss(metric: str, those: str) -> str:
    return or_zero(total(f"{metric}{{{those}}}"))


def _collector_queues() -> tuple[Panel, ...]:
    size, capacity = (
        total(f"otelcol_exporter_queue_{what}{{{COLLECTOR}}}", "exporter, data_type") for what in ("size", "capacity")
    )
    return (
        Panel(
            "Queues of the collector",
            "timeseries",
            "How full the queue of each exporter is. It is on disk: nothing is lost until it is full, also over a restart.",
            "percentunit",
            NO_COLLECTOR,
            (Query(f"{size} / {capacity}", "{{exporter}} {{data_type}}"),),
            thresholds={"yellow": 0.5, "red": 0.8},
        ),
        Panel(
            "Memory of the collector",
            "timeseries",
            "Resident memory. At its limit (memory_limiter) the collector refuses data.",
            "bytes",
            NO_COLLECTOR,
            (Query(f"otelcol_process_memory_rss{{{COLLECTOR}}}", "{{instance}}"),),
        ),
    )
