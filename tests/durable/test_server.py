"""A real server that is told to end while it exports and people watch."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_taskflow.spool import Spool
from otel_taskflow.testing.otlp_receiver import OTLPReceiver
from tests.durable.conftest import Run

GRACE = 2.0
PATIENCE = 30.0
TASKS = 30


def watch(address: str, opened: threading.Semaphore) -> None:
    """A page of the dashboard that is open until the server ends it."""
    with httpx.stream("GET", f"{address}/tasks/dashboard/stream", timeout=PATIENCE) as answer:
        for _ in answer.iter_raw():
            opened.release()


@pytest.mark.failure("C8")
@pytest.mark.parametrize("collector", ["there", "away"])
def test_at_sigterm_everything_is_delivered_or_kept_and_the_process_gone_in_time(
    run: Run, receiver: OTLPReceiver, tmp_path: Path, collector: str
) -> None:
    process = run("serve")
    address = process.says("address")
    opened = threading.Semaphore(0)
    pages = [threading.Thread(target=watch, args=(address, opened), daemon=True) for _ in range(3)]
    for page in pages:
        page.start()
        assert opened.acquire(timeout=PATIENCE)
    if collector == "away":
        receiver.stop()
    for number in range(TASKS):
        assert httpx.post(f"{address}/add", params={"number": number}, timeout=PATIENCE).status_code == 200
    begun = time.monotonic()
    process.send(signal.SIGTERM)
    assert process.ends() in (0, -signal.SIGTERM)
    # Twice the promise of grace and two seconds: this machine may be busy.
    assert time.monotonic() - begun < 2 * (GRACE + 2)
    waiting = in_spool(tmp_path)
    delivered = [body for body in receiver.log_bodies if body.startswith("slowly")]
    assert sorted(delivered + waiting["logs"]) == sorted(f"slowly {number}" for number in range(TASKS))
    assert len([span for span in receiver.spans if span.name == "process slowly"]) + len(waiting["traces"]) == TASKS
    if collector == "there":
        assert waiting == {"logs": [], "traces": []}


def in_spool(folder: Path) -> dict[str, list[str]]:
    spool = Spool(folder / "spool" / "spool.db", {})
    spool.open()
    logs = [LogRecord.FromString(each.body) for each in spool.take("otlp", "logs", 10_000, 10**9)]
    spans = [Span.FromString(each.body) for each in spool.take("otlp", "traces", 10_000, 10**9)]
    spool.close()
    return {
        "logs": [each.body.string_value for each in logs if each.body.string_value.startswith("slowly")],
        "traces": [span.name for span in spans if span.name == "process slowly"],
    }
