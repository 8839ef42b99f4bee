"""The parts that queries have in common.

Two sources, each for what it does best. What the app counts itself (``messaging_*``, ``otel_taskflow_*``) does not depend on
sampling and has exemplars. What the collector counts from spans (``traces_span_metrics_*``) knows how attempts ended, holds the
attempts of killed processes too, and its counters begin at 0, so that the first failure of a kind is an increase.

Series carry the instance of the process: every query adds them up, after ``rate``, which sees restarts.
"""

from __future__ import annotations

from otel_taskflow.telemetry import semconv

OURS = f'messaging_system="{semconv.SCOPE}"'
ATTEMPTS = "traces_span_metrics_calls_total"
AN_ATTEMPT = 'otel_taskflow_attempt_outcome!=""'
"""Only spans of attempts have an outcome."""
AN_ERROR = f'{AN_ATTEMPT}, status_code="STATUS_CODE_ERROR"'
"""Failed, timed out, interrupted, also if a retry follows."""
FOR_GOOD = 'otel_taskflow_attempt_outcome=~"failed|timed_out|interrupted"'
"""No retry follows."""

TASK = "service_name, messaging_destination_name"
TASK_LEGEND = "{{service_name}}: {{messaging_destination_name}}"
RATE = "$__rate_interval"
FRESH = "2m"
"""How long a gauge holds. Apps report each minute; what a dead process said last would stand for five minutes without it."""


def rate(metric: str, matchers: str, window: str = RATE) -> str:
    """Events a second."""
    return f"rate({metric}{{{matchers}}}[{window}])"


def increase(metric: str, matchers: str, window: str = RATE) -> str:
    """Events in the window."""
    return f"increase({metric}{{{matchers}}}[{window}])"


def now(metric: str, matchers: str) -> str:
    """The figure of each process that still reports."""
    return f"last_over_time({metric}{{{matchers}}}[{FRESH}])"


def total(series: str, by: str = "") -> str:
    """The sum over instances and all labels but these."""
    return f"sum by ({by}) ({series})" if by else f"sum({series})"


def or_zero(query: str, label: str = "", value: str = "") -> str:
    """The query, or 0 where it has no series at all: nothing of it ever happened. The label names that line."""
    zero = f'label_replace(vector(0), "{label}", "{value}", "", "")' if label else "vector(0)"
    return f"{query} or on() {zero}"


def ratio(part: str, whole: str, by: str = "") -> str:
    """The part of the whole from 0 to 1; 0 where there is a whole without such a part."""
    everything = total(whole, by)
    return f"({total(part, by)} or 0 * {everything}) / {everything}"


def quantile(share: float, buckets: str) -> str:
    """The value that this share of observations does not exceed, from the buckets of classic histograms."""
    return f"histogram_quantile({share}, {total(buckets, 'le')})"
