"""A collector, Loki and Prometheus that talk to each other as compose has them, and the shop that fills them.

    with running_stack(folder) as stack:
        stack = fill(stack)
        stack.loki.lines('{service_name="shop"} | order_id="A1"')
        stack.prometheus.number("sum(traces_span_metrics_calls_total)")
        stack.kept()                                       # what the store holds

``filled_stack`` of conftest.py is such a stack, filled once a session: ask it, change nothing in it.
"""

from __future__ import annotations

import os
import re
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic, sleep

from tests.backends.kept import Kept, read_kept
from tests.backends.loki import Loki, running_loki
from tests.backends.prometheus import Prometheus, running_prometheus
from tests.collector.process import EXACT_COUNTS, Collector, free_ports, running_collector
from tests.forkserver.client import Forked

ORDERS = 490
"""As many as make 1,000 tasks; one more is the report that hangs."""
RUN_LIMIT = 180.0
SETTLE_LIMIT = 60.0
FLUSH = "1s"
"""How often metrics of spans are flushed here."""
BASE_ALONE = ("grafana-stack",)
OVERLAYS = (EXACT_COUNTS, *BASE_ALONE)
"""As compose.yaml has them."""
METRICS_NEVER = "3600000"
"""Milliseconds: the shop exports metrics when it says so."""


@dataclass(frozen=True)
class Stack:
    """Running programs and the folder of the app that exports to them."""

    collector: Collector
    loki: Loki
    prometheus: Prometheus
    folder: Path
    exported_at: int = 0
    """When the process that was killed last exported metrics, Unix nanoseconds."""

    @property
    def state(self) -> Path:
        """Journal, spool and store of the shop."""
        return self.folder / "state"

    def kept(self) -> Kept:
        """What the shop's store holds now."""
        return read_kept(self.state)


class ShopRun:
    """The shop as a child process; ``said`` are the lines that it printed so far."""

    def __init__(
        self, folder: Path, endpoint: str, *, first: int, count: int, ending: str, settings: Mapping[str, str]
    ) -> None:
        arguments = [str(folder), endpoint, str(first), str(count), ending]
        environment = {**os.environ, "OTEL_METRIC_EXPORT_INTERVAL": METRICS_NEVER, **settings}
        self.said: list[str] = []
        with (folder.parent / "shop.log").open("ab") as log:
            self._process = Forked(["-m", "tests.backends.shop", *arguments], environment, stderr=log)

    def wait_for(self, text: str) -> str:
        """Read what it prints until a line starts with ``text``, which is returned."""
        for line in self._process.stdout:
            self.said.append(line.rstrip())
            if line.startswith(text):
                return line
        raise AssertionError(f"The shop ended with {self._process.wait()} before it said {text!r}: {self.said}")

    def go_on(self) -> None:
        """What it waits for."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def finish(self) -> None:
        """Wait for its end, which must be a good one."""
        said, _ = self._process.communicate(timeout=RUN_LIMIT)
        self.said += said.splitlines()
        assert self._process.returncode == 0, f"the shop ended with {self._process.returncode}"


@contextmanager
def running_stack(
    folder: Path,
    *,
    overlays: tuple[str, ...] = (),
    rules: tuple[Path, ...] = (),
    settings: Mapping[str, str] | None = None,
    arrangement: tuple[str, ...] = OVERLAYS,
) -> Iterator[Stack]:
    """Loki, Prometheus (with these rule files) and a collector with this arrangement and overlays, all in ``folder``.

    ``settings`` are more environment variables of the collector. Tempo is not there: traces wait in the collector's queue.
    """
    metrics_port, nobody = free_ports(2)
    with ExitStack() as programs:
        loki = programs.enter_context(running_loki(folder))
        targets = {"otelcol:8888": f"127.0.0.1:{metrics_port}", "loki:3100": loki.url.removeprefix("http://")}
        prometheus = programs.enter_context(running_prometheus(folder, rules=rules, targets=targets, evaluation="1s"))
        environment = {
            "LOKI_ENDPOINT": loki.otlp_endpoint,
            "PROMETHEUS_ENDPOINT": prometheus.otlp_endpoint,
            "TEMPO_ENDPOINT": f"http://127.0.0.1:{nobody}",
            "OTELCOL_METRICS_PORT": str(metrics_port),
            "OTELCOL_SPAN_METRICS_INTERVAL": FLUSH,
            **(settings or {}),
        }
        collector = programs.enter_context(running_collector(folder, *arrangement, *overlays, settings=environment))
        yield Stack(collector, loki, prometheus, folder)


def run_shop(
    stack: Stack, *, first: int, count: int, ending: str = "finish", settings: Mapping[str, str] | None = None
) -> ShopRun:
    """The shop, exporting to the stack. With ``finish``, it has ended and delivered all when this returns."""
    endpoint = stack.collector.http_endpoint
    run = ShopRun(stack.state, endpoint, first=first, count=count, ending=ending, settings=settings or {})
    if ending == "finish":
        run.finish()
    return run


def fill(stack: Stack, orders: int = ORDERS, *, settings: Mapping[str, str] | None = None) -> Stack:
    """Half the orders, kill -9 while a report runs, a new process that takes over and does the rest.

    Whatever was sent is in the backends when this returns.
    """
    half = orders // 2
    killed = run_shop(stack, first=0, count=half, ending="hang", settings=settings)
    exported_at = int(killed.wait_for("exported").split()[1])
    for step in ("hanging", "delivered", "delivered"):
        killed.wait_for(step)
    killed.kill()
    run_shop(stack, first=half, count=orders - half, settings=settings)
    wait_until_settled(stack)
    wait_until(lambda: count_durations(stack) >= len(stack.kept().attempts))
    return replace(stack, exported_at=exported_at)


def wait_until_settled(stack: Stack) -> None:
    """Wait until the backends' counts are those of the store, or do not change any more."""
    kept = stack.kept()
    lines, spans = sum(kept.lines.values()), len(kept.attempts)
    wait_until(lambda: count_lines(stack) >= lines and count_spans(stack) >= spans)


def wait_until_flushed(stack: Stack) -> None:
    """Wait until the number of series stays the same over some flushes: each metric of spans has its own."""
    seen: list[int] = []

    def is_stable() -> bool:
        seen.append(len(all_series(stack)))
        return len(seen) > 12 and len(set(seen[-12:])) == 1

    assert wait_until(is_stable)


def all_series(stack: Stack) -> set[tuple[tuple[str, str], ...]]:
    """Labels of every series that Prometheus has of the shop."""
    found = [*stack.prometheus.series(OF_SPANS), *stack.prometheus.series(OF_THE_SDK)]
    return {tuple(sorted(labels.items())) for labels in found}


def count_lines(stack: Stack) -> int:
    """Lines of task_log that Loki has: their uid ends in their number, that of an event in its name."""
    return int(stack.loki.number(f"sum(count_over_time({LINES} [1h]))"))


def shown_lines(stack: Stack) -> Counter[str]:
    """How often a log query shows each line of task_log, by its uid; up to 5,000 lines."""
    return Counter(line.metadata["log_record_uid"] for line in stack.loki.lines(LINES))


def count_spans(stack: Stack, more: str = "") -> int:
    """Spans of attempts that were counted, over all lives of the collector."""
    return int(stack.prometheus.number(f"sum(max_over_time({CALLS}{{{ATTEMPTS}{more}}}[1h]))"))


def count_durations(stack: Stack) -> int:
    """Spans of attempts whose durations came, over all lives of the collector: a flush that is not that of the counts."""
    return int(stack.prometheus.number(f"sum(max_over_time({DURATIONS}{{{ATTEMPTS}}}[1h]))"))


def queued(stack: Stack, exporter: str) -> float:
    """Records in the collector's queue for this destination."""
    with urllib.request.urlopen(f"http://{stack.collector.metrics_endpoint}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    found = re.findall(rf'otelcol_exporter_queue_size{{.*exporter="otlp_http/{exporter}".*}} (\S+)', text)
    return sum(map(float, found))


LINES = '{service_name="shop"} | log_record_uid=~".+-[0-9]+"'
CALLS = "traces_span_metrics_calls_total"
DURATIONS = "traces_span_metrics_duration_seconds_count"
ATTEMPTS = 'span_kind="SPAN_KIND_CONSUMER"'
OF_SPANS = '{__name__=~"traces_.+"}'
OF_THE_SDK = '{__name__=~"messaging_.+|otel_taskflow_.+"}'


def wait_until(condition: Callable[[], bool], limit: float = SETTLE_LIMIT) -> bool:
    """Ask again until the condition holds. False after ``limit`` seconds: whoever asked compares, and shows the difference."""
    deadline = monotonic() + limit
    while not condition():
        if monotonic() > deadline:
            return False
        sleep(0.2)
    return True
