"""Durable processors beside the SDK's batch processors, in one run against the same trouble: who loses what."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_taskflow import DurableSpanProcessor
from otel_taskflow.export import OTLPExporter
from otel_taskflow.testing.otlp_receiver import OTLPReceiver, Reply
from tests.setup.programs import run, start

SPANS = 500


class Case(NamedTuple):
    """A trouble: what the collector does at first, and when it is well again."""

    replies: tuple[Reply, ...] = ()
    poison: str = ""
    outage: float = 0.0


class Outcome(NamedTuple):
    """What came of it."""

    arrived: int
    flushed: bool | None = None
    """What force_flush said; None if nobody could ask."""


CASES = {
    "nothing": Case(),
    "500 twice": Case((Reply(500), Reply(500))),
    "reset in the answer": Case((Reply(ending="reset", keeps=False),)),
    "400 for one of them": Case(poison="span 7"),
    "away for 3 s": Case(outage=3.0),
}


def sent_through(add: Callable[[TracerProvider, str], None], case: Case) -> Outcome:
    """How many of the spans arrived, and what force_flush said."""
    poison = (lambda span: span.name == case.poison) if case.poison else None
    receiver = OTLPReceiver(case.replies, poison=poison)
    receiver.start()
    if case.outage:
        receiver.stop()
    provider = TracerProvider(shutdown_on_exit=False)
    add(provider, receiver.url)
    tracer = provider.get_tracer("app")
    for number in range(SPANS):
        tracer.start_span(f"span {number}").end()
    flushed = provider.force_flush(1000 if case.outage else 20_000)
    if case.outage:
        time.sleep(case.outage)
        receiver.start()
    receiver.wait_for(lambda it: len(set(it.span_ids)) >= SPANS, timeout=5 if case.outage else 0.5)
    provider.shutdown()
    receiver.stop()
    return Outcome(len(set(receiver.span_ids)), flushed)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_is_lost_beside_what_the_sdk_loses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def add_batch(provider: TracerProvider, url: str) -> None:
        exporter = OTLPSpanExporter(f"{url}/v1/traces", timeout=2)
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=200))

    rows: dict[str, tuple[Outcome, Outcome]] = {}
    for number, (name, case) in enumerate(CASES.items()):

        def add_durable(provider: TracerProvider, url: str, folder: Path = tmp_path / str(number)) -> None:
            exporter = OTLPExporter(url, timeout=2, schedule_delay=0.2)
            provider.add_span_processor(DurableSpanProcessor(exporter, dir=folder))

        rows[name] = (sent_through(add_durable, case), sent_through(add_batch, case))
    rows["kill -9"] = (Outcome(killed(DURABLE, tmp_path / "killed")), Outcome(killed(BATCH, tmp_path / "unused")))
    with capsys.disabled():
        print(f"\n{'lost of ' + str(SPANS):24}{'durable':>10}{'flush said':>12}{'batch':>10}{'flush said':>12}")
        for name, (ours, theirs) in rows.items():
            print(f"{name:24}{SPANS - ours.arrived:>10}{ours.flushed!s:>12}", end="")
            print(f"{SPANS - theirs.arrived:>10}{theirs.flushed!s:>12}")
    lost = {name: SPANS - ours.arrived for name, (ours, _) in rows.items()}
    assert lost == {name: 1 if CASES.get(name, Case()).poison else 0 for name in rows}, (
        "the refused one is in quarantine"
    )
    assert [name for name, (ours, _) in rows.items() if ours.flushed is False] == [
        "400 for one of them",
        "away for 3 s",
    ]


DURABLE = """
import os, sys
from opentelemetry.sdk.trace import TracerProvider
from otel_taskflow import DurableSpanProcessor
from otel_taskflow.export import OTLPExporter
url, folder = sys.argv[1:3]
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(DurableSpanProcessor(OTLPExporter(url), dir=folder))
"""
BATCH = """
import os, sys
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
url, folder = sys.argv[1:3]
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
"""
END = f"""
tracer = provider.get_tracer("app")
for number in range({SPANS}):
    tracer.start_span(f"span {{number}}").end()
os.kill(os.getpid(), 9)
"""


def killed(setup: str, folder: Path) -> int:
    """How many spans arrive of a process that is killed right after it has ended them, and of its next start."""
    with OTLPReceiver() as receiver:
        start(setup + END, receiver.url, folder).communicate(timeout=30)
        run(setup + "provider.force_flush(20000)\nprovider.shutdown()", receiver.url, folder)
        return len(set(receiver.span_ids))
