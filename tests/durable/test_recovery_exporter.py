"""The span of an attempt whose process died, where the app's own provider exports those of the living."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.durable.conftest import Run

PATIENCE = 30.0
PROGRAM = "obey_with_recovery_exporter"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the recovery exporter writes to; the app's provider writes beside it."""
    return tmp_path / "recovered.jsonl"


def spans(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def by_the_app(file: Path) -> list[dict[str, Any]]:
    return spans(Path(f"{file}.app"))


def await_spans(file: Path, number: int = 1) -> list[dict[str, Any]]:
    deadline = time.monotonic() + PATIENCE
    while len(spans(file)) < number and time.monotonic() < deadline:
        time.sleep(0.05)
    return spans(file)


def await_takeover(folder: Path) -> None:
    """Until there is no journal but that of the only living process."""
    deadline = time.monotonic() + PATIENCE
    while len(list((folder / "journal").iterdir())) > 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_next_process_exports_the_span_with_its_ids_parent_line_error_and_resource(run: Run, file: Path) -> None:
    process = run(PROGRAM, str(file))
    before = time.time_ns()
    process.begin("add", "begin")
    trace_id, span_id, parent_id = process.says("running").split()
    process.kill()
    after = time.time_ns()
    heir = run(PROGRAM, str(file))
    heir.do("start")
    (span,) = await_spans(file)
    (sent,) = by_the_app(file)
    assert span["name"] == "process begin"
    assert span["context"]["trace_id"] == sent["context"]["trace_id"] == f"0x{trace_id}"
    assert span["context"]["span_id"] == f"0x{span_id}"
    assert span["parent_id"] == sent["context"]["span_id"] == f"0x{parent_id}"
    assert span["kind"] == "SpanKind.CONSUMER"
    assert span["status"] == {"status_code": "ERROR", "description": "process_died"}
    assert span["resource"]["attributes"]["process.pid"] == process.process.pid
    (event,) = span["events"]
    assert (event["name"], event["attributes"]["order_id"]) == ("task.log", "A1")
    assert event["timestamp"] == span["end_time"]
    assert _iso(before) <= span["start_time"] <= span["end_time"] <= _iso(after)
    (link,) = span["links"]
    assert link["context"]["span_id"] == sent["context"]["span_id"]
    assert span["attributes"]["otel_taskflow.attempt.outcome"] == "interrupted"
    assert span["attributes"]["code.function.name"].endswith(".begin")


def test_no_third_process_exports_it_again_and_the_exporter_is_shut_down(run: Run, file: Path, tmp_path: Path) -> None:
    process = run(PROGRAM, str(file))
    process.begin("add", "begin")
    process.says("running")
    process.kill()
    heir = run(PROGRAM, str(file))
    heir.do("start")
    assert len(await_spans(file)) == 1
    heir.kill()
    third = run(PROGRAM, str(file))
    third.do("start")
    await_takeover(tmp_path)
    third.begin("stop")
    third.says("exporter shut down")
    third.end("stop")
    assert len(spans(file)) == 1


def test_an_attempt_that_runs_again_is_linked_to_the_one_that_died(run: Run, file: Path) -> None:
    process = run(PROGRAM, str(file))
    process.begin("add", "begin_again")
    _, span_id, _ = process.says("running").split()
    process.kill()
    heir = run(PROGRAM, str(file))
    heir.do("start")
    (recovered,) = await_spans(file)
    assert recovered["context"]["span_id"] == f"0x{span_id}"
    heir.says("running")
    assert heir.do("drain")
    again = [span for span in by_the_app(file) if span["name"] == "process begin_again"]
    assert [
        recovered["context"]["span_id"] in [link["context"]["span_id"] for link in each["links"]] for each in again
    ] == [True]
    assert len(spans(file)) == 1


def test_without_the_parameter_nobody_exports_it(run: Run, file: Path, tmp_path: Path) -> None:
    process = run("obey_with_provider", str(file))
    process.begin("add", "begin")
    process.says("running")
    process.kill()
    heir = run("obey_with_provider", str(file))
    heir.do("start")
    await_takeover(tmp_path)
    heir.do("stop")
    assert spans(file) == []
    assert [span["name"] for span in by_the_app(file)] == ["send begin"]


def _iso(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest // 1000:06d}Z"
