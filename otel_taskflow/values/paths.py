"""Paths that somebody gave in a setting, and files that are named after something."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

LONGEST_NAME = 100
"""Characters of a file's name. Most disks take 255 bytes, and other things are put before and behind it."""


def as_path(given: str | os.PathLike[str]) -> Path:
    """The path, with ``~`` for the home folder. Raises ValueError that says why no file can have this name."""
    text = os.fspath(given)
    if "\0" in text:
        raise ValueError("no file can have a NUL character in its name")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        raise ValueError(
            "it has characters that no file can have in its name, such as half of a surrogate pair"
        ) from None
    try:
        return Path(given).expanduser()
    except RuntimeError:
        raise ValueError("there is no home folder for its ~; write it out") from None


def shortened(name: str) -> str:
    """The name of a file, with a digest in place of what is too long, so that it still is of this name only."""
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 33]}-{hashlib.sha256(name.encode()).hexdigest()[:32]}"
