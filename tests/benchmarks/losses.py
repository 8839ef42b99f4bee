"""Spans that do not arrive, of a processor that keeps them on disk and of the SDK's: the same troubles in one run."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_taskflow import DurableSpanProcessor, OTLPExporter
from otel_taskflow.setup.buffer import spool_path
from otel_taskflow.spool import Spool
from otel_taskflow.testing.otlp_receiver import OTLPReceiver, Reply
from tests.benchmarks.figures import Figure
from tests.benchmarks.measuring import Load
from tests.benchmarks.running import Result

SIDES = ("both",)
ROUNDS = 1
SPANS = 500
DELAY = 0.2
"""Seconds until a batch is sent, of both."""
USUAL_DELAY = 5.0
"""The SDK's default; of both where a process ends, or it would depend on chance what is still waiting."""
PATIENCE = 20.0


class Trouble(NamedTuple):
    """What the collector does. Time-outs are the processors' defaults, 10 s."""

    replies: tuple[Reply, ...] = ()
    poison: str = ""
    max_body: int | None = None
    outage: float = 0.0


TROUBLES = {
    "500 once": Trouble((Reply(500),)),
    "400 for one poisoned span": Trouble(poison="span 7"),
    "413 above 16 kB": Trouble(max_body=16 * 1024),
    "a reset in the middle of an answer": Trouble((Reply(ending="reset", keeps=False),)),
    "away for 11 s": Trouble(outage=11.0),
}
SIGTERM = "SIGTERM under uvicorn"


def measure(side: str, load: Load) -> Result:
    """Every trouble at once, each processor with a collector of its own: what is counted is not the time."""
    assert side == "both"
    logging.disable(logging.CRITICAL)
    with ThreadPoolExecutor(2 * len(TROUBLES)) as threads:
        pending = {
            (trouble, whose): threads.submit(_lost, whose, TROUBLES[trouble], load.folder / str(number))
            for number, trouble in enumerate(TROUBLES)
            for whose in ("durable", "batch")
        }
        found = {key: each.result() for key, each in pending.items()}
    for whose in ("durable", "batch"):
        found[SIGTERM, whose] = _lost_at_the_end(whose, load.folder / "served")
    return {
        f"{trouble}, {whose}, {what}": count
        for (trouble, whose), outcome in found.items()
        for what, count in outcome._asdict().items()
    }


class Outcome(NamedTuple):
    """Spans that did not arrive, and those of them that nobody counted."""

    lost: int
    uncounted: int


def _lost(whose: str, trouble: Trouble, folder: Path) -> Outcome:
    poison = (lambda span: span.name == trouble.poison) if trouble.poison else None
    receiver = OTLPReceiver(trouble.replies, poison=poison, max_body=trouble.max_body)
    receiver.start()
    if trouble.outage:
        receiver.stop()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor_of(whose, receiver.url, folder, DELAY))
    tracer = provider.get_tracer("app")
    for number in range(SPANS):
        tracer.start_span(f"span {number}").end()
    if trouble.outage:
        time.sleep(trouble.outage)
        receiver.start()
    expected = SPANS - bool(trouble.poison)
    receiver.wait_for(lambda it: len(set(it.span_ids)) >= expected, timeout=PATIENCE if whose == "durable" else 3.0)
    provider.force_flush(int(PATIENCE * 1000))
    provider.shutdown()
    receiver.stop()
    return _outcome(receiver, whose, folder, SPANS)


def processor_of(whose: str, url: str, folder: Path, delay: float) -> SpanProcessor:
    """One of the two, with its defaults, but for the delay."""
    if whose == "durable":
        return DurableSpanProcessor(OTLPExporter(url, schedule_delay=delay), dir=folder)
    return BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces"), schedule_delay_millis=delay * 1000)


def _outcome(receiver: OTLPReceiver, whose: str, folder: Path, sent: int) -> Outcome:
    """The SDK counts nothing."""
    lost = sent - len(set(receiver.span_ids))
    return Outcome(lost, lost - (_counted(folder) if whose == "durable" else 0))


def _counted(folder: Path) -> int:
    spool = Spool(spool_path(folder), {})
    spool.open()
    try:
        return sum(spool.dropped().values()) + spool.backlog("otlp", "traces").messages
    finally:
        spool.close()


# The end of a server


def _lost_at_the_end(whose: str, folder: Path) -> Outcome:
    """A server that answers requests is told to end; what it leaves is sent by its next start."""
    with OTLPReceiver() as receiver:
        ended = _serve(whose, receiver.url, folder)
        if ended != SPANS:
            raise RuntimeError(f"the server ended {ended} spans, not {SPANS}")
        if whose == "durable":
            _start_again(receiver, folder)
        return _outcome(receiver, whose, folder, SPANS)


def _start_again(receiver: OTLPReceiver, folder: Path) -> None:
    processor = processor_of("durable", receiver.url, folder, USUAL_DELAY)
    processor.force_flush(int(PATIENCE * 1000))
    processor.shutdown()


def _serve(whose: str, url: str, folder: Path) -> int:
    command = [sys.executable, "-m", "tests.benchmarks.losses", whose, url, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        ended = int(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    return ended


def _server(whose: str, url: str, folder: str) -> None:
    """An app as its documentation says: a global provider that is shut down at the interpreter's exit."""
    import uvicorn
    from fastapi import FastAPI
    from opentelemetry import trace

    provider = TracerProvider()
    provider.add_span_processor(processor_of(whose, url, Path(folder), USUAL_DELAY))
    trace.set_tracer_provider(provider)
    app = FastAPI()

    async def on_start() -> None:
        for number in range(SPANS):
            provider.get_tracer("app").start_span(f"span {number}").end()
        print(SPANS, flush=True)

    app.router.add_event_handler("startup", on_start)
    uvicorn.run(app, port=0, log_level="error")


def figures(results: dict[str, Result]) -> list[Figure]:
    """Ours beside the SDK's. Of ours none may be gone that is not counted."""
    both = results["both"]
    told = []
    for trouble in (*TROUBLES, SIGTERM):
        lost, other = both[f"{trouble}, durable, lost"], both[f"{trouble}, batch, lost"]
        told.append(Figure(f"lost of {SPANS}: {trouble}", lost, "spans", "BatchSpanProcessor", other))
    uncounted = max(both[f"{trouble}, durable, uncounted"] for trouble in (*TROUBLES, SIGTERM))
    return [*told, Figure("lost and not counted, in any of these", uncounted, "spans", limit=0)]


if __name__ == "__main__":
    _server(*sys.argv[1:])
