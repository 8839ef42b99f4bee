"""What the pages say about records on their way out."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from otel_taskflow.telemetry.otlp.values import LogData, SpanData, SpanEvent
from tests.conftest import ROOT
from tests.outbox.stage import RUN, Make, attributes_of, destination, ended, enqueued, logged, piece, started

HOW_TO = (ROOT / "docs" / "how-to" / "durable-export.md").read_text()
REFERENCE = (ROOT / "docs" / "reference" / "telemetry.md").read_text()
HOOK = re.compile(r"^```python\n(from dataclasses import replace.*?)^```", re.MULTILINE | re.DOTALL)


def between(start: str, end: str) -> str:
    return REFERENCE.partition(start)[2].partition(end)[0]


def fields_of_table(text: str) -> list[str]:
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    return sorted(name for row in rows for name in re.findall(r"`(\w+)`", row))


def test_the_hook_of_the_page_leaves_no_address_in_log_records_spans_and_events(stage: Make) -> None:
    found = HOOK.search(HOW_TO)
    assert found is not None
    names: dict[str, Any] = {}
    exec(found[1], names)
    made = stage(destination(before_export=names["without_addresses"]))
    made.outbox.consume(piece(enqueued(), started(), logged(1, address="ada@example.com", order=7), ended(lines=1)))
    (log,), (_, attempt) = [log for log in made.logs() if log.body.string_value == "line 1"], made.spans()
    (event,) = attempt.events
    assert attributes_of(log)["order"] == attributes_of(event)["order"] == 7
    assert [each for each in (*made.logs(), *made.spans()) if b"ada@example.com" in each.SerializeToString()] == []


def test_the_reference_has_every_field_of_the_records_and_no_other() -> None:
    section = between("## What `before_export` is given", "## Metrics")
    spans, _, logs = section.partition("A log record, `LogData`:")
    assert fields_of_table(spans) == sorted(field.name for field in dataclasses.fields(SpanData))
    assert fields_of_table(logs) == sorted(field.name for field in dataclasses.fields(LogData))
    assert [name for name in (*SpanEvent._fields, *RUN._fields) if f"`{name}`" not in spans] == []
