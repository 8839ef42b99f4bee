"""A small private file that is made once, by whoever comes first, and is the same for all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

SHORTEST = 32
"""Characters; what is shorter was damaged, by a power cut for example, and is made anew."""


def read_or_make(path: Path, make: Callable[[], str]) -> str:
    """The ASCII text in ``path``; without one, what ``make`` says, kept there with mode 0600. Raises OSError."""
    return _read(path) or _make(path, make())


def _read(path: Path) -> str | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        return None
    return text if len(text) >= SHORTEST else None


def _make(path: Path, text: str) -> str:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        _publish(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return _read(path) or text


def _publish(draft: Path, path: Path) -> None:
    """Under its name, unless somebody was faster. A file system without hard links (FAT) has no such step."""
    try:
        os.link(draft, path)
    except FileExistsError:
        if _read(path) is None:
            draft.replace(path)
    except OSError:
        draft.replace(path)
