"""A damaged file goes aside, a fresh one takes its place, and what was lost is counted."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from otel_taskflow.errors import SpoolError, SpoolReplacedError
from otel_taskflow.sqlite.aside import KEPT_ASIDE
from tests.spool.support import (
    TEMPO,
    asides,
    bodies,
    check_file,
    ids,
    message,
    numbered,
    opened,
    slice_of,
    sql,
    start_python,
)

ALL = (1_000_000, 1 << 40)
STORED, SENT = 3000, 500
LOST = (TEMPO, "traces", "spool_corrupt")


def letter(path: Path) -> None:
    path.write_bytes(b"this is no database at all, but a letter " * 999)


def damage_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(os.urandom(100))


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def damage_middle(path: Path) -> None:
    """All pages but the first ones, which say what the file holds."""
    with path.open("r+b") as file:
        file.seek(40 * 4096)
        file.write(os.urandom(path.stat().st_size - 41 * 4096))


KNOWS_ITS_FIGURES = {damage_middle}
DAMAGES = [letter, damage_header, cut_off, damage_middle]
each_damage = pytest.mark.parametrize("damage", DAMAGES, ids=[each.__name__ for each in DAMAGES])
Damage = Callable[[Path], None]


def fill(path: Path) -> None:
    spool = opened(path)
    spool.write(slice_of(1, numbered(range(STORED), size=1000), dropped={(TEMPO, "logs", "lag"): 5}))
    spool.done(TEMPO, "traces", ids(spool.take(TEMPO, "traces", SENT, 1 << 40)))
    spool.close()
    assert not path.with_name("spool.db-wal").exists()


@each_damage
def test_a_file_that_is_damaged_at_the_start_goes_aside_and_a_fresh_one_is_used(
    path: Path, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    fill(path)
    damage(path)
    size = path.stat().st_size
    spool = opened(path)
    assert spool.take(TEMPO, "traces", *ALL) == []
    (aside,) = asides(path)
    assert aside.stat().st_size == size
    assert oct(aside.stat().st_mode & 0o777) == oct(path.stat().st_mode & 0o777) == "0o600"
    assert caplog.text.count(str(aside)) == 1
    if damage in KNOWS_ITS_FIGURES:
        assert spool.dropped() == {LOST: STORED - SENT, (TEMPO, "logs", "lag"): 5}
        assert spool.delivered(TEMPO, "traces")[:2] == (SENT, SENT * 1000)
    else:
        assert spool.dropped() == {LOST: 1, (TEMPO, "logs", "spool_corrupt"): 1}
    assert spool.offset("journal-a") == 0
    spool.write(slice_of(1, [message("a")]))
    assert bodies(spool) == ["a"]
    health = spool.health()
    assert health.state == "degraded"
    assert str(aside) in health.why
    spool.close()
    check_file(path)

    spool = opened(path)
    assert (bodies(spool), spool.health().state) == (["a"], "ok")
    spool.close()


@each_damage
def test_a_file_that_is_damaged_while_it_is_used_goes_aside_and_nothing_is_lost_uncounted(
    path: Path, damage: Damage
) -> None:
    fill(path)
    spool = opened(path)
    taken = ids(spool.take(TEMPO, "traces", 100, 1 << 40))
    sql(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    damage(path)
    sql_or_nothing(path)
    for n in range(20):
        spool.add([message(f"{n}", signal="logs")])
    while waiting := spool.take(TEMPO, "traces", *ALL):
        spool.done(TEMPO, "traces", ids(waiting))
    lost = spool.dropped()
    arrived = spool.delivered(TEMPO, "traces").delivered
    assert lost[TEMPO, "logs", "lag"] == 5
    assert arrived + lost.get(LOST, 0) == STORED
    kept = [int(body) for body in bodies(spool, "logs")]
    assert kept == list(range(20 - len(kept), 20))
    assert lost.get((TEMPO, "logs", "spool_corrupt"), 0) == 20 - len(kept)
    assert len(asides(path)) == 1
    spool.done(TEMPO, "traces", taken)
    assert spool.delivered(TEMPO, "traces").delivered == arrived
    spool.close()
    check_file(path)


def sql_or_nothing(path: Path) -> None:
    """Make connections look at the file again, if it can still be written."""
    with contextlib.suppress(sqlite3.DatabaseError):
        sql(path, "UPDATE spool SET sources_generation = sources_generation + 1")


def test_ids_from_before_are_never_those_of_the_fresh_file(path: Path) -> None:
    spool = opened(path)
    spool.add(numbered(range(10)))
    taken = ids(spool.take(TEMPO, "traces", *ALL))
    other = opened(path)
    other.close()
    letter(path)
    spool.close()
    spool = opened(path)
    spool.add(numbered(range(20), signal="logs"))
    spool.add(numbered(range(20)))
    for signal in ("traces", "logs"):
        spool.done(TEMPO, signal, taken)
        assert spool.backlog(TEMPO, signal).messages == 20
    spool.close()


OTHER = """
import sys
from pathlib import Path
from otel_taskflow.errors import SpoolReplacedError
from tests.spool.support import message, opened, slice_of
spool = opened(Path(sys.argv[1]))
spool.write(slice_of(7, [message("before")], "journal-b"))
print("written", flush=True)
sys.stdin.readline()
spool.add([message("added")])
try:
    spool.write(slice_of(8, [message("refused")], "journal-b"))
except SpoolReplacedError as error:
    print(error, flush=True)
spool.write(slice_of(8, [message("again")], "journal-b"))
print(spool.offset("journal-b"), spool.health().state, flush=True)
sys.stdin.readline()
spool.close()
"""


def test_a_process_that_has_the_damaged_file_open_finds_out_and_writes_the_fresh_one(path: Path) -> None:
    with start_python(OTHER, path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        sql(path, "PRAGMA wal_checkpoint(TRUNCATE)")
        letter(path)
        spool = opened(path)
        assert len(asides(path)) == 1
        spool.add([message("ours")])
        process.stdin.write("\n")
        process.stdin.flush()
        assert "write what journal journal-b has behind 0 again" in process.stdout.readline()
        assert process.stdout.readline() == "8 degraded\n"
        assert bodies(spool) == ["ours", "added", "again"]
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.wait(30) == 0
    spool.add([message("last")])
    assert bodies(spool) == ["ours", "added", "again", "last"]
    assert len(asides(path)) == 1
    spool.close()
    check_file(path)


def test_the_outbox_is_told_once_that_the_offsets_begin_anew(path: Path) -> None:
    spool = opened(path)
    spool.write(slice_of(5, [message("a")]))
    spool.write(slice_of(9, [message("b")], "journal-b"))
    for each in path.parent.iterdir():
        each.unlink()
    with pytest.raises(SpoolReplacedError, match="behind 0"):
        spool.write(slice_of(6, [message("c")]))
    assert spool.offset("journal-a") == 0
    for offset in (5, 6):
        spool.write(slice_of(offset, [message(f"again {offset}")]))
    with pytest.raises(SpoolReplacedError):
        spool.write(slice_of(10, journal="journal-b"))
    assert bodies(spool) == ["again 5", "again 6"]
    spool.close()


def test_damaged_files_do_not_fill_the_disk(path: Path) -> None:
    for _ in range(KEPT_ASIDE + 2):
        fill_with_one(path)
        letter(path)
        opened(path).close()
    assert len(asides(path)) == KEPT_ASIDE
    spool = opened(path)
    assert spool.dropped() == {LOST: 1, (TEMPO, "logs", "spool_corrupt"): 1}
    spool.close()


def fill_with_one(path: Path) -> None:
    spool = opened(path)
    spool.add([message()])
    spool.close()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_damaged_file_that_cannot_be_moved_is_an_error_with_a_remedy(path: Path) -> None:
    fill(path)
    letter(path)
    path.parent.chmod(0o500)
    try:
        with pytest.raises(SpoolError, match=r"cannot be moved away.*write access"):
            opened(path)
    finally:
        path.parent.chmod(0o700)
