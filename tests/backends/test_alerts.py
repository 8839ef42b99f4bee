"""Alert rules on a real Prometheus: they fire when tasks fail, and resolve when tasks do well again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from tests.backends.shop_tasks import PaymentError, make_manager
from tests.backends.stack import Stack, count_spans, running_stack, wait_until
from tests.conftest import ROOT

pytestmark = [pytest.mark.backends, pytest.mark.timeout(300)]
RULES = ROOT / "grafana" / "alerts" / "otel-taskflow.rules.yaml"
RATIO, FOR_GOOD = "TaskFailureRatioHigh", "TasksFailedForGood"
BURST = 10
"""Tasks at a time."""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The rules with seconds for minutes: what takes a quarter of an hour there takes as many seconds here."""
    file = tmp_path / RULES.name
    file.write_text(re.sub(r"\b(\d+)m\b", r"\1s", RULES.read_text()))
    return file


@contextmanager
def till(stack: Stack) -> Iterator[Callable[[bool], None]]:
    """A shop with one task; call it to run some that fail, or some that do well."""
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    manager = make_manager(str(stack.state), stack.collector.http_endpoint, tracer_provider=provider)

    @manager.task
    def pay(fails: bool) -> None:
        if fails:
            raise PaymentError("refused")

    def run(fails: bool) -> None:
        for _ in range(BURST):
            manager.add_task(pay, fails)
        assert manager.drain()

    yield run
    manager.close()


def test_alerts_fire_during_a_burst_of_failures_and_resolve_after_it(tmp_path: Path, rules: Path) -> None:
    with running_stack(tmp_path, rules=(rules,)) as stack, till(stack) as run:

        def states_after(fails: bool) -> tuple[str, str]:
            run(fails)
            alerts = stack.prometheus.alerts()
            return alerts.get(RATIO, "inactive"), alerts.get(FOR_GOOD, "inactive")

        assert wait_until(lambda: states_after(False) == ("inactive", "inactive") and count_spans(stack) > 2 * BURST)
        assert wait_until(lambda: states_after(True) == ("pending", "firing"))
        assert wait_until(lambda: states_after(True) == ("firing", "firing"))
        assert wait_until(lambda: states_after(False) == ("inactive", "inactive"))
