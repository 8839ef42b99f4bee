"""What a database is called where it fails: errors of the driver become ours, which say where and what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from otel_taskflow.errors import TaskflowError


class Label(NamedTuple):
    """How errors speak of a database."""

    kind: str
    """What it is to people: "store"."""
    location: str
    setting: str
    """What chooses another one: "store="."""
    error: type[TaskflowError]
    version_error: type[TaskflowError]
    """For a file of a newer release."""

    def __str__(self) -> str:
        return f"{self.kind} {self.location}"

    def remedy(self, error: BaseException) -> str:
        """What to do about an error of the driver."""
        for words, remedy in _REMEDIES:
            if any(word in str(error) for word in words):
                return remedy.format(setting=self.setting)
        return "see the cause above"


def is_damage(error: BaseException) -> bool:
    """Whether it comes from a file that is no sound database."""
    cause = error.__cause__
    if not isinstance(cause, sqlite3.Error):
        return False
    is_cut = getattr(cause, "sqlite_errorname", "") == "SQLITE_IOERR_SHORT_READ"  # told from Python 3.11 on
    return is_cut or any(word in str(cause) for word in _DAMAGED)


def is_full(error: BaseException) -> bool:
    """Whether it comes from a disk without room."""
    return isinstance(error.__cause__, sqlite3.Error) and "full" in str(error.__cause__)


@contextmanager
def named_errors(label: Label) -> Iterator[None]:
    """Raise what the driver raises as the label's error, as ValueError if it refuses a value."""
    try:
        yield
    except _REFUSALS as error:
        raise ValueError(f"{label}: a row holds a value that cannot be stored: {error}") from error
    except sqlite3.Error as error:
        raise label.error(f"{label}: {error}; {label.remedy(error)}") from error


_REFUSALS = (
    UnicodeEncodeError,
    OverflowError,
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
"""What the driver raises for a value that it cannot bind or the schema does not take."""

_DAMAGED = ("image is malformed", "malformed database schema", "not a database")
_REMEDIES = (
    (("locked", "busy"), "another process holds it; end that process or wait for it"),
    (("full",), "free some space on that disk"),
    (
        ("readonly", "unable to open"),
        "give this user write access to the file and its folder, or choose another {setting}",
    ),
    (("malformed", "not a database"), "the file is damaged: move it away, a new one is made"),
    (("no such module",), "this Python's SQLite lacks FTS5; use a Python whose SQLite has it"),
    (("disk I/O",), "check that disk and the limits of this process"),
)
