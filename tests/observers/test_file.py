from __future__ import annotations

import errno
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.model import TaskStatus
from otel_taskflow.observers import FileLogger
from tests.conftest import ROOT
from tests.observers.stream import lifecycle_event, log_event

BACKUP = re.compile(r"app\.log(\.\d+)?$")


def everything(folder: Path) -> list[str]:
    """All lines in the file and what was rotated away."""
    files = sorted(path for path in folder.iterdir() if BACKUP.search(path.name))
    return [line for path in files for line in path.read_text().splitlines()]


def message_of(line: str) -> str:
    return line.split(" ", 3)[3]


def test_lines_and_by_default_no_changes_of_state_are_written(tmp_path: Path) -> None:
    log = FileLogger(tmp_path / "app.log")
    log.on_batch([lifecycle_event(), log_event("one"), log_event("two")])
    assert (tmp_path / "app.log").read_text() == (
        "[01234567] [send_email] 2026-01-31T12:00:00.123Z one\n[01234567] [send_email] 2026-01-31T12:00:00.123Z two\n"
    )


def test_changes_of_state_are_written_where_that_is_wanted(tmp_path: Path) -> None:
    log = FileLogger(tmp_path / "app.log", log_lifecycle=True)
    log.on_batch([lifecycle_event(), log_event("one"), lifecycle_event(TaskStatus.SUCCESS)])
    assert [message_of(line) for line in everything(tmp_path)] == ["-- RUNNING", "one", "-- SUCCESS"]


def test_what_is_below_min_level_is_left_out_changes_of_state_too(tmp_path: Path) -> None:
    log = FileLogger(tmp_path / "app.log", log_lifecycle=True, min_level="warning")
    log.on_batch([lifecycle_event(), log_event("info"), log_event("careful", level="warning")])
    log.on_batch([lifecycle_event(TaskStatus.INTERRUPTED), lifecycle_event(TaskStatus.FAILED)])
    assert [message_of(line) for line in everything(tmp_path)] == ["careful", "-- INTERRUPTED", "-- FAILED"]


def test_debug_lines_are_left_out_by_default_and_none_takes_all(tmp_path: Path) -> None:
    FileLogger(tmp_path / "app.log").on_log(log_event(level="debug"))
    assert not (tmp_path / "app.log").exists()
    FileLogger(tmp_path / "app.log", min_level=None).on_log(log_event(level="debug"))
    assert len(everything(tmp_path)) == 1


def test_a_message_with_a_line_end_stays_one_line(tmp_path: Path) -> None:
    FileLogger(tmp_path / "app.log").on_log(log_event("paid\r\n[deadbeef] [refund] forged \x1b[31m"))
    (line,) = (tmp_path / "app.log").read_bytes().splitlines()
    assert line.endswith(rb"paid\r\n[deadbeef] [refund] forged \x1b[31m")


def test_json_lines_parse(tmp_path: Path) -> None:
    log = FileLogger(tmp_path / "app.log", format="json", log_lifecycle=True)
    log.on_batch([log_event("a\nb", extra={"order": 1}), lifecycle_event(TaskStatus.SUCCESS)])
    first, second = map(json.loads, everything(tmp_path))
    assert (first["message"], first["extra"]) == ("a\nb", {"order": 1})
    assert second["status"] == "success"


def test_the_file_is_rotated_before_it_passes_its_size_and_only_so_many_backups_stay(tmp_path: Path) -> None:
    log = FileLogger(tmp_path / "app.log", max_bytes=200, backup_count=2)
    for number in range(40):
        log.on_log(log_event(f"line {number:02}"))
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir() if BACKUP.search(path.name)}
    assert sorted(sizes) == ["app.log", "app.log.1", "app.log.2"]
    assert max(sizes.values()) <= 200
    assert message_of((tmp_path / "app.log").read_text().splitlines()[-1]) == "line 39"
    older = "".join((tmp_path / name).read_text() for name in ("app.log.2", "app.log.1"))
    newest = [message_of(line) for line in older.splitlines()]
    assert newest == sorted(newest)


def test_a_batch_larger_than_a_file_is_spread_over_files(tmp_path: Path) -> None:
    log = FileLogger(tmp_path / "app.log", max_bytes=200, backup_count=99)
    log.on_batch([log_event(f"line {number:02}") for number in range(40)])
    assert sorted(map(message_of, everything(tmp_path))) == [f"line {number:02}" for number in range(40)]
    assert max(path.stat().st_size for path in tmp_path.iterdir()) <= 200


def test_a_line_longer_than_a_file_gets_a_file_of_its_own(tmp_path: Path) -> None:
    log = FileLogger(tmp_path / "app.log", max_bytes=100, backup_count=9)
    log.on_batch([log_event("a"), log_event("b" * 500), log_event("c")])
    assert [len(path.read_text().splitlines()) for path in tmp_path.iterdir() if BACKUP.search(path.name)] == [1, 1, 1]


@pytest.mark.parametrize("limits", [{"max_bytes": 0}, {"backup_count": 0}])
def test_a_limit_of_zero_means_never_rotated(tmp_path: Path, limits: dict[str, int]) -> None:
    log = FileLogger(tmp_path / "app.log", **{"max_bytes": 100, **limits})
    log.on_batch([log_event()] * 20)
    assert len((tmp_path / "app.log").read_text().splitlines()) == 20


WRITER = """
import sys
from otel_taskflow.observers import FileLogger
from tests.observers.stream import log_event

log = FileLogger(sys.argv[1], max_bytes=3000, backup_count=500)
print("ready", flush=True)
sys.stdin.readline()
for batch in range(40):
    log.on_batch([log_event(f"{sys.argv[2]}-{batch * 5 + number}") for number in range(5)])
"""


def start_writer(path: Path, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(path), name]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_several_processes_that_rotate_one_file_lose_and_tear_no_line(tmp_path: Path) -> None:
    writers = [start_writer(tmp_path / "app.log", name) for name in "abc"]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.communicate("go\n", timeout=60)
        assert writer.returncode == 0
    wanted = sorted(f"{name}-{number}" for name in "abc" for number in range(200))
    assert sorted(map(message_of, everything(tmp_path))) == wanted
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) > 10
    assert max(sizes) <= 3000


@pytest.mark.parametrize("mode", ["watched", "rotate"])
def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path, mode: Any) -> None:
    log = FileLogger(tmp_path / "app.log", mode=mode)
    log.on_log(log_event("before"))
    (tmp_path / "app.log").rename(tmp_path / "moved")
    log.on_log(log_event("after"))
    assert message_of((tmp_path / "moved").read_text().strip()) == "before"
    assert message_of((tmp_path / "app.log").read_text().strip()) == "after"


@pytest.mark.parametrize("mode", ["watched", "rotate"])
def test_a_line_that_a_full_disk_cut_off_is_ended_by_the_next_start(tmp_path: Path, mode: Any) -> None:
    (tmp_path / "app.log").write_text("whole\ncut o")
    log = FileLogger(tmp_path / "app.log", mode=mode)
    log.on_log(log_event("after"))
    log.on_log(log_event("the next"))
    assert everything(tmp_path)[:2] == ["whole", "cut o"]
    assert [message_of(line) for line in everything(tmp_path)[2:]] == ["after", "the next"]


def test_a_line_that_another_process_could_not_end_is_ended_by_us(tmp_path: Path) -> None:
    log = FileLogger(tmp_path / "app.log")
    log.on_log(log_event("before"))
    with (tmp_path / "app.log").open("a") as other:
        other.write("cut o")
    log.on_log(log_event("after"))
    assert [line.rsplit(" ", 1)[-1] for line in everything(tmp_path)] == ["before", "o", "after"]


@pytest.mark.parametrize("mode", ["watched", "rotate"])
def test_a_line_that_was_cut_off_in_a_file_moved_away_is_none_of_the_new_one(
    tmp_path: Path, mode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def write_half(fd: int, data: memoryview) -> int:
        if len(data) < 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, data[: len(data) - 5])

    log = FileLogger(tmp_path / "app.log", mode=mode)
    with monkeypatch.context() as disk:
        disk.setattr(os, "write", write_half)
        with pytest.raises(OSError, match="No space left"):
            log.on_log(log_event("before"))
    (tmp_path / "app.log").rename(tmp_path / "moved")
    log.on_log(log_event("after"))
    assert [message_of(line) for line in everything(tmp_path)] == ["after"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_only_be_written_is_written(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("before\n")
    (tmp_path / "app.log").chmod(0o200)
    FileLogger(tmp_path / "app.log").on_log(log_event("after"))
    (tmp_path / "app.log").chmod(0o600)
    assert len(everything(tmp_path)) == 2


def test_a_watched_file_is_never_rotated_by_us(tmp_path: Path) -> None:
    log = FileLogger(tmp_path / "app.log", mode="watched", max_bytes=100, backup_count=3)
    log.on_batch([log_event()] * 20)
    assert [path.name for path in tmp_path.iterdir()] == ["app.log"]


def test_the_folder_is_made_at_the_first_line_and_not_before(tmp_path: Path) -> None:
    log = FileLogger(tmp_path / "logs" / "deep" / "app.log")
    assert not (tmp_path / "logs").exists()
    log.on_log(log_event())
    assert (tmp_path / "logs" / "deep" / "app.log").exists()


def test_the_file_is_as_readable_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        FileLogger(tmp_path / "app.log").on_log(log_event())
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "app.log").stat().st_mode) == 0o640


def test_a_closed_logger_writes_again_when_it_is_started_again(tmp_path: Path) -> None:
    log = FileLogger(tmp_path / "app.log")
    log.on_log(log_event("one"))
    log.close()
    log.close()
    log.on_log(log_event("two"))
    assert [message_of(line) for line in everything(tmp_path)] == ["one", "two"]


def test_the_path_is_that_of_the_folder_in_which_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    log = FileLogger("app.log")
    monkeypatch.chdir(tmp_path / "elsewhere")
    log.on_log(log_event())
    assert (tmp_path / "app.log").exists()


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"path": ""}, "path=''"),
        ({"path": 5}, "path=5"),
        ({"max_bytes": -1}, "max_bytes=-1"),
        ({"max_bytes": "10 MB"}, "max_bytes='10 MB'"),
        ({"backup_count": True}, "backup_count=True"),
        (
            {"backup_count": 10**30},
            "backup_count=1000000000000000000000000000000): use a whole number, 0 or more and at most 10000",
        ),
        ({"path": "a\0b"}, "no file can have a NUL character in its name; use the path of a file"),
        ({"mode": "rotated"}, "mode='rotated'"),
        ({"format": "xml"}, "format='xml'"),
        ({"log_lifecycle": "yes"}, "log_lifecycle='yes'"),
        ({"min_level": "loud"}, "min_level='loud'"),
        ({"name": " "}, "name=' '"),
    ],
)
def test_a_bad_value_is_refused_at_once_by_name(tmp_path: Path, given: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(named)):
        FileLogger(**{"path": tmp_path / "app.log", **given})


@pytest.mark.parametrize(
    ("path", "given", "named"),
    [
        ("x" * 300, {}, "File name too long; use the path of a file that can be written"),
        ("x" * 251, {}, "a name in it takes 256 bytes with the end .lock, and at most 255 fit; use a shorter one"),
        ("x" * 250, {"backup_count": 10_000}, "256 bytes with the end .10000, "),
        ("later/" + "ä" * 128, {"mode": "watched"}, "a name in it takes 256 bytes, and at most 255 fit"),
        ("later/" + "x" * 256 + "/app.log", {}, "a name in it takes 256 bytes, and at most 255 fit"),
    ],
)
def test_a_name_that_is_too_long_for_a_file_is_refused_at_once(
    tmp_path: Path, path: str, given: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(named)):
        FileLogger(tmp_path / path, **given)


@pytest.mark.parametrize(("length", "mode"), [(250, "rotate"), (255, "watched")])
def test_the_longest_name_that_is_taken_is_written(tmp_path: Path, length: int, mode: Any) -> None:
    path = tmp_path / ("x" * length)
    FileLogger(path, mode=mode).on_log(log_event())
    assert path.exists()


def test_a_folder_is_refused_as_a_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a folder"):
        FileLogger(tmp_path)
