"""overlays/redaction.yaml: what a task says leaves the collector dropped, hashed and masked, in all places that it is said in."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from otel_taskflow import task_log
from tests.collector import otlp_file
from tests.collector.otlp_file import LogRecord, Span
from tests.collector.process import EXACT_COUNTS, running_collector
from tests.collector.tasks import exporter, managed

pytestmark = [pytest.mark.collector, pytest.mark.once]
ADDRESS = "ada@example.com"
KEPT: dict[str, Any] = {"order_id": "A1", "total": 10.5, "lines": 3, "paid": True, "sizes": [1, 2]}
EXTRAS: dict[str, Any] = {
    "address": "12 Main Street",
    "customer": {"address": "12 Main Street", "age": 36},
    "customer_id": "c-1815",
    "note": f"copy to {ADDRESS}",
    "copies": [ADDRESS, "the office"],
    **KEPT,
}


class Written(NamedTuple):
    """What the collector wrote: text, and what is in it."""

    text: str
    spans: dict[str, Span]
    records: list[LogRecord]


@pytest.fixture(scope="module", params=[(), (EXACT_COUNTS,)], ids=["base", "exact"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("redaction")
    with running_collector(folder, *request.param, "file", "redaction") as collector:
        _send(folder, collector.http_endpoint)
        collector.stop()
    spans = {span.name: span for span in otlp_file.spans(collector.output)}
    return Written(collector.output.read_text(), spans, otlp_file.log_records(collector.output))


def _send(folder: Path, endpoint: str) -> None:
    with managed(folder, exporter(endpoint)) as manager:

        @manager.task
        def says() -> None:
            task_log(f"Mail to {ADDRESS} sent", **EXTRAS)

        @manager.task
        def fails() -> None:
            raise ValueError(f"{ADDRESS} does not exist")

        manager.add_task(says, tags={"customer": "Ada", "shop": "north"})
        manager.add_task(fails)


def said(written: Written) -> list[tuple[str, dict[str, Any]]]:
    """The line, as the event of the span and as the log record: its text and its extras."""
    [event] = written.spans["process says"].events_named("task.log")
    [record] = [record for record in written.records if not record.event_name]
    extras = {key: value for key, value in record.attributes.items() if not key.startswith(("otel_", "log."))}
    rest = {key: value for key, value in event.attributes.items() if key not in ("message", "level")}
    return [(event.attributes["message"], rest), (record.body, extras)]


def test_nothing_of_it_is_left_anywhere(written: Written) -> None:
    for secret in (ADDRESS, "12 Main Street", "c-1815", '"Ada"'):
        assert secret not in written.text


def test_event_and_log_record_of_a_line_are_treated_alike(written: Written) -> None:
    event, record = said(written)
    assert event == record


def test_keys_are_dropped_also_inside_of_others_and_their_neighbours_stay(written: Written) -> None:
    for _, extras in said(written):
        assert extras.keys() == {"customer.age", "customer_id", "note", "copies", *KEPT}


def test_a_hashed_value_can_still_be_searched_for(written: Written) -> None:
    for _, extras in said(written):
        assert extras["customer_id"] == hashlib.sha256(b"c-1815").hexdigest()


def test_a_form_is_masked_in_messages_and_extras(written: Written) -> None:
    for message, extras in said(written):
        assert message == "Mail to **** sent"
        assert extras["note"] == "copy to ****"


def test_a_form_is_masked_inside_a_list_which_becomes_a_text(written: Written) -> None:
    for _, extras in said(written):
        assert extras["copies"] == '["****","the office"]'


def test_what_no_rule_names_keeps_value_and_type(written: Written) -> None:
    for _, extras in said(written):
        assert {key: extras[key] for key in KEPT} == KEPT
        assert extras["customer.age"] == 36


def test_a_tag_is_dropped_from_the_spans_of_its_task(written: Written) -> None:
    for name in ("send says", "process says"):
        tags = {key for key in written.spans[name].attributes if key.startswith("otel_taskflow.tag.")}
        assert tags == {"otel_taskflow.tag.shop"}


def test_an_error_is_masked_in_status_event_and_log_record_with_its_traceback(written: Written) -> None:
    span = written.spans["process fails"]
    [event] = span.events_named("exception")
    [record] = [each for each in written.records if each.event_name == "messaging.process.exception"]
    expected = "**** does not exist"
    assert span.status_description == expected
    assert expected in record.body
    for attributes in (event.attributes, record.attributes):
        assert attributes["exception.message"] == expected
        assert attributes["exception.stacktrace"].rstrip().endswith(f"ValueError: {expected}")
