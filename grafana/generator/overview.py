"""The dashboard *Overview*: are the tasks of these services well, and if not, which."""

from __future__ import annotations

from grafana.generator import durations, links, promql
from grafana.generator.dashboards import DASHBOARD, SERVICES, Dashboard
from grafana.generator.panels import Column, Panel, Query, Row
from grafana.generator.promql import TASK, TASK_LEGEND, increase, now, or_zero, quantile, rate, ratio, total

THESE = 'service_name=~"$service"'
OURS = f"{promql.OURS}, {THESE}"
STARTED = rate("messaging_client_consumed_messages_total", OURS)
SENT = rate("messaging_client_sent_messages_total", OURS)
BUCKETS = rate("messaging_process_duration_seconds_bucket", OURS)
WAITED = rate("otel_taskflow_queue_wait_duration_seconds_total", OURS)
RETRIES = rate("otel_taskflow_task_retries_total", OURS)
ENDED = rate(promql.ATTEMPTS, f"{promql.AN_ATTEMPT}, {THESE}")
FAILED = rate(promql.ATTEMPTS, f"{promql.AN_ERROR}, {THESE}")
ACTIVE = now("otel_taskflow_attempt_active", OURS)
WAITING = now("otel_taskflow_queue_depth", OURS)

NO_METRICS = "No metrics of tasks in this time: does the app export metrics, and did a task run?"
NO_SPANS = "No attempts in this time: does the app export traces to a collector with span_metrics, and did a task run?"
TO_TASK = links.task_detail("${__field.labels.service_name}", "${__field.labels.messaging_destination_name}")


def dashboard() -> Dashboard:
    """The whole dashboard."""
    return Dashboard(
        file="overview.json",
        uid=links.OVERVIEW,
        title="otel_taskflow: Overview",
        description="Background tasks of all services: how many, how fast, how many fail, and what waits.",
        variables=(SERVICES, DASHBOARD),
        rows=(Row("Now", _now()), Row("Attempts", _attempts()), Row("Queue", _queue()), Row("Failures", (_failing(),))),
    )


def _now() -> tuple[Panel, ...]:
    return (
        _stat("Attempts a second", "suffix:/s", Query(total(STARTED)), "Attempts started, all tasks together."),
        _stat(
            "Failing attempts",
            "percentunit",
            Query(ratio(FAILED, ENDED)),
            "Attempts with an error by all that ended, retried ones too. Counted by the collector from spans.",
            thresholds={"yellow": 0.05, "red": 0.2},
            no_data=NO_SPANS,
        ),
        _stat(
            "Failed for good",
            "short",
            Query(or_zero(total(increase(promql.ATTEMPTS, f"{promql.FOR_GOOD}, {THESE}", "$__range")))),
            "Tasks that ended without success in the time shown: failed, timed out or interrupted, and no retry follows.",
            thresholds={"red": 1},
            no_data=NO_SPANS,
        ),
        _stat("95 % are done within", "s", Query(quantile(0.95, BUCKETS)), "Duration of attempts, without their wait."),
        _stat("Running", "short", Query(total(ACTIVE)), "Attempts that run at this moment, in all processes."),
        _stat(
            "Waiting",
            "short",
            Query(total(WAITING)),
            "Attempts that wait for a free thread or slot, in all processes.",
            thresholds={"yellow": 100, "red": 1000},
        ),
    )


def _stat(
    title: str,
    unit: str,
    query: Query,
    description: str,
    *,
    thresholds: dict[str, float] | None = None,
    no_data: str = NO_METRICS,
) -> Panel:
    return Panel(title, "stat", description, unit, no_data, (query,), width=4, height=4, thresholds=thresholds or {})


def _attempts() -> tuple[Panel, ...]:
    return (
        Panel(
            "Attempts a second, by task",
            "timeseries",
            "Attempts started. From the app's own counter, whatever is sampled.",
            "suffix:/s",
            NO_METRICS,
            (Query(total(STARTED, TASK), TASK_LEGEND),),
            links=(TO_TASK,),
        ),
        Panel(
            "Failing attempts, by task",
            "timeseries",
            "Attempts with an error by all that ended, retried ones too. Counted by the collector from spans.",
            "percentunit",
            NO_SPANS,
            (Query(ratio(FAILED, ENDED, TASK), TASK_LEGEND),),
            links=(TO_TASK,),
        ),
        durations.panel(BUCKETS, NO_METRICS),
    )


def _queue() -> tuple[Panel, ...]:
    return (
        Panel(
            "Running, by task",
            "timeseries",
            f"Attempts that run. A process that has reported nothing for {promql.FRESH} does not count.",
            "short",
            NO_METRICS,
            (Query(total(ACTIVE, TASK), TASK_LEGEND),),
            links=(TO_TASK,),
            width=6,
        ),
        Panel(
            "Waiting, by service",
            "timeseries",
            "Attempts that wait for a free thread or slot.",
            "short",
            NO_METRICS,
            (Query(total(WAITING, "service_name"), "{{service_name}}"),),
            width=6,
        ),
        Panel(
            "Mean wait, by task",
            "timeseries",
            "How long an attempt waited between being ready and starting.",
            "s",
            NO_METRICS,
            (Query(f"{total(WAITED, TASK)} / {total(STARTED, TASK)}", TASK_LEGEND),),
            links=(TO_TASK,),
            width=6,
        ),
        Panel(
            "Added and retried",
            "timeseries",
            "Tasks added, and failed attempts that are followed by another.",
            "suffix:/s",
            NO_METRICS,
            (Query(total(SENT), "added"), Query(or_zero(total(RETRIES)), "retried")),
            width=6,
        ),
    )


def _failing() -> Panel:
    service, task = "${__data.fields.service_name}", "${__data.fields.messaging_destination_name}"
    failed = increase(promql.ATTEMPTS, f"{promql.AN_ERROR}, {THESE}", "$__range")
    spans = (
        f'{{ resource.service.name = "{service}" && span.messaging.destination.name = "{task}" && kind = consumer'
        " && status = error } | select(span.otel_taskflow.task.id, span.error.type)"
    )
    to_spans = links.traces("Traces of its failed attempts", spans)
    return Panel(
        "Most failing tasks",
        "table",
        "Attempts with an error in the time shown, by task and type of the error. A click leads to their traces.",
        "short",
        "No attempt has failed in this time.",
        (Query(f"topk(10, {total(failed, f'{TASK}, error_type')} > 0)", shape="table"),),
        width=24,
        columns=(
            Column("Time", "Time", hidden=True),
            Column("service_name", "Service"),
            Column("messaging_destination_name", "Task", links=(links.task_detail(service, task), to_spans)),
            Column("error_type", "Error", links=(to_spans,)),
            Column("Value", "Failed attempts", "short", links=(to_spans,)),
        ),
    )
