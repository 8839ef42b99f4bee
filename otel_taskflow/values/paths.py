"""Paths that somebody gave in a setting."""

from __future__ import annotations

import os
from pathlib import Path


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
