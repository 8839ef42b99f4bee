"""The file: its mode and schema, several processes, forks, kills, a disk without room."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from otel_taskflow.errors import SpoolError
from otel_taskflow.spool import Limits, Spool
from otel_taskflow.spool.statements import MIGRATIONS
from otel_taskflow.sqlite.connection import connect
from tests.spool.support import (
    TEMPO,
    asides,
    bodies,
    check_file,
    ids,
    message,
    numbered,
    numbers,
    opened,
    run_python,
    slice_of,
    sql,
    start_python,
)

# Mode and schema


def test_the_file_and_its_companions_are_for_its_owner_alone(path: Path) -> None:
    previous = os.umask(0)
    try:
        spool = opened(path.parent / "new folder" / "spool.db")
        spool.add([message()])
    finally:
        os.umask(previous)
    files = {each.name: oct(each.stat().st_mode & 0o777) for each in (path.parent / "new folder").iterdir()}
    assert files.keys() >= {"spool.db", "spool.db-wal", "spool.db-shm"}
    assert set(files.values()) == {"0o600"}
    assert oct((path.parent / "new folder").stat().st_mode & 0o777) == "0o700"
    spool.close()


def test_what_is_stored_is_there_after_a_restart(path: Path) -> None:
    spool = opened(path)
    spool.write(slice_of(3, [message("a"), message("b", held_for="t:0")], open_attempts={"t:0": b"state"}))
    spool.close()
    spool = opened(path)
    assert (spool.offset("journal-a"), spool.open_attempt("t:0"), bodies(spool)) == (3, b"state", ["a"])
    spool.write(slice_of(4, released=[(TEMPO, "t:0")]))
    assert bodies(spool) == ["a", "b"]
    spool.close()
    check_file(path)


def test_a_new_file_knows_its_schema(path: Path) -> None:
    opened(path).close()
    assert sql(path, "SELECT version, compatible_from FROM schema_version") == [
        (each.version, each.compatible_from) for each in MIGRATIONS
    ]
    assert sql(path, "PRAGMA journal_mode") == [("wal",)]


def test_a_file_of_a_newer_release_is_refused_untouched(path: Path) -> None:
    opened(path).close()
    sql(path, "INSERT INTO schema_version VALUES (99, 50, 0, '9.9')")
    sql(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    before = path.read_bytes()
    with pytest.raises(SpoolError, match=r"schema 99.*Upgrade"):
        opened(path)
    assert path.read_bytes() == before
    assert asides(path) == []


def test_a_database_of_something_else_is_refused_untouched(path: Path) -> None:
    sql(path, "CREATE TABLE users (name)")
    before = path.read_bytes()
    with pytest.raises(SpoolError, match="something else; choose another file for dir="):
        opened(path)
    assert path.read_bytes() == before
    assert asides(path) == []


def test_a_path_that_cannot_be_is_an_error_with_a_remedy(path: Path) -> None:
    path.write_text("a file")
    with pytest.raises(SpoolError, match=rf"{path}.*write access"):
        opened(path / "spool.db")


def test_commits_are_synced_where_a_power_cut_must_not_lose_them(path: Path) -> None:
    spool = Spool(path, {}, syncs_commits=True)
    spool.open()
    spool.add([message("a")])
    spool.close()
    connection = connect(path, syncs_commits=True)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    connection.close()


# Other processes and threads

WRITER = """
import sys
from pathlib import Path
from otel_taskflow.spool import Spool
from tests.spool.support import numbered, slice_of
spool = Spool(Path(sys.argv[1]), {})
spool.open()
for offset in range(1, 101):
    spool.write(slice_of(offset, numbered(range(offset * 10, offset * 10 + 10)), sys.argv[2]))
spool.close()
"""


def test_processes_that_create_and_fill_one_file_while_another_empties_it_lose_nothing(path: Path) -> None:
    writers = [start_python(WRITER, path, name) for name in "abc"]
    spool = opened(path)
    arrived: list[int] = []
    deadline = time.monotonic() + 60
    while len(arrived) < 3000 and time.monotonic() < deadline:
        taken = spool.take(TEMPO, "traces", 77, 1 << 20)
        spool.done(TEMPO, "traces", ids(taken))
        arrived += numbers(taken)
    for each in writers:
        _, errors = each.communicate(timeout=60)
        assert each.returncode == 0, errors
    assert sorted(arrived) == sorted(list(range(10, 1010)) * 3)
    assert [spool.offset(name) for name in "abc"] == [100] * 3
    assert spool.delivered(TEMPO, "traces").delivered == 3000
    assert spool.dropped() == {}
    spool.close()
    check_file(path)


def test_taking_does_not_wait_for_a_slice_that_is_being_written(path: Path) -> None:
    spool = opened(path)
    spool.add([message("a")])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = threading.Thread(target=spool.add, args=([message("b")],))
    waiting.start()
    try:
        assert bodies(spool) == ["a"]
        assert spool.backlog(TEMPO, "traces").messages == 1
        assert waiting.is_alive()
    finally:
        other.execute("ROLLBACK")
        other.close()
        waiting.join(10)
    assert bodies(spool) == ["a", "b"]
    spool.close()


def test_threads_that_fill_and_empty_one_spool_lose_nothing(spool: Spool) -> None:
    def fill(name: str) -> None:
        for offset in range(1, 41):
            spool.write(slice_of(offset, numbered(range(offset * 10, offset * 10 + 10)), name))

    threads = [threading.Thread(target=fill, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    arrived = 0
    while any(thread.is_alive() for thread in threads) or spool.backlog(TEMPO, "traces").messages:
        taken = ids(spool.take(TEMPO, "traces", 50, 1 << 20))
        spool.done(TEMPO, "traces", taken)
        arrived += len(taken)
    assert arrived == spool.delivered(TEMPO, "traces").delivered == 1200


FORKING = """
import os, sys, threading, warnings
from pathlib import Path
from tests.spool.support import TEMPO, bodies, message, opened
warnings.simplefilter("ignore", DeprecationWarning)  # of fork() beside threads: that is what is tested
spool = opened(None if sys.argv[1] == "memory" else Path(sys.argv[1]))
spool.add([message("of parent")])
bodies(spool)
ends = threading.Event()
def busy():
    while not ends.is_set():
        spool.add([message("of thread", signal="logs")])
thread = threading.Thread(target=busy)
thread.start()
for number in range(3):
    child = os.fork()
    if not child:
        spool.add([message(f"of child {number}")])
        print(*bodies(spool), sep=", ", flush=True)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
ends.set()
thread.join()
spool.add([message("again")])
print(*bodies(spool), sep=", ")
spool.close()
"""


def test_a_forked_child_opens_a_connection_of_its_own(path: Path) -> None:
    everything = "of parent, of child 0, of child 1, of child 2"
    assert run_python(FORKING, path).splitlines() == [
        everything[: len("of parent, of child 0")],
        everything[: len("of parent, of child 0, of child 1")],
        everything,
        f"{everything}, again",
    ]
    check_file(path)


def test_a_forked_child_of_a_spool_in_memory_starts_with_an_empty_one() -> None:
    assert run_python(FORKING, "memory").splitlines() == [
        "of child 0",
        "of child 1",
        "of child 2",
        "of parent, again",
    ]


# Kills

KILLED = """
import sys
from pathlib import Path
from tests.spool.support import TEMPO, ids, numbered, opened, slice_of
spool = opened(Path(sys.argv[1]))
offset = spool.offset("journal-a")
print("begins", flush=True)
while True:
    offset += 1
    spool.write(slice_of(offset, numbered(range(20), size=500), open_attempts={"t:0": b"%d" % offset}))
    if offset % 5 == 0:
        spool.done(TEMPO, "traces", ids(spool.take(TEMPO, "traces", 30, 1 << 20)))
"""


@pytest.mark.slow
def test_a_process_killed_while_it_writes_leaves_slices_that_are_whole(path: Path) -> None:
    offset = 0
    for round_ in range(6):
        with start_python(KILLED, path) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(0.15 + 0.037 * round_)
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
        spool = opened(path)
        before, offset = offset, spool.offset("journal-a")
        assert offset > before
        assert spool.open_attempt("t:0") == b"%d" % offset
        waiting, delivered = spool.backlog(TEMPO, "traces").messages, spool.delivered(TEMPO, "traces").delivered
        assert waiting + delivered == 20 * offset
        assert spool.dropped() == {}
        spool.close()
        check_file(path)


# Disks

FULL = """
import resource, sys
from pathlib import Path
from otel_taskflow.errors import SpoolError
from otel_taskflow.spool import Source
from tests.spool.support import TEMPO, bodies, message, numbered, opened, slice_of
spool = opened(Path(sys.argv[1]))
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
calls = []
spool.on_write(lambda: calls.append("call"))
def slice_with_a_source(offset):
    source = Source(b"source %d" % offset, "", b"", "")
    return slice_of(offset, [message(b"x" * 2000, source=source) for _ in range(100)])
offset = 0
try:
    while offset < 100:
        spool.write(slice_with_a_source(offset + 1))
        offset += 1
except SpoolError as error:
    print(error)
assert 0 < offset == spool.offset("journal-a") == len(calls), offset
assert spool.health().state == "degraded"
print(spool.health().remedy)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
for offset in range(offset + 1, offset + 11):
    spool.write(slice_with_a_source(offset))
assert spool.health().state == "ok"
taken = spool.take(TEMPO, "traces", 1_000_000, 1 << 40)
assert [each.source.resource for each in taken[::100]] == [b"source %d" % n for n in range(1, offset + 1)]
assert len(taken) == offset * 100
spool.close()
"""


def test_a_disk_without_room_is_an_error_with_a_remedy_and_writing_goes_on_when_there_is_some(path: Path) -> None:
    said = run_python(FULL, path)
    assert said.startswith(f"spool {path}: ")
    assert "check that disk" in said or "free some space" in said
    assert asides(path) == []
    check_file(path)


def test_a_spool_locked_by_another_process_waits_for_it(path: Path) -> None:
    spool = opened(path)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
    release.start()
    spool.add([message("a")])
    release.join()
    other.close()
    assert bodies(spool) == ["a"]
    spool.close()


# Health


def test_a_sound_spool_says_what_it_holds(spool: Spool) -> None:
    spool.add([message("abc"), message("d", held_for="t:0")])
    health = spool.health()
    assert (health.part, health.state, health.why) == ("spool", "ok", "")
    assert health.figures["messages"] == 1
    assert health.figures["bytes"] == 3
    assert health.figures["held"] == 1
    assert health.figures["dropped"] == 0


def test_a_spool_that_cannot_be_read_has_failed(path: Path) -> None:
    spool = Spool(path, {TEMPO: Limits()})
    assert spool.health().state == "failed"
    assert "not open" in spool.health().why
