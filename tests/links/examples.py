"""What links become, for several tasks: the server and the page fill templates each by themselves, and must agree.

``python -m tests.links.examples`` writes them where the page's own tests read them.
"""

from __future__ import annotations

import json
from typing import Any

from otel_taskflow import links
from otel_taskflow.links import read_links
from otel_taskflow.model import AttemptRow, LogRow, SpanIdentity, TaskRow, TaskStatus
from otel_taskflow.web.deep_links import DeepLinks
from otel_taskflow.web.views import attempt_json, log_json, task_json
from tests.conftest import ROOT

FILE = ROOT / "otel_taskflow/web/ui/test/deep-links.json"
MILLISECOND = 1_000_000
NOON = 1_767_268_800_000 * MILLISECOND
"""2026-01-01T12:00:00Z"""
TRACE = "0af7651916cd43dd8448eb211c80319c"

EVERYTHING = {
    **links.grafana("http://127.0.0.1:3000", service='the "shop"'),
    **links.jaeger("https://example.com/jaeger/"),
    **links.datadog("datadoghq.eu"),
    "Runbook": "https://wiki.example.com/{task_name}#from-{from}-{to}",
    "Whole attempt": "https://traces.example.com/{trace_id}/{attempt_number}?at={time}",
    "Whole line": "https://logs.example.com/?task={task_id}&line={line}&of={task_name}&span={span_id}",
}
NAMES = ["send_email", "a/b?c=d&e#f%20{g}", "!'()*~._- \t\u00e9\u202e\U0001f600", "\ud800 alone", "../..", '"; | drop']


def example(number: int, name: str) -> dict[str, Any]:
    """A task that runs, or has ended; with a request's span, or none."""
    is_running = number % 2 == 1
    span = SpanIdentity(TRACE, "00f067aa0ba902b7", None if is_running else "b7ad6b7169203331")
    task = TaskRow(
        f"t-{number}.x:y",
        name,
        TaskStatus.RUNNING if is_running else TaskStatus.SUCCESS,
        NOON,
        span=span,
        ended_at=None if is_running else NOON + 5_250 * MILLISECOND,
        attempts=2,
    )
    ended = None if is_running else task.ended_at
    attempt = AttemptRow(task.task_id, 1, NOON + 4_000 * MILLISECOND, SpanIdentity(TRACE, "f" * 16), "host:1", ended)
    line = LogRow(task.task_id, 1, 7, NOON + 4_321 * MILLISECOND, "info", "sent")
    made, now = DeepLinks(read_links(EVERYTHING)), NOON + 9_000 * MILLISECOND
    return {
        "templates": made.templates(),
        "task": task_json(task),
        "attempt": attempt_json(attempt),
        "line": log_json(line),
        "now": now // MILLISECOND,
        "of_task": made.of_task(task, now),
        "of_request": made.of_request(task, now),
        "of_attempt": made.of_attempt(task, attempt, now),
        "of_line": made.of_line(task, attempt.span, line),
    }


def examples() -> str:
    """All of them, as the file holds them."""
    return json.dumps([example(number, name) for number, name in enumerate(NAMES)], indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(examples())
