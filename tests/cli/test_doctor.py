"""The doctor: what it finds, what it advises, and that nobody notices it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from otel_taskflow import OTLPExporter, TaskManager
from otel_taskflow.cli import main
from otel_taskflow.cli.diagnosis import findings, folder, journals, providers, spool, store
from otel_taskflow.cli.diagnosis.findings import NOTE, OK, PROBLEM, Finding
from otel_taskflow.cli.diagnosis.refusals import remedy_of
from otel_taskflow.journal.lock import LOCK_NAME, is_held
from otel_taskflow.setup.buffer import spool_path
from otel_taskflow.spool import Limits, Message, Source, Spool
from otel_taskflow.testing.otlp_receiver import OTLPReceiver, Reply
from tests.cli.running import command, running


def levels(found: list[Finding], words: str) -> list[str]:
    return [each.level for each in found if words in each.text]


def test_it_tells_all_of_a_running_app_and_that_nothing_is_wrong(tmp_path: Path) -> None:
    with OTLPReceiver() as receiver, running(tmp_path, receiver.url, "otlp"):
        said = command("doctor", "--dir", tmp_path, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url})
    assert (said.returncode, said.stderr) == (0, "")
    for words in (
        f"Python {sys.version_info[0]}.{sys.version_info[1]}",
        "opentelemetry-sdk 1.",
        "with FTS5",
        "tracer provider: opentelemetry.trace.ProxyTracerProvider",
        "file system ",
        "are free",
        "tasks.db: 1 tasks",
        "its process lives",
        "otlp logs: ",
        f"OTEL_EXPORTER_OTLP_ENDPOINT={receiver.url}",
        f"traces to {receiver.url}/v1/traces: it answered 200",
        "Nothing is wrong.",
    ):
        assert words in said.stdout
    asked = [request.path for request in receiver.requests if request.body == b""]
    assert set(asked) == {"/v1/traces", "/v1/logs"}


def test_an_endpoint_that_does_not_answer_is_a_problem_with_a_remedy_if_the_environment_names_it(
    tmp_path: Path,
) -> None:
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    said = command("doctor", "--dir", tmp_path, environment=environment)
    assert said.returncode == 1
    assert "!!    traces to http://127.0.0.1:9/v1/traces: Connection refused" in said.stdout
    assert "-> see that a collector listens there, or correct the endpoint" in said.stdout
    assert "2 problem(s)" in said.stdout
    assert command("doctor", "--dir", tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (Reply(401, body="the key s3cr3t-key is wrong"), "401"),
        (Reply(404), "give the base address"),
        (Reply(503), "503"),
    ],
)
def test_an_endpoint_that_refuses_is_told_with_its_text_and_without_our_keys(
    tmp_path: Path, reply: Reply, says: str
) -> None:
    with OTLPReceiver([reply, reply]) as receiver:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=s3cr3t-key",
        }
        said = command("doctor", "--dir", tmp_path, environment=environment)
    assert said.returncode == 1
    assert says in said.stdout
    assert "s3cr3t-key" not in said.stdout
    assert "OTEL_EXPORTER_OTLP_HEADERS=***" in said.stdout


def test_what_variables_hold_that_is_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://ann:s3cr3t@127.0.0.1:9")
    monkeypatch.setenv("OTEL_OUR_VENDORS_TOKEN", "s3cr3t")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    said = [each.text for each in providers.check(None)]
    assert [text for text in said if "s3cr3t" in text] == []
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://ann:[redacted:url_credentials]@127.0.0.1:9" in said
    assert "OTEL_OUR_VENDORS_TOKEN=[redacted:token]" in said
    assert "OTEL_SERVICE_NAME=shop" in said


def test_one_that_never_answers_is_not_waited_for(tmp_path: Path) -> None:
    with OTLPReceiver([Reply(delay=20.0)] * 2) as receiver:
        begin = time.monotonic()
        said = command("doctor", "--dir", tmp_path, environment={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url})
        assert time.monotonic() - begin < 15
    assert "no answer within 3 s" in said.stdout


def test_a_running_app_does_not_notice_it(tmp_path: Path) -> None:
    """In the process of the app itself, where closing one of its files would let all of its locks go."""
    manager = TaskManager(dir=tmp_path, observers=[OTLPExporter("http://127.0.0.1:9", name="away")])
    manager.start()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    main(["doctor", "--dir", str(tmp_path)])
    journal = manager.runtime.writer.folder
    assert journal is not None
    for lock in (journal / LOCK_NAME, tmp_path / "spool" / "away.traces.lock"):
        assert is_held(lock)
        assert held_for_others(lock)
    assert set(before) <= {path for path in tmp_path.rglob("*") if path.is_file()}
    manager.close(grace=0)


def held_for_others(lock: Path) -> bool:
    """Asked by another process, which is who the lock is for."""
    program = (
        f"from otel_taskflow.journal.lock import is_held; from pathlib import Path; print(is_held(Path({str(lock)!r})))"
    )
    import subprocess

    return (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "True\n"
    )


def test_what_a_dead_process_left_is_told_and_left_alone(tmp_path: Path) -> None:
    with running(tmp_path) as app:
        app.die()
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.seg")}
    found = list(journals.check(tmp_path, tmp_path / "tasks.db"))
    assert levels(found, "its process is dead") == [NOTE]
    assert "0 not in the store yet" in found[0].text
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.seg")} == files
    assert not list(tmp_path.rglob("dead"))


def test_a_dead_journal_that_a_living_neighbour_leaves_alone_is_a_problem(tmp_path: Path) -> None:
    with running(tmp_path) as app:
        app.die()
    (dead,) = (tmp_path / "journal").iterdir()
    shutil.copytree(dead, tmp_path / "kept")
    manager = TaskManager(dir=tmp_path)
    manager.start()
    deadline = time.monotonic() + 10
    while dead.exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    manager.runtime.takeover.stop()  # type: ignore[union-attr]
    shutil.copytree(tmp_path / "kept", dead, ignore=shutil.ignore_patterns("dead"))
    long_ago = time.time() - 3600
    for path in (*dead.iterdir(), dead):
        os.utime(path, (long_ago, long_ago))
    found = list(journals.check(tmp_path, tmp_path / "tasks.db"))
    assert levels(found, "nobody takes it over") == [PROBLEM]
    assert levels(found, "its process lives") == [OK]
    manager.close()


def test_a_journal_of_a_newer_release_is_a_problem(tmp_path: Path) -> None:
    with running(tmp_path) as app:
        app.die()
    from otel_taskflow.journal.frame import pack

    (segment,) = sorted(tmp_path.rglob("*.seg"))[:1]
    segment.write_bytes(pack(0, b'{"format": 99}') + pack(1, b"{}"))
    for other in sorted(tmp_path.rglob("*.seg"))[1:]:
        other.unlink()
    assert levels(list(journals.check(tmp_path, None)), "has format 99") == [PROBLEM]


SOURCE = Source(b"", "", b"", "")


def filled(path: Path) -> Spool:
    made = Spool(path, {"tempo": Limits(max_bytes=5_000)})
    made.open()
    made.add([Message("tempo", "traces", SOURCE, b"x" * 1000, time.time_ns() - 3_600_000_000_000) for _ in range(10)])
    return made


def test_what_was_lost_and_what_is_in_quarantine_is_told_with_the_servers_text(tmp_path: Path) -> None:
    path = spool_path(tmp_path)
    made = filled(path)
    (first,) = made.take("tempo", "traces", 1, 1)
    made.quarantine("tempo", "traces", first.id, 400, "span name is \x1b[31mempty", time.time_ns())
    made.close()
    found = list(spool.check(path, tmp_path))
    assert levels(found, "tempo traces: lost since then: disk_budget 6, quarantined 1") == [NOTE]
    assert levels(found, "1 in quarantine") == [PROBLEM]
    assert levels(found, "tempo traces: 3 wait") == [NOTE]


@pytest.mark.parametrize(
    ("answer", "setting"),
    [
        ("it answered 400 Bad Request: entry too far behind, entry timestamp is: 1, oldest", "time_sharding_enabled"),
        ("it answered 400 Bad Request: entry for stream '{}' has timestamp too old: 1", "reject_old_samples_max_age"),
        ("it answered 400 Bad Request: entry for stream '{}' has timestamp too new: 1", "NTP"),
        ("it answered 400 Bad Request: max entry size '1' bytes exceeded for stream '{}'", "max_line_size"),
        ("it answered 400 Bad Request: span name is empty", "change what the server refuses"),
    ],
)
def test_the_remedy_of_a_refusal_is_the_setting_that_its_words_are_about(answer: str, setting: str) -> None:
    assert setting in remedy_of(answer)
    assert "spool dump" in remedy_of(answer)


def test_a_backlog_that_no_running_process_sends_is_a_problem(tmp_path: Path) -> None:
    filled(spool_path(tmp_path)).close()
    manager = TaskManager(dir=tmp_path)
    manager.start()
    found = list(spool.check(spool_path(tmp_path), tmp_path))
    manager.close()
    assert levels(found, "nobody sends") == [PROBLEM]


def test_what_waits_is_sent_only_by_an_app_that_has_its_destination_and_the_doctor_says_so(tmp_path: Path) -> None:
    manager = TaskManager(dir=tmp_path, observers=[OTLPExporter("http://127.0.0.1:9", name="renamed")])
    manager.start()
    manager.add_task(print)
    assert manager.drain()
    assert not manager.force_flush(0.5)
    manager.close(grace=0)
    found = list(spool.check(spool_path(tmp_path), tmp_path))
    assert levels(found, "sent when an app starts that has a destination of this name") == [NOTE, NOTE]
    said = command("doctor", "--dir", tmp_path).stdout
    assert "renamed is in the spool; only an app with a destination of this name" in said


@pytest.mark.parametrize("what", ["store", "spool"])
def test_a_file_that_is_no_database_is_a_problem(tmp_path: Path, what: str) -> None:
    path = tmp_path / "tasks.db" if what == "store" else spool_path(tmp_path)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"this is no database" * 100)
    found = list(store.check(None, tmp_path) if what == "store" else spool.check(path, tmp_path))
    assert [each.level for each in found] == [PROBLEM]
    assert "not a database" in found[0].text


def test_a_damaged_store_that_was_put_aside_is_told(tmp_path: Path) -> None:
    (tmp_path / "tasks.db").write_bytes(b"this is no database" * 100)
    manager = TaskManager(dir=tmp_path)
    manager.start()
    manager.close()
    found = list(store.check(None, tmp_path))
    assert [each.level for each in found] == [NOTE, OK]
    assert str(next(tmp_path.glob("tasks.db.corrupt-*"))) in found[0].text


def test_other_kinds_of_stores_cannot_be_looked_at(tmp_path: Path) -> None:
    assert [each.level for each in store.check("memory", tmp_path)] == [NOTE]
    assert levels(list(store.check(None, tmp_path)), "not there yet") == [NOTE]


def test_a_folder_that_is_not_there_is_a_problem_only_if_it_was_named(tmp_path: Path) -> None:
    assert [each.level for each in folder.check(tmp_path / "no", is_expected=True)] == [PROBLEM]
    assert [each.level for each in folder.check(tmp_path / "no", is_expected=False)] == [NOTE]


@pytest.mark.parametrize(("kind", "level"), [("nfs4", PROBLEM), ("tmpfs", NOTE), ("ext4", OK), (None, OK)])
def test_file_systems_that_are_not_dependable_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str | None, level: str
) -> None:
    monkeypatch.setattr(folder, "file_system_of", lambda _: kind)
    assert levels(list(folder.check(tmp_path, is_expected=True)), "file system") == [level]


def test_a_full_disk_and_open_permissions_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "LITTLE_SPACE", 2**62)
    tmp_path.chmod(0o755)
    found = list(folder.check(tmp_path, is_expected=True))
    assert levels(found, "are free") == [PROBLEM]
    assert levels(found, "other users can look into it (mode 755)") == [NOTE]


def test_the_providers_of_an_app_are_seen_when_its_module_is_imported(tmp_path: Path) -> None:
    (tmp_path / "shop_app.py").write_text(
        "from opentelemetry import trace\n"
        "from opentelemetry.sdk.resources import Resource\n"
        "from opentelemetry.sdk.trace import TracerProvider\n"
        "from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SimpleSpanProcessor\n"
        "provider = TracerProvider(resource=Resource.create({'service.name': 'shop'}))\n"
        "provider.add_span_processor(BatchSpanProcessor(ConsoleSpanExporter()))\n"
        "provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter()))\n"
        "trace.set_tracer_provider(provider)\n"
    )
    said = command("doctor", "--app", "shop_app:app", environment={"PYTHONPATH": str(tmp_path)})
    assert "tracer provider: opentelemetry.sdk.trace.TracerProvider (service shop, sampler ParentBased" in said.stdout
    assert "to BatchSpanProcessor > ConsoleSpanExporter, SimpleSpanProcessor > ConsoleSpanExporter)" in said.stdout
    assert command("doctor", "--app", "no_such_module").returncode == 1


def test_the_store_is_the_one_that_the_app_names_in_its_code(tmp_path: Path) -> None:
    (tmp_path / "store_app.py").write_text(
        "from otel_taskflow import TaskManager\n"
        f"tasks = TaskManager(dir={str(tmp_path / 'state')!r}, store={str(tmp_path / 'mine.db')!r})\n"
    )
    manager = TaskManager(dir=str(tmp_path / "state"), store=str(tmp_path / "mine.db"))
    manager.add_task(print, 1)
    manager.close()
    said = command("doctor", "--app", "store_app", environment={"PYTHONPATH": str(tmp_path)})
    assert f"Folder {tmp_path / 'state'}\n" in said.stdout
    assert f"{tmp_path / 'mine.db'}: 1 tasks" in said.stdout
    assert "--app MODULE" in command("doctor", "--dir", tmp_path).stdout


def test_a_file_in_place_of_the_folder_and_a_folder_in_place_of_the_store_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "tasks.db").mkdir()
    assert levels(list(folder.check(tmp_path / "file", is_expected=True)), "this is a file, not a folder") == [PROBLEM]
    assert levels(list(store.check(None, tmp_path)), "tasks.db is a folder") == [PROBLEM]


def test_a_check_that_raises_is_a_problem_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(providers, "describe_providers", lambda: 1 / 0)
    assert main(["doctor", "--dir", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "OpenTelemetry cannot be looked at: ZeroDivisionError" in said
    assert "Destinations" in said


def test_settings_that_cannot_be_used_are_told() -> None:
    said = command("doctor", environment={"OTEL_TASKFLOW_RETENTION_DAYS": "soon"})
    assert said.returncode == 1
    assert "OTEL_TASKFLOW_RETENTION_DAYS='soon'" in said.stderr
    said = command("doctor", environment={"OTEL_TASKFLOW_STORE": "redis://x"})
    assert (said.returncode, said.stderr.count("\n")) == (1, 1)
    assert "store='redis://x' is not supported" in said.stderr


def test_a_level_of_capture_logging_that_no_manager_takes_is_told() -> None:
    said = command("doctor", environment={"OTEL_TASKFLOW_CAPTURE_LOGGING": "loud"})
    assert (said.returncode, said.stderr.count("\n")) == (1, 1)
    assert "capture_logging='loud': use DEBUG, INFO" in said.stderr


def test_that_a_disabled_manager_keeps_no_task_is_told(tmp_path: Path) -> None:
    says = "note  the manager 'default' is disabled: its tasks are plain background tasks, none of them is kept"
    said = command("doctor", "--dir", tmp_path, environment={"OTEL_TASKFLOW_DISABLED": "1"})
    assert (said.returncode, said.stdout.count(says)) == (0, 1)
    (tmp_path / "off_app.py").write_text(
        "from otel_taskflow import TaskManager\n"
        f"on = TaskManager(dir={str(tmp_path)!r}, name='on')\n"
        f"off = TaskManager(dir={str(tmp_path)!r}, disabled=True)\n"
    )
    said = command("doctor", "--app", "off_app", environment={"PYTHONPATH": str(tmp_path)})
    assert (said.returncode, said.stdout.count(says)) == (0, 1)


def test_an_app_whose_module_ends_the_process_is_a_problem_and_the_checks_go_on(tmp_path: Path) -> None:
    (tmp_path / "script_app.py").write_text("import sys\nsys.exit(0)\n")
    said = command("doctor", "--dir", tmp_path, "--app", "script_app", environment={"PYTHONPATH": str(tmp_path)})
    assert said.returncode == 1
    assert "!!    --app script_app: script_app ends the process that imports it: sys.exit(0)" in said.stdout
    assert "Destinations" in said.stdout


def test_figures_are_for_people() -> None:
    assert [findings.size(each) for each in (0, 999, 1000, 123_456, 5e9, 7e15)] == [
        "0 B", "999 B", "1.0 kB", "123 kB", "5.0 GB", "7000.0 TB",
    ]  # fmt: skip
    assert [findings.age(each) for each in (-1, 5, 300, 7200, 200_000)] == ["0 s", "5 s", "5 min", "2 h", "2 d"]
    assert findings.moment(2**70) == str(2**70)
