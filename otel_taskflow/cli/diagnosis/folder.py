"""The folder, and the file system under it."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from otel_taskflow.cli.diagnosis.access import AS_THE_APP, MOUNT_WRITABLE, is_read_only, is_there
from otel_taskflow.cli.diagnosis.findings import NOTE, OK, PROBLEM, Finding, size
from otel_taskflow.journal.folder import NETWORK_FILE_SYSTEMS, file_system_of

LITTLE_SPACE = 64 * 1024**2
"""Bytes: some segments of a journal and a write-ahead log."""
_VOLATILE = {"tmpfs": "at the next boot", "ramfs": "at the next boot", "overlay": "with its container"}


def check(root: Path, *, is_expected: bool) -> Iterator[Finding]:
    """Whether it can be used."""
    is_made = is_there(root)
    if is_made and not root.is_dir():
        yield Finding(
            PROBLEM, "this is a file, not a folder", "give --dir, or OTEL_TASKFLOW_DIR, the folder of the app"
        )
        return
    if not is_made:
        level = PROBLEM if is_expected else NOTE
        remedy = "start this command where the app starts, or give --dir; the folder is made when the app starts"
        yield Finding(level, "there is no such folder", remedy)
        return
    yield _permissions(root)
    yield from _file_system(root)
    yield _space(root)


def _permissions(root: Path) -> Finding:
    mode = stat.S_IMODE(root.stat().st_mode)
    if is_read_only(root):
        return Finding(PROBLEM, f"its file system is mounted read-only (mode {mode:o})", MOUNT_WRITABLE)
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        return Finding(PROBLEM, f"this user cannot write into it (mode {mode:o})", AS_THE_APP)
    if mode & 0o077:
        return Finding(NOTE, f"other users can look into it (mode {mode:o})", "chmod 700, unless they shall")
    return Finding(OK, f"mode {mode:o}")


def _file_system(root: Path) -> Iterator[Finding]:
    kind = file_system_of(root)
    if kind in NETWORK_FILE_SYSTEMS:
        remedy = "move the folder to a local disk, with dir= or OTEL_TASKFLOW_DIR"
        yield Finding(PROBLEM, f"network file system {kind}: its locks and memory maps are not dependable", remedy)
    elif kind in _VOLATILE:
        yield Finding(
            NOTE, f"file system {kind}: all of it is gone {_VOLATILE[kind]}", "use a disk or a volume to keep it"
        )
    else:
        yield Finding(OK, f"file system {kind or '(unknown)'}")


def _space(root: Path) -> Finding:
    usage = shutil.disk_usage(root)
    text = f"{size(usage.free)} of {size(usage.total)} are free"
    return Finding(PROBLEM, text, "free some disk space") if usage.free < LITTLE_SPACE else Finding(OK, text)
