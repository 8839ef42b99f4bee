"""Who lives and who is dead, told by locks alone."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otel_taskflow.errors import JournalError
from otel_taskflow.journal import folder as folders
from otel_taskflow.journal.folder import all_journals, open_folder, orphans
from otel_taskflow.journal.lock import try_lock
from tests.conftest import ROOT
from tests.journal.support import make_writer

CHILD = """
import sys, time
from pathlib import Path
from tests.journal.support import make_writer
writer = make_writer(Path(sys.argv[1]))
writer.append(b"from the child")
print(writer.id, flush=True)
for line in sys.stdin:
    if line == "fork\\n":
        import os
        if os.fork() == 0:
            time.sleep(60)
        print("forked", flush=True)
"""


class Child:
    def __init__(self, root: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(root)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        self.id = self.answer()

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def say(self, word: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.answer()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        with self.process:
            pass


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    child = Child(tmp_path)
    yield child
    child.end()


def test_a_journal_is_alive_until_its_process_is_killed(tmp_path: Path, child: Child) -> None:
    own = make_writer(tmp_path)
    assert sorted(all_journals(tmp_path)) == sorted([own.id, child.id])
    assert list(orphans(tmp_path, "default")) == []
    child.kill()
    [orphan] = orphans(tmp_path, "default")
    assert orphan.journal_id == child.id
    assert [record.payload for record in orphan.reader.records()] == [b"from the child"]
    orphan.remove()
    assert all_journals(tmp_path) == [own.id]


def test_a_forked_child_of_a_dead_process_does_not_keep_its_journal_alive(tmp_path: Path, child: Child) -> None:
    assert child.say("fork") == "forked"
    child.kill()
    assert [orphan.journal_id for orphan in orphans(tmp_path, "default")] == [child.id]


def test_an_orphan_is_handed_to_one_at_a_time(tmp_path: Path, child: Child) -> None:
    child.kill()
    [first] = orphans(tmp_path, "default")
    assert list(orphans(tmp_path, "default")) == []
    first.close()
    assert len(list(orphans(tmp_path, "default"))) == 1


def test_the_folder_is_private_and_kept_out_of_git(tmp_path: Path) -> None:
    root = open_folder(tmp_path / "state")
    assert root.is_absolute()
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert (root / ".gitignore").read_text() == "*\n"
    writer = make_writer(root)
    assert writer.folder is not None
    modes = {stat.S_IMODE(path.stat().st_mode) for path in writer.folder.iterdir()}
    assert modes == {0o600}


def test_a_folder_that_was_there_is_used_and_not_hidden_from_git(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("")
    assert open_folder(tmp_path) == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["app.py"]


def test_a_folder_that_is_a_file_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(JournalError, match="OTEL_TASKFLOW_DIR"):
        open_folder(tmp_path / "state")


def test_a_network_file_system_is_recognised_by_the_longest_mount_point(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda rw\n"
        f"2 1 0:9 / {tmp_path} rw - nfs4 server:/x rw\n"
        f"3 2 0:9 / {tmp_path}/local\\040disk rw - xfs /dev/sdb rw\n"
    )
    assert folders.file_system_of(tmp_path / "state", mounts) == "nfs4"
    assert folders.file_system_of(tmp_path / "local disk", mounts) == "xfs"
    assert folders.file_system_of(Path("/"), mounts) == "ext4"


@pytest.mark.failure("S3")
@pytest.mark.parametrize("kind", ["nfs4", "beegfs", "fuse.glusterfs", "fuse.rclone", "fuse.gcsfuse"])
def test_a_folder_on_a_network_file_system_is_refused_and_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(folders, "file_system_of", lambda path: kind)
    with pytest.raises(JournalError, match=f"network file system .{kind}.*dir= or OTEL_TASKFLOW_DIR"):
        open_folder(tmp_path / "state")
    assert list(tmp_path.iterdir()) == []


def test_the_journals_of_managers_with_other_names_are_left_to_them(tmp_path: Path) -> None:
    make_writer(tmp_path, "mail-out").close(consumed=-1)
    assert list(orphans(tmp_path, "mail")) == []
    assert list(orphans(tmp_path, "out")) == []
    assert len(list(orphans(tmp_path, "mail-out"))) == 1


def test_the_ends_of_neighbours_are_those_of_managers_of_the_same_name(tmp_path: Path, child: Child) -> None:
    own, other = make_writer(tmp_path), make_writer(tmp_path, "other")
    own.append(b"x")
    other.append(b"x")
    assert folders.ends_of_others(tmp_path, "default") == {child.id: 1}
    assert folders.ends_of_others(tmp_path, "other") == {}


def test_a_journal_is_alive_as_long_as_its_process(tmp_path: Path, child: Child) -> None:
    own = make_writer(tmp_path)
    assert folders.is_alive(tmp_path, own.id)
    assert folders.is_alive(tmp_path, child.id)
    child.kill()
    assert not folders.is_alive(tmp_path, child.id)
    assert not folders.is_alive(tmp_path, "default-nobody")
    assert len(list(orphans(tmp_path, "default"))) == 1


def test_threads_of_one_process_never_take_a_lock_twice(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    taken: list[object] = []

    def take() -> None:
        lock = try_lock(path)
        if lock is not None:
            taken.append(lock)

    threads = [threading.Thread(target=take) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 1


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EACCES])
def test_a_lock_that_another_process_has_is_not_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(fcntl, "lockf", raising(number))
    assert try_lock(tmp_path / "lock") is None


def test_a_file_system_without_locks_is_an_error_and_nobody_is_taken_for_dead_or_alive_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_writer(tmp_path).close(consumed=-1)
    monkeypatch.setattr(fcntl, "lockf", raising(errno.ENOLCK))
    with pytest.raises(OSError, match="No locks available"):
        try_lock(tmp_path / "lock")
    assert list(orphans(tmp_path, "default")) == []
    with pytest.raises(JournalError, match="use a file system with locks"):
        make_writer(tmp_path)


def raising(number: int) -> Callable[..., None]:
    def lockf(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return lockf
