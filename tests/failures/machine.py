"""What a machine can do to a program: system calls that fail or kill, disks that are full or read-only."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.conftest import require, require_program


def strace(*options: str) -> tuple[str, ...]:
    """The beginning of a command line whose program runs under strace; skips where that is not possible."""
    program = require_program("strace", remedy="apt install strace")
    require(_may_trace(program), "strace may not trace here: allow ptrace (in a container: --cap-add=SYS_PTRACE)")
    return (str(program), "-f", "-qq", "-o", "/dev/null", *options)


@cache
def _may_trace(program: Path) -> bool:
    return subprocess.run([program, "-qq", "-o", "/dev/null", "true"], check=False, capture_output=True).returncode == 0


def kill_at(number: int, calls: str, *paths: Path) -> tuple[str, ...]:
    """As ``strace``: SIGKILL at this number of one of these system calls, on one of these files if any are given."""
    only = [part for path in paths for part in ("-P", str(path))]
    return strace("-e", f"trace={calls}", *only, "-e", f"inject={calls}:signal=KILL:when={number}")


def fail_from(number: int, times: int, calls: str, error: str, *paths: Path) -> tuple[str, ...]:
    """As ``strace``: from this number of one of these calls on, so many of them fail with this error."""
    only = [part for path in paths for part in ("-P", str(path))]
    when = f"{number}..{number + times - 1}"
    return strace("-e", f"trace={calls}", *only, "-e", f"inject={calls}:error={error}:when={when}")


@contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[Path]:
    """A file system of this size, mounted on ``folder``; skips where one may not mount."""
    folder.mkdir(exist_ok=True)
    mounted = _mount("-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder))
    require(mounted.returncode == 0, f"no tmpfs can be mounted: run as root ({mounted.stderr.strip()})")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def make_read_only(folder: Path, *, is_read_only: bool = True) -> None:
    """Let nobody write to a mounted file system, root neither; or let them again."""
    mounted = _mount("-o", f"remount,{'ro' if is_read_only else 'rw'}", str(folder))
    assert mounted.returncode == 0, mounted.stderr


def _mount(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)


def fill(folder: Path, leave: int = 0) -> Path:
    """Take all room of its file system but so many bytes; deleting the returned file gives it back."""
    ballast = folder / "ballast"
    free = os.statvfs(folder)
    with ballast.open("ab") as file:
        room = free.f_bavail * free.f_frsize - leave
        if room > 0:
            os.posix_fallocate(file.fileno(), file.tell(), room)
    return ballast
