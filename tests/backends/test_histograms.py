"""Durations as exponential histograms: one series where buckets are eighteen, and the same counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.backends.shop_tasks import ORDERS_OF_A_REPORT
from tests.backends.stack import (
    ATTEMPTS,
    CALLS,
    Stack,
    count_durations,
    count_spans,
    run_shop,
    running_stack,
    wait_until,
    wait_until_flushed,
    wait_until_settled,
)

pytestmark = [pytest.mark.backends, pytest.mark.timeout(120)]
OF_SPANS = "traces_span_metrics_duration_seconds"
OF_THE_SDK = "messaging_process_duration_seconds"
EXPONENTIAL = {"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram"}


def series(stack: Stack, name: str) -> int:
    return len(stack.prometheus.series(f'{{__name__=~"{name}.*"}}'))


def test_exponential_histograms_count_the_same_with_one_series_each(tmp_path: Path) -> None:
    with running_stack(tmp_path, overlays=("native-histograms",)) as stack:
        run_shop(stack, first=0, count=ORDERS_OF_A_REPORT, settings=EXPONENTIAL)
        wait_until_settled(stack)
        attempts = len(stack.kept().attempts)
        assert count_spans(stack) == attempts
        of_spans = f"sum(histogram_count({OF_SPANS}{{{ATTEMPTS}}}))"
        wait_until(lambda: stack.prometheus.number(of_spans) >= attempts)
        assert stack.prometheus.number(of_spans) == attempts
        assert stack.prometheus.number(f"sum(histogram_count({OF_THE_SDK}))") == attempts
        wait_until_flushed(stack)
        assert series(stack, OF_SPANS) == series(stack, CALLS)
        kinds = {(attempt.task, attempt.error_type) for attempt in stack.kept().attempts}
        assert series(stack, OF_THE_SDK) == len(kinds)


def test_buckets_have_eighteen_series_each(tmp_path: Path) -> None:
    with running_stack(tmp_path) as stack:
        run_shop(stack, first=0, count=ORDERS_OF_A_REPORT)
        wait_until_settled(stack)
        wait_until(lambda: count_durations(stack) >= len(stack.kept().attempts))
        wait_until_flushed(stack)
        assert series(stack, OF_SPANS) == 18 * series(stack, CALLS)
        kinds = {(attempt.task, attempt.error_type) for attempt in stack.kept().attempts}
        assert series(stack, OF_THE_SDK) == 18 * len(kinds)
