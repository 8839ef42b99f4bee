"""A destination that is away for long while the app goes on, and is started again meanwhile."""

from __future__ import annotations

import time

import pytest

from otel_taskflow.testing.otlp_receiver import OTLPReceiver
from tests.durable.conftest import Run

A_SECOND = 1000
PATIENCE = 60.0


@pytest.mark.failure("E10")
@pytest.mark.parametrize(
    "seconds", [pytest.param(1.0, id="short"), pytest.param(15.0, id="long", marks=pytest.mark.failures_slow)]
)
def test_everything_arrives_after_an_outage_with_two_restarts(run: Run, receiver: OTLPReceiver, seconds: float) -> None:
    receiver.stop()
    for life in range(3):
        process = run()
        process.do("add", "paced", A_SECOND, seconds, f"life{life}")
        if life == 1:
            time.sleep(seconds / 2)
            process.kill()
        else:
            assert process.do("drain")
            assert process.do("flush", 0.1) is False
            process.do("stop")
    receiver.start()
    heir = run()
    heir.do("start")
    wanted = {f"life{life} {number}" for life in (0, 2) for number in range(int(A_SECOND * seconds))}
    assert receiver.wait_for(lambda each: wanted <= set(each.log_bodies), PATIENCE)
    killed = [body for body in set(receiver.log_bodies) if body.startswith("life1")]
    assert sorted(int(body.split()[1]) for body in killed) == list(range(len(killed)))
    assert killed
    assert len({span.span_id for span in receiver.spans if span.name == "process paced"}) == 3
