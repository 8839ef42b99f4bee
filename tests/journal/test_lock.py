"""A lock that is asked about, by whoever is curious: nothing is taken, made or let go."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from otel_taskflow.journal.lock import is_held, try_lock


def held_as_another_process_sees_it(path: Path) -> bool:
    program = (
        f"from pathlib import Path; from otel_taskflow.journal.lock import is_held; print(is_held(Path({str(path)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"


def test_a_lock_is_held_until_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = try_lock(path)
    assert lock is not None
    assert is_held(path)
    assert held_as_another_process_sees_it(path)
    lock.release()
    assert not is_held(path)
    assert not held_as_another_process_sees_it(path)


def test_asking_lets_ones_own_lock_not_go(tmp_path: Path) -> None:
    lock = try_lock(tmp_path / "lock")
    assert lock is not None
    assert is_held(tmp_path / "lock")
    assert held_as_another_process_sees_it(tmp_path / "lock")
    lock.release()


def test_asking_takes_no_lock_and_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(FileNotFoundError):
        is_held(path)
    assert not path.exists()
    path.touch()
    assert not is_held(path)
    lock = try_lock(path)
    assert lock is not None
    lock.release()
