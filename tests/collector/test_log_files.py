"""collector-config/files/otelcol.yaml: the file of FileLogger becomes the log records that OTLP would have carried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from otel_taskflow import FileLogger, LogEvent, task_log
from tests.collector import otlp_file
from tests.collector.config_files import READING_FILES, settings
from tests.collector.intake import Intake, running_intake
from tests.collector.otlp_file import LogRecord
from tests.collector.process import running_collector
from tests.collector.tasks import exporter, managed

pytestmark = [pytest.mark.collector, pytest.mark.once]
EXTRAS: dict[str, Any] = {"order_id": "A1", "total": 10.5, "lines": 3, "paid": True, "sizes": [1, 2], "none": None}

SYNCHRONOUS = "--feature-gates=stanza.synchronousLogEmitter"
"""Without it a line is noted as read up to 100 ms before the queue has it, and a kill loses it."""


class Run(NamedTuple):
    """The same lines, as they came by OTLP and from the file."""

    sent: list[LogRecord]
    read: list[LogRecord]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("files")
    file = folder / "tasks.jsonl"
    with running_collector(folder, "file", READING_FILES, settings=settings(folder)) as collector:
        _run_tasks(folder, collector.http_endpoint, file)
        expected = len(file.read_text().splitlines())
        collector.wait_until(lambda: len(from_file(otlp_file.log_records(collector.output))) == expected)
    records = otlp_file.log_records(collector.output)
    return Run([record for record in records if record.scope], from_file(records))


def from_file(records: Iterable[LogRecord]) -> list[LogRecord]:
    return [record for record in records if not record.scope]


def _run_tasks(folder: Path, endpoint: str, file: Path) -> None:
    observers = [exporter(endpoint), FileLogger(file, format="json", min_level=None, log_lifecycle=True)]
    with managed(folder, *observers) as manager:

        @manager.task(retries=1, delay=0.0)
        def ship() -> None:
            for level in ("debug", "info", "warning", "error"):
                task_log(f"It is {level}\nüß", level=level, **EXTRAS)
            task_log("Odd keys", **{"time": "noon", "message": "hi", "extra": "x", "otel_taskflow.task.id": "forged"})
            raise ValueError("no route")

        manager.add_task(ship, tags={"customer": "ada"})
    with file.open("a") as stream:
        stream.write("another program shares the file\n")


def by_uid(records: list[LogRecord]) -> dict[str, LogRecord]:
    lines = [record for record in records if not record.event_name and "log.record.uid" in record.attributes]
    return {record.attributes["log.record.uid"]: record for record in lines}


def test_each_line_is_there_once(run: Run) -> None:
    sent, read = by_uid(run.sent), by_uid(run.read)
    assert sent.keys() == read.keys()
    assert len(read) == 10


def test_a_line_of_the_file_is_the_record_that_otlp_carries(run: Run) -> None:
    sent, read = by_uid(run.sent), by_uid(run.read)
    for uid, line in read.items():
        record = sent[uid]
        assert (line.body, line.severity_number, line.severity_text) == (
            record.body,
            record.severity_number,
            record.severity_text,
        )
        assert (line.trace_id, line.span_id) == (record.trace_id, record.span_id)
        assert line.time == record.time // 1000 * 1000  # the file's times end at microseconds
        assert line.resource["service.name"] == "shop"


def test_its_attributes_have_the_same_names_values_and_types(run: Run) -> None:
    sent, read = by_uid(run.sent), by_uid(run.read)
    for uid, line in read.items():
        if line.body == "Odd keys":
            continue
        attributes = {key: value for key, value in line.attributes.items() if value is not None}
        assert attributes.pop("otel_taskflow.tag") == {"customer": "ada"}
        assert attributes == sent[uid].attributes
        assert [type(attributes[key]) for key in ("total", "lines", "paid")] == [float, int, bool]


def test_an_extra_cannot_take_the_place_of_what_the_line_is_about(run: Run) -> None:
    odd = [line for line in by_uid(run.read).values() if line.body == "Odd keys"]
    assert len(odd) == 2
    for line in odd:
        assert line.attributes["otel_taskflow.task.id"] != "forged"
        assert line.attributes["time"] == "noon"
        assert line.time > 1


def test_a_change_of_state_says_which_and_why(run: Run) -> None:
    states = {line.attributes.get("otel_taskflow.task.status"): line for line in run.read}
    failed = states["failed"]
    assert failed.severity_text == "ERROR"
    assert failed.attributes["exception.message"].endswith("no route")
    assert "Traceback" in failed.attributes["exception.stacktrace"]
    assert failed.attributes["otel_taskflow.attempt.duration"] > 0
    assert "running" in states


def test_a_line_that_is_no_json_becomes_a_record_as_it_is(run: Run) -> None:
    [line] = [line for line in run.read if line.body == "another program shares the file"]
    assert line.attributes == {}


class Writer:
    """Writes numbered lines with a FileLogger that rotates every few of them."""

    def __init__(self, file: Path) -> None:
        self._logger = FileLogger(file, format="json", max_bytes=20_000, backup_count=50)
        self.written = 0

    def write(self, count: int) -> None:
        numbers = range(self.written + 1, self.written + count + 1)
        for number in numbers:
            self._logger.on_batch([_line(number)])
        self.written += count


def _line(number: int) -> LogEvent:
    now = datetime.now(timezone.utc)
    return LogEvent("t1", "ship", f"line {number}", "info", now, 0, extra={"order_id": f"A{number}"}, seq=number)


def test_rotation_and_a_restart_lose_and_repeat_nothing(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "tasks.jsonl")
    writer.write(500)
    with running_collector(tmp_path, "file", READING_FILES, settings=settings(tmp_path)) as collector:
        writer.write(500)
        collector.wait_until(lambda: len(otlp_file.log_records(collector.output)) == writer.written)
        writer.write(300)
        collector.stop()
        before = otlp_file.log_records(collector.output)
        writer.write(700)
        collector.output.rename(tmp_path / "before.jsonl")
        collector.start()
        collector.wait_until(
            lambda: len(before) + len(otlp_file.log_records(collector.output)) >= writer.written,
        )
        collector.stop()
    came = Counter(record.body for record in [*before, *otlp_file.log_records(collector.output)])
    assert came == Counter(f"line {number}" for number in range(1, writer.written + 1))
    assert len(list(tmp_path.glob("tasks.jsonl.[0-9]*"))) > 10


def bodies(intake: Intake) -> set[str]:
    return {str(record.body.string_value) for record in intake.log_records("/v1/logs")}


def wait_for_more(intake: Intake) -> None:
    came = len(intake.requests)
    intake.wait_for(lambda: len(intake.requests) > came)


def test_a_killed_collector_loses_no_line(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "tasks.jsonl")
    with running_intake() as intake:
        variables = settings(tmp_path, intake.url)
        with running_collector(tmp_path, "otlp", READING_FILES, SYNCHRONOUS, settings=variables) as collector:
            for _ in range(3):
                writer.write(400)
                wait_for_more(intake)
                writer.write(100)
                collector.kill()
                writer.write(100)
                collector.start()
            expected = {f"line {number}" for number in range(1, writer.written + 1)}
            intake.wait_for(lambda: bodies(intake) == expected)
