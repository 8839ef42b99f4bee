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

pytestmark = [pytest.mark.backends, pytest.mark.timeout(300)]
RULES = Path(__file__).with_name("failing.rules.yaml")
ALERT = "TaskFailureRatioHigh"
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


def test_an_alert_fires_during_a_burst_of_failures_and_resolves_after_it(tmp_path: Path, rules: Path) -> None:
    with running_stack(tmp_path, rules=(rules,)) as stack, till(stack) as run:

        def state_after(fails: bool) -> str:
            run(fails)
            return stack.prometheus.alerts().get(ALERT, "inactive")

        assert wait_until(lambda: state_after(False) == "inactive" and count_spans(stack) > 2 * BURST)
        assert wait_until(lambda: state_after(True) == "pending")
        assert wait_until(lambda: state_after(True) == "firing")
        assert wait_until(lambda: state_after(False) == "inactive")
