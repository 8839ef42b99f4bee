"""What is true of the SQLite store only: the file, its schema, other processes, forks."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from otel_taskflow.errors import ConfigurationError, StoreError, StoreVersionError
from otel_taskflow.ports import StoreWrite
from otel_taskflow.sqlite.checkpoint import WAL_LIMIT
from otel_taskflow.sqlite.connection import connect
from otel_taskflow.stores.opening import open_store
from otel_taskflow.stores.sqlite.schema import MIGRATIONS
from otel_taskflow.stores.sqlite.store import SqliteStore
from otel_taskflow.testing.store_rows import ask, make_line, make_task
from tests.conftest import ROOT
from tests.stores.conftest import sql


def run_python(program: str, *arguments: object, timeout: float = 30.0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=ROOT, check=False)


# The schema


def test_a_new_file_has_the_modes_that_must_be_set_first(path: Path) -> None:
    store = SqliteStore(path)
    store.writer.open()
    store.writer.close()
    assert sql(path, "PRAGMA auto_vacuum") == [(2,)]
    assert sql(path, "PRAGMA journal_mode") == [("wal",)]
    assert sql(path, "SELECT version, compatible_from FROM schema_version") == [
        (each.version, each.compatible_from) for each in MIGRATIONS
    ]


def make_newer(path: Path, compatible_from: int) -> None:
    store = SqliteStore(path)
    store.writer.open()
    store.writer.write(StoreWrite("journal-a", 1, [make_task()]))
    store.writer.close()
    sql(path, f"INSERT INTO schema_version VALUES (99, {compatible_from}, 0, '9.9')")
    sql(path, "CREATE TABLE of_the_future (x)")
    sql(path, "PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.mark.failure("C16")
def test_a_newer_schema_that_is_compatible_is_used_as_it_is(path: Path) -> None:
    make_newer(path, compatible_from=1)
    store = SqliteStore(path)
    store.writer.open()
    assert store.writer.load_tasks(["task-1"])
    store.writer.close()
    assert sql(path, "SELECT max(version) FROM schema_version") == [(99,)]


@pytest.mark.failure("C16")
def test_a_newer_schema_that_is_not_compatible_is_refused_untouched(path: Path) -> None:
    make_newer(path, compatible_from=50)
    before = path.read_bytes()
    store = SqliteStore(path)
    with pytest.raises(StoreVersionError, match=r"schema 99.*Upgrade"):
        store.writer.open()
    with pytest.raises(StoreError, match="not open"):
        store.writer.owners()
    assert path.read_bytes() == before


def test_a_database_of_something_else_is_refused_untouched(path: Path) -> None:
    sql(path, "CREATE TABLE users (name)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="something else"):
        SqliteStore(path).writer.open()
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"this is no database at all, but a letter " * 99])
def test_a_file_that_is_no_database_is_put_aside_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    store = SqliteStore(path)
    store.writer.open()
    aside = store.put_aside()
    assert aside is not None
    assert aside.read_bytes() == content
    assert store.writer.usage()[:2] == (0, 0)
    store.writer.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_a_store_error_with_a_remedy(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="write access"):
        SqliteStore(tmp_path / "tasks.db").writer.open()


def test_a_path_that_cannot_be_is_a_store_error_with_a_remedy(path: Path) -> None:
    path.write_text("")
    with pytest.raises(StoreError, match="write access"):
        SqliteStore(path / "tasks.db").writer.open()


KILLED_MIGRATION = """
import os, signal, sqlite3, sys
from pathlib import Path
from otel_taskflow.stores.opening import open_store
from otel_taskflow.stores.sqlite.store import SqliteStore
count = 0
class Killed(sqlite3.Connection):
    def execute(self, statement, *parameters):
        global count
        count += 1
        if count == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().execute(statement, *parameters)
import otel_taskflow.sqlite.connection as module
class Driver:
    Connection = Killed
    def __getattr__(self, name):
        return getattr(sqlite3, name)
module.sqlite3 = Driver()
SqliteStore(Path(sys.argv[1])).writer.open()
print(count)
"""


@pytest.mark.failure("S12")
@pytest.mark.slow
def test_a_migration_killed_anywhere_is_completed_by_the_next_start(path: Path) -> None:
    whole = run_python(KILLED_MIGRATION, path, 0)
    assert whole.returncode == 0, whole.stderr
    statements = int(whole.stdout)
    assert statements > 30
    for at in range(1, statements + 1, 3):
        file = path.with_name(f"killed-{at}.db")
        assert run_python(KILLED_MIGRATION, file, at).returncode == -signal.SIGKILL
        store = SqliteStore(file)
        store.writer.open()
        store.writer.write(StoreWrite("journal-a", 1, [make_task(tags={"a": "b"})], (), [make_line()]))
        assert store.writer.usage()[:2] == (1, 1)
        store.writer.close()
        assert sql(file, "PRAGMA integrity_check") == [("ok",)]
        assert sql(file, "PRAGMA auto_vacuum") == [(2,)]


KILLED_IN_A_STATEMENT = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("CREATE TABLE half (text)")
connection.executemany("INSERT INTO half VALUES (?)", [("x" * 3000,)] * 100)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.failure("C2")
def test_a_file_whose_maker_was_killed_inside_a_statement_is_made_by_the_next_start(path: Path) -> None:
    assert run_python(KILLED_IN_A_STATEMENT, path).returncode == -signal.SIGKILL
    assert path.with_name(f"{path.name}-journal").stat().st_size > 0
    store = SqliteStore(path)
    store.writer.open()
    assert store.writer.usage()[:2] == (0, 0)
    store.writer.close()


# Other processes

WRITER = """
import sys
from pathlib import Path
from otel_taskflow.ports import StoreWrite
from otel_taskflow.stores.opening import open_store
from otel_taskflow.stores.sqlite.store import SqliteStore
from otel_taskflow.testing.store_rows import make_line, make_task
path, name = Path(sys.argv[1]), sys.argv[2]
writer = SqliteStore(path).writer
writer.open()
for offset in range(1, 201):
    lines = [make_line(f"task-{name}", offset * 10 + number) for number in range(10)]
    writer.write(StoreWrite(name, offset, [make_task(f"task-{name}", owner=name)], (), lines))
writer.claim("nobody", name)
print(len(writer.claim("dead", name)))
writer.close()
"""


def test_processes_that_create_and_write_one_file_lose_nothing(path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", WRITER, str(path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    processes = [subprocess.Popen([*command, name], **pipes) for name in "abc"]  # type: ignore[call-overload]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    store = SqliteStore(path)
    store.writer.open()
    assert store.writer.usage()[:2] == (3, 6000)
    assert [store.writer.offset(name) for name in "abc"] == [200] * 3
    assert len(ask(store, lambda reader: reader.get_logs("task-b", limit=9999))) == 2000
    store.writer.close()
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]
    assert sql(path, "INSERT INTO log_fts (log_fts) VALUES ('integrity-check')") == []


@pytest.mark.failure("C15")
def test_a_forked_child_opens_a_connection_of_its_own(path: Path) -> None:
    program = """
import asyncio, os, sys, warnings
from pathlib import Path
from otel_taskflow.ports import StoreWrite
from otel_taskflow.stores.opening import open_store
from otel_taskflow.stores.sqlite.store import SqliteStore
from otel_taskflow.testing.store_rows import make_task
warnings.simplefilter("ignore", DeprecationWarning)  # of fork() beside threads: that is what is tested
store = SqliteStore(Path(sys.argv[1]))
store.writer.open()
store.writer.write(StoreWrite("a", 1, [make_task("of-parent")]))
reader = store.reader()
loop = asyncio.new_event_loop()
assert loop.run_until_complete(reader.last_change()) == 1
child = os.fork()
if not child:
    store.writer.write(StoreWrite("b", 1, [make_task("of-child")]))
    answer = asyncio.new_event_loop().run_until_complete(asyncio.wait_for(reader.last_change(), 10))
    os._exit(0 if answer == 2 and len(store.writer.load_tasks(["of-parent", "of-child"])) == 2 else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
store.writer.write(StoreWrite("a", 2, [make_task("again")]))
assert loop.run_until_complete(reader.last_change()) == 3
loop.run_until_complete(reader.aclose())
loop.close()
store.writer.close()
"""
    done = run_python(program, path)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_nobody_closes_does_not_keep_the_process_alive(path: Path) -> None:
    program = """
import asyncio, os, sys
from pathlib import Path
from otel_taskflow.stores.opening import open_store
from otel_taskflow.stores.sqlite.store import SqliteStore
store = SqliteStore(Path(sys.argv[1]))
store.writer.open()
reader = store.reader()
loop = asyncio.new_event_loop()
loop.run_until_complete(reader.last_change())
print("done", flush=True)
"""
    assert run_python(program, path, timeout=10).stdout == "done\n"


# Locks


def test_questions_do_not_wait_for_a_slice_that_is_being_written(path: Path) -> None:
    store = SqliteStore(path)
    store.writer.open()
    store.writer.write(StoreWrite("journal-a", 1, [make_task(idempotency_key="key")]))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    slice_ = StoreWrite("journal-a", 2, [make_task("task-2")])
    waiting = threading.Thread(target=store.writer.write, args=(slice_,))
    waiting.start()
    try:
        assert store.writer.find_idempotent("send_email", "key") == "task-1"
        assert store.writer.load_tasks(["task-1", "task-2"]).keys() == {"task-1"}
        assert store.writer.take_commands("journal-a") == []
        store.writer.maintain()
        assert waiting.is_alive()
    finally:
        other.execute("ROLLBACK")
        other.close()
        waiting.join(10)
    assert store.writer.offset("journal-a") == 2
    store.writer.close()


def test_the_write_ahead_log_is_moved_into_the_file(path: Path) -> None:
    store = SqliteStore(path)
    store.writer.open()
    wal = path.with_name("tasks.db-wal")
    largest = 0
    for offset in range(1, 20):
        lines = [make_line("task-1", offset * 100 + number, message="x" * 8000) for number in range(100)]
        store.writer.write(StoreWrite("journal-a", offset, (), (), lines))
        largest = max(largest, wal.stat().st_size)
    assert WAL_LIMIT / 2 < largest < 2 * WAL_LIMIT
    assert oct(path.with_name("tasks.db-checkpoint.lock").stat().st_mode & 0o777) == "0o600"
    store.writer.close()


@pytest.mark.parametrize("is_there", [True, False], ids=["a file", "nothing yet"])
def test_a_link_means_what_it_leads_to_with_its_write_ahead_log(path: Path, is_there: bool) -> None:
    real = path.parent / "disk" / "real.db"
    real.parent.mkdir()
    if is_there:
        real.touch()
    path.symlink_to(Path("disk", "real.db"))
    store = SqliteStore(path)
    store.writer.open()
    wal = real.with_name("real.db-wal")
    lines = [make_line(seq=seq, message="x" * 8000) for seq in range(2 * WAL_LIMIT // 8000)]
    store.writer.write(StoreWrite("journal-a", 1, (), (), lines))
    assert wal.stat().st_size < WAL_LIMIT
    assert store.size() == real.stat().st_size + wal.stat().st_size
    assert (store.path, store.location) == (real, str(real))
    store.writer.close()
    assert sorted(each.name for each in path.parent.iterdir()) == ["disk", "tasks.db"]


def test_a_checkpoint_that_cannot_be_is_no_error(path: Path) -> None:
    store = SqliteStore(path)
    store.writer.open()
    path.with_name("tasks.db-checkpoint.lock").mkdir()
    lines = [make_line(seq=seq, message="x" * 8000) for seq in range(1000)]
    store.writer.write(StoreWrite("journal-a", 1, (), (), lines))
    assert path.with_name("tasks.db-wal").stat().st_size > WAL_LIMIT
    assert store.writer.usage().logs == 1000
    store.writer.close()


def test_an_unknown_level_is_refused(path: Path) -> None:
    store = SqliteStore(path)
    with pytest.raises(ConfigurationError, match="use one of debug, info"):
        ask(store, lambda reader: reader.get_logs("task-1", min_level="loud"))


def test_an_open_reader_never_holds_up_the_writer(path: Path) -> None:
    store = SqliteStore(path)
    store.writer.open()
    store.writer.write(StoreWrite("journal-a", 1, [make_task()]))
    reading = sqlite3.connect(path, isolation_level=None)
    reading.execute("BEGIN")
    reading.execute("SELECT count(*) FROM tasks").fetchall()
    for offset in range(2, 20):
        lines = [make_line("task-1", offset * 100 + number, message="x" * 8000) for number in range(100)]
        store.writer.write(StoreWrite("journal-a", offset, (), (), lines))
    reading.close()
    assert store.writer.usage().logs == 1800
    store.writer.close()


def test_a_disk_without_room_is_a_store_error_and_writing_goes_on_when_there_is_some(path: Path) -> None:
    program = """
import resource, sys
from pathlib import Path
from otel_taskflow.errors import StoreError
from otel_taskflow.ports import StoreWrite
from otel_taskflow.stores.opening import open_store
from otel_taskflow.stores.sqlite.store import SqliteStore
from otel_taskflow.testing.store_rows import make_line, make_task
store = SqliteStore(Path(sys.argv[1]))
store.writer.open()
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
def slice_of(offset):
    lines = [make_line("task-1", offset * 100 + number, message="x" * 2000) for number in range(100)]
    return StoreWrite("journal-a", offset, [make_task()], (), lines)
offset = 0
try:
    while offset < 100:
        store.writer.write(slice_of(offset + 1))
        offset += 1
except StoreError as error:
    print(error)
assert 0 < offset == store.writer.offset("journal-a"), offset
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
for offset in range(offset + 1, offset + 11):
    store.writer.write(slice_of(offset))
assert store.writer.usage().logs == offset * 100
store.writer.close()
"""
    done = run_python(program, path)
    assert done.returncode == 0, done.stderr
    assert "check that disk" in done.stdout or "free some space" in done.stdout
    assert sql(path, "PRAGMA integrity_check") == [("ok",)]


def test_commits_are_synced_where_a_power_cut_must_not_lose_them(tmp_path: Path) -> None:
    for syncs_commits, level in ((False, 1), (True, 2)):
        path = tmp_path / f"{level}.db"
        store = open_store(path, None, syncs_commits=syncs_commits)
        store.writer.open()
        connection = connect(path, syncs_commits=syncs_commits)
        assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
        connection.close()
        store.writer.close()
