"""Files read without their app: as JSON, one object a line, whatever is damaged in them."""

from __future__ import annotations

import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow.cli import main
from otel_taskflow.journal.otlp import Origin, encode_declaration, encode_message
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.ports import JournalHeader
from otel_taskflow.setup.buffer import spool_path
from otel_taskflow.spool import Limits, Message, Source, Spool, SpoolWrite
from otel_taskflow.stores.sqlite.store import SqliteStore
from tests.cli.running import command, running


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def dumped(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, list[dict[str, Any]], str]:
    status = main([str(each) for each in arguments])
    said = capsys.readouterr()
    return status, lines(said.out), said.err


def span(name: str) -> bytes:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    return bytes(
        Span(name=name, trace_id=b"\x01" * 16, span_id=b"\x02" * 8, parent_span_id=b"\x03" * 8).SerializeToString()
    )


def log(text: str) -> bytes:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    return bytes(LogRecord(body=AnyValue(string_value=text), trace_id=b"\x01" * 16).SerializeToString())


def resource(service: str) -> bytes:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource

    return bytes(
        Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value=service))]).SerializeToString()
    )


# Journals


def test_the_journal_of_a_running_app_is_dumped_without_disturbing_it(tmp_path: Path) -> None:
    with running(tmp_path) as app:
        said = command("journal", "dump", tmp_path)
        app.say(3)
        again = command("journal", "dump", tmp_path / "journal")
    assert (said.returncode, said.stderr) == (0, "")
    head, *events = lines(said.stdout)
    assert head["header"]["pid"] == app.pid
    assert [each["seq"] for each in events] == list(range(1, 24))
    assert [each["event"] for each in events[:3]] == ["TaskEnqueued", "AttemptStarted", "TaskLogged"]
    assert events[2]["data"]["message"] == "line \x1b[31m"
    assert events[2]["data"]["extra"] == {"number": 0, "ratio": "NaN"}
    assert said.stdout.isascii()
    assert "\x1b" not in said.stdout
    assert events[-1]["data"]["outcome"] == "succeeded"
    assert len(lines(again.stdout)) == len(events) + 1 + 6


def test_one_segment_can_be_dumped_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = JournalWriter.create(tmp_path, JournalHeader("j-1", 0, 7, "host", "", "w"))
    for _ in range(10):
        writer.append(b'["R","t",5]' + b" " * 1_000_000)
    writer.close()
    folder = tmp_path / "journal" / "j-1"
    status, (head, *events), _ = dumped(capsys, "journal", "dump", sorted(folder.glob("*.seg"))[1])
    assert (status, head["journal"], head["header"]["pid"]) == (0, "j-1", 7)
    assert [each["seq"] for each in events] == [5, 6, 7, 8]
    assert {each["event"] for each in events} == {"TaskReleased"}
    _, all_, _ = dumped(capsys, "journal", "dump", folder)
    assert len(all_) == 11


def test_records_of_the_durable_processors_are_decoded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    writer = JournalWriter.create(tmp_path, JournalHeader("j-1", 0, 7, "host", "", "w"))
    traces, logs = (Origin("otlp", signal, resource("shop"), "", b"", "") for signal in ("traces", "logs"))
    writer.append(encode_declaration(1, traces))
    writer.append(encode_message(1, 55, span("GET /")))
    writer.append(encode_message(logs, 56, log("paid")))
    writer.append(encode_message(9, 57, span("of an origin that is not there")))
    writer.append(encode_message(1, 58, b"\xff\xff no protobuf"))
    writer.append(b"\xf0 of a later release")
    writer.append(b"{no event")
    writer.close()
    status, (_, *found), _ = dumped(capsys, "journal", "dump", tmp_path)
    assert status == 0
    declared, first, second, homeless, broken, later, none = found
    assert declared["data"]["resource"]["attributes"][0]["value"] == {"stringValue": "shop"}
    assert first["data"]["message"] == {
        "name": "GET /",
        "traceId": "01" * 16,
        "spanId": "02" * 8,
        "parentSpanId": "03" * 8,
    }
    assert second["data"]["message"]["body"] == {"stringValue": "paid"}
    assert (second["data"]["destination"], second["data"]["time"]) == ("otlp", 56)
    assert (homeless["data"]["origin"], "body" in homeless["data"]) == (9, True)
    assert "unreadable" in broken["data"]["message"]
    assert "kind 0xf0 is unknown" in later["unreadable"]
    assert "payload" in none


def test_a_damaged_journal_is_dumped_but_for_what_is_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    writer = JournalWriter.create(tmp_path, JournalHeader("j-1", 0, 7, "host", "", "w"))
    for _ in range(9):
        writer.append(b'["R","t",5]')
    writer.close()
    (segment,) = (tmp_path / "journal" / "j-1").glob("*.seg")
    data = bytearray(segment.read_bytes())
    data[data.index(b'["R","t",5]') + 3] ^= 0xFF
    segment.write_bytes(data)
    status, (_, *events), said = dumped(capsys, "journal", "dump", tmp_path)
    assert (status, [each["seq"] for each in events]) == (0, list(range(2, 10)))
    assert "1 place(s) are damaged" in said


@pytest.mark.parametrize("seed", range(5))
def test_no_damage_makes_a_dump_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    writer = JournalWriter.create(tmp_path, JournalHeader("j-1", 0, 7, "host", "", "w"))
    for number in range(50):
        writer.append(b'["R","t",5]' if number % 2 else encode_message(1, 5, span("x")))
    writer.close()
    (segment,) = (tmp_path / "journal" / "j-1").glob("*.seg")
    chance, data = random.Random(seed), bytearray(segment.read_bytes())
    for _ in range(40):
        data[chance.randrange(4000)] = chance.randrange(256)
    segment.write_bytes(data[: chance.randrange(1000, len(data))])
    _, found, _ = dumped(capsys, "journal", "dump", tmp_path)
    assert all("seq" in each or "journal" in each for each in found)


def test_a_newer_journal_is_refused_and_the_others_are_dumped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from otel_taskflow.journal.frame import pack

    newer = tmp_path / "journal" / "a-newer"
    newer.mkdir(parents=True)
    (newer / "00000001.seg").write_bytes(pack(0, b'{"format": 99}'))
    writer = JournalWriter.create(tmp_path, JournalHeader("j-1", 0, 7, "host", "", "w"))
    writer.append(b'["R","t",5]')
    writer.close()
    status, found, said = dumped(capsys, "journal", "dump", tmp_path)
    assert (status, len(found)) == (1, 2)
    assert "has format 99" in said


@pytest.mark.parametrize("what", ["journal", "spool"])
def test_where_there_is_nothing_it_says_what_to_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    status, found, said = dumped(capsys, what, "dump", tmp_path / "no")
    assert (status, found) == (1, [])
    assert "give" in said


@pytest.mark.parametrize("name", ["n" * 300, "a\0b"])
@pytest.mark.parametrize("what", ["journal", "spool"])
def test_a_path_that_cannot_be_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str, name: str
) -> None:
    status, found, said = dumped(capsys, what, "dump", tmp_path / name)
    assert (status, found) == (1, [])
    assert "it cannot be looked at: " in said


def test_a_reader_that_has_seen_enough_ends_it_quietly(tmp_path: Path) -> None:
    import subprocess
    import sys

    writer = JournalWriter.create(tmp_path, JournalHeader("j-1", 0, 7, "host", "", "w"))
    for _ in range(20_000):
        writer.append(b'["R","t",5]')
    writer.close()
    dump = f"{sys.executable} -m otel_taskflow journal dump {tmp_path} | head -1"
    said = subprocess.run(["sh", "-c", dump], capture_output=True, text=True, timeout=60, check=True)
    assert (len(said.stdout.splitlines()), said.stderr) == (1, "")


# Spools


SHOP = Source(resource("shop"), "", b"", "")


def fill(path: Path, number: int = 3) -> Spool:
    spool = Spool(path, {"tempo": Limits()})
    spool.open()
    spool.add([Message("tempo", "traces", SHOP, span(f"span {n:04d}"), n) for n in range(number)])
    spool.add([Message("loki", "logs", SHOP, log("paid"), 77)])
    spool.write(SpoolWrite("j-1", 5, [Message("loki", "logs", SHOP, log("held"), 78, "task:0")]))
    return spool


def test_messages_are_dumped_with_their_state_and_what_the_server_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spool = fill(spool_path(tmp_path))
    (first,) = spool.take("tempo", "traces", 1, 1)
    spool.quarantine("tempo", "traces", first.id, 400, "no name", 99)
    for place in (tmp_path, tmp_path / "spool", spool_path(tmp_path)):
        status, found, said = dumped(capsys, "spool", "dump", place)
        assert (status, said) == (0, "")
    assert [(each["state"], each["destination"], each["signal"]) for each in found] == [
        ("waiting", "tempo", "traces"),
        ("waiting", "tempo", "traces"),
        ("waiting", "loki", "logs"),
        ("held", "loki", "logs"),
        ("quarantined", "tempo", "traces"),
    ]
    assert found[0]["message"]["name"] == "span 0001"
    assert found[0]["message"]["traceId"] == "01" * 16
    assert found[0]["resource"]["attributes"][0]["value"] == {"stringValue": "shop"}
    assert found[3]["attempt"] == "task:0"
    assert (found[4]["status"], found[4]["answer"], found[4]["quarantined_at"]) == (400, "no name", 99)
    spool.close()


def test_a_spool_in_use_is_dumped_without_disturbing_it(tmp_path: Path) -> None:
    with running(tmp_path) as app:
        said = command("spool", "dump", tmp_path)
        app.say(3)
    assert (said.returncode, said.stderr) == (0, "")
    assert len(lines(said.stdout)) == 23


def test_a_damaged_spool_is_dumped_around_the_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = spool_path(tmp_path)
    fill(path, 3000).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    page = data.index(b"span 1500") // 4096 * 4096
    data[page : page + 4096] = b"\xff" * 4096
    path.write_bytes(data)
    status, found, said = dumped(capsys, "spool", "dump", path)
    assert status == 1
    assert "not all of what is waiting can be read" in said
    names = [each["message"]["name"] for each in found if each["signal"] == "traces"]
    assert len(names) == len(set(names))
    assert 2800 < len(names) < 3000
    assert {"span 0000", "span 2999"} <= set(names)
    assert [each["state"] for each in found][-1] == "held"


def test_what_is_no_spool_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE t (x)")
    text = tmp_path / "text.db"
    text.write_text("no database" * 100)
    store = tmp_path / "tasks.db"
    writer = SqliteStore(store).writer
    writer.open()
    writer.close()
    for path, words in (
        (other, "a database of something else"),
        (text, "this is no spool: it is not a database"),
        (store, "this is no spool: it has no table"),
    ):
        status, found, said = dumped(capsys, "spool", "dump", path)
        assert (status, found) == (1, [])
        assert words in said
        assert said.count("\n") == 1
        assert "move it away" not in said


def test_what_is_no_journal_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text"
    text.write_text("root:x:0:0:root:/root:/bin/bash\n" * 100)
    status, found, said = dumped(capsys, "journal", "dump", text)
    assert (status, found) == (1, [])
    assert f"{text}: this is no journal" in said
