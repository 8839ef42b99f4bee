"""The dashboard *Task in detail*: one task of one service, from its rate down to the lines of one failed attempt."""

from __future__ import annotations

from grafana.generator import durations, links, promql
from grafana.generator.dashboards import DASHBOARD, Dashboard, LabelValues, TextBox
from grafana.generator.panels import Column, Panel, Query, Row
from grafana.generator.promql import increase, now, or_zero, rate, ratio, total

THIS = 'service_name="$service", messaging_destination_name="$task"'
OURS = f"{promql.OURS}, {THIS}"
STARTED = rate("messaging_client_consumed_messages_total", OURS)
SENT = rate("messaging_client_sent_messages_total", OURS)
BUCKETS = rate("messaging_process_duration_seconds_bucket", OURS)
WAITED = rate("otel_taskflow_queue_wait_duration_seconds_total", OURS)
RETRIES = rate("otel_taskflow_task_retries_total", OURS)
ENDED = rate(promql.ATTEMPTS, f"{promql.AN_ATTEMPT}, {THIS}")
FAILED = rate(promql.ATTEMPTS, f"{promql.AN_ERROR}, {THIS}")
ACTIVE = now("otel_taskflow_attempt_active", OURS)

LINES = '{service_name="$service"} | otel_taskflow_task_name="$task"'
SPANS = 'resource.service.name = "$service" && span.messaging.destination.name = "$task" && kind = consumer'
SHOWN = (
    "select(span.otel_taskflow.task.id, span.otel_taskflow.attempt.number, span.otel_taskflow.attempt.outcome,"
    " span.otel_taskflow.queue.wait, span.error.type)"
)

NO_METRICS = "No metrics of this task in this time: did it run, and does the app export metrics?"
NO_SPANS = (
    "No attempt of this task in this time: did it run, and does the app export traces to a collector with span_metrics?"
)

VARIABLES = (
    LabelValues("service", "Service", "otel_taskflow_queue_depth", "service_name"),
    LabelValues(
        "task", "Task", 'messaging_client_sent_messages_total{service_name="$service"}', "messaging_destination_name"
    ),
    TextBox("slow", "Slow from", "1s"),
    DASHBOARD,
)


def dashboard() -> Dashboard:
    """The whole dashboard."""
    return Dashboard(
        file="task-detail.json",
        uid=links.TASK,
        title="otel_taskflow: Task in detail",
        description="One task: rate, errors, durations, retries, its slow and failed attempts, and what they logged.",
        variables=VARIABLES,
        rows=(
            Row("Attempts", _attempts()),
            Row("Durations and retries", (*_durations(), *_load())),
            Row(
                "Single attempts",
                (_spans("Slow attempts", "duration > $slow"), _spans("Failed attempts", "status = error")),
            ),
            Row("Lines", _lines()),
        ),
        local_page="/dashboard?func_name=${task:percentencode}",
    )


def _attempts() -> tuple[Panel, ...]:
    return (
        Panel(
            "Attempts a second, by outcome",
            "timeseries",
            "Ended attempts. Counted by the collector from spans, so those of killed processes (interrupted) are among them.",
            "suffix:/s",
            NO_SPANS,
            (Query(total(ENDED, "otel_taskflow_attempt_outcome"), "{{otel_taskflow_attempt_outcome}}"),),
        ),
        Panel(
            "Failing attempts",
            "timeseries",
            "Attempts with an error by all that ended, retried ones too.",
            "percentunit",
            NO_SPANS,
            (Query(ratio(FAILED, ENDED), "failing"),),
            thresholds={"yellow": 0.05, "red": 0.2},
        ),
        Panel(
            "Errors a minute, by type",
            "timeseries",
            "Attempts with an error, by the type of the exception, or the outcome where there was none.",
            "suffix:/min",
            NO_SPANS,
            (Query(or_zero(f"60 * {total(FAILED, 'error_type')}", "error_type", "none"), "{{error_type}}"),),
        ),
    )


def _durations() -> tuple[Panel, ...]:
    return (
        durations.panel(BUCKETS, NO_METRICS),
        Panel(
            "Durations",
            "heatmap",
            "How many attempts took how long; the lines are the buckets from 10 ms to an hour. A diamond leads to a trace.",
            "short",
            NO_METRICS,
            (
                Query(
                    total(increase("messaging_process_duration_seconds_bucket", OURS), "le"),
                    "{{le}}",
                    shape="heatmap",
                    exemplars=True,
                ),
            ),
        ),
    )


def _load() -> tuple[Panel, ...]:
    return (
        Panel(
            "Running",
            "timeseries",
            f"Attempts that run now (a process that has reported nothing for {promql.FRESH} does not count).",
            "short",
            NO_METRICS,
            (Query(total(ACTIVE), "running"),),
        ),
        Panel(
            "Attempts for each task",
            "timeseries",
            "Attempts started by tasks added; above 1 there are retries.",
            "short",
            NO_METRICS,
            (Query(f"{total(STARTED)} / {total(SENT)}", "attempts for each task"),),
        ),
        Panel(
            "Retries a minute",
            "timeseries",
            "Failed attempts that are followed by another.",
            "suffix:/min",
            NO_METRICS,
            (Query(or_zero(f"60 * {total(RETRIES)}"), "retries"),),
        ),
        Panel(
            "Mean wait",
            "timeseries",
            "How long an attempt waited between being ready and starting: for a free thread or slot.",
            "s",
            NO_METRICS,
            (Query(f"{total(WAITED)} / {total(STARTED)}", "mean wait"),),
        ),
    )


def _spans(title: str, condition: str) -> Panel:
    return Panel(
        title,
        "table",
        f"Spans of attempts, found by TraceQL: {condition}. The id of a task leads to its page in the app's dashboard.",
        "short",
        "No such attempt in this time.",
        (Query(f"{{ {SPANS} && {condition} }} | {SHOWN}", source="tempo"),),
        width=12,
        height=9,
        columns=(
            Column("otel_taskflow.task.id", "Task id", links=(links.local_task("${__value.raw}"),)),
            Column("otel_taskflow.attempt.number", "Attempt"),
            Column("otel_taskflow.attempt.outcome", "Outcome"),
            Column("otel_taskflow.queue.wait", "Waited", "s"),
            Column("error.type", "Error"),
        ),
    )


def _lines() -> tuple[Panel, ...]:
    return (
        Panel(
            "Lines, by severity",
            "timeseries",
            "Log records of the task: what it wrote with task_log, and one for each failure and retry.",
            "short",
            "No lines of this task in this time: does the app export logs to Loki?",
            (
                Query(
                    f"sum by (severity_text) (count_over_time({LINES} [$__auto]))", "{{severity_text}}", source="loki"
                ),
            ),
            height=10,
        ),
        Panel(
            "Errors",
            "logs",
            "Lines of the level error, and exceptions of attempts that failed for good. Open one for its fields, trace and task.",
            "none",
            "No error of this task in this time.",
            (Query(f'{LINES} | severity_text="ERROR"', source="loki"),),
            width=16,
            height=10,
        ),
    )
