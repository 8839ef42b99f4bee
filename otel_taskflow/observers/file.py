"""``FileLogger``: events as lines of a file that several processes may share."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from otel_taskflow.errors import ConfigurationError, shown
from otel_taskflow.observers.append import LineFile, RotatedFile, WatchedFile
from otel_taskflow.observers.base import DONE, ObserverEvent
from otel_taskflow.observers.lines import Format, LineObserver
from otel_taskflow.values.paths import as_path

Mode = Literal["rotate", "watched"]
MOST_BACKUPS = 10_000
"""Each rotation renames all of them."""


MOST_NAME_BYTES = 255
"""What file systems take for the name of a file or folder."""


class FileLogger(LineObserver):
    """Write ``[id8] [func] 2026-01-31T12:00:00.123Z message`` for each line of a task. Worker processes may share a file.

    The file is made at the first line, its folder too, with the mode that the umask leaves. Control characters are
    written as escapes, so a message is always one line. What a process that died had not written is written by the next.

    Args:
        path: The file. A relative one is taken from the working directory of now.
        max_bytes: Size before which the file is rotated; 0 for never. Only with ``mode="rotate"``.
        backup_count: Rotated files that are kept, ``path.1`` being the newest; 0 to never rotate, 10,000 at most.
        mode: ``rotate``: by us, under a lock ``path.lock``. ``watched``: by another program such as logrotate; the file
            is opened anew when it was moved.
        log_lifecycle: Also write ``-- RUNNING``, ``-- SUCCESS``, ... when a task starts and ends.
        min_level: Leave out lines and changes of state below this level; None for all.
        format: ``text``, or ``json`` for one JSON object a line with extras, tags and trace ids.
        name: Tells it apart from another. Default: made from the path.

    Raises ConfigurationError for a value that it cannot use.
    """

    def __init__(  # noqa: PLR0913 - the documented constructor takes its settings by keyword
        self,
        path: str | os.PathLike[str],
        *,
        max_bytes: int = 10_485_760,
        backup_count: int = 5,
        mode: Mode = "rotate",
        log_lifecycle: bool = False,
        min_level: str | None = "info",
        format: Format = "text",  # noqa: A002 - the name users write, as in logging.Formatter
        name: str | None = None,
    ) -> None:
        self.path = _checked_path(path)
        super().__init__(
            log_lifecycle=log_lifecycle, min_level=min_level, format=format, name=name or f"FileLogger({self.path})"
        )
        self._file = _line_file(
            self.path, mode, _count("max_bytes", max_bytes), _count("backup_count", backup_count, MOST_BACKUPS)
        )
        self._lock = threading.Lock()

    def on_batch(self, events: Sequence[ObserverEvent]) -> Any:
        """Append the events that are wanted. Raises OSError."""
        lines = [line.encode("utf-8", "backslashreplace") + b"\n" for line in self.lines_of(events)]
        if lines:
            with self._lock:
                self._file.append(lines)
        return DONE

    def close(self) -> Any:
        """Close the file."""
        with self._lock:
            self._file.close()
        return DONE


def _line_file(path: Path, mode: str, max_bytes: int, backup_count: int) -> LineFile:
    if mode == "rotate":
        _check_names(path, max(".lock", f".{backup_count}", key=len))
        return RotatedFile(path, max_bytes, backup_count)
    if mode == "watched":
        _check_names(path)
        return WatchedFile(path)
    raise ConfigurationError(f'FileLogger(mode={mode!r}): use "rotate", or "watched" if another program rotates')


def _checked_path(path: object) -> Path:
    if not isinstance(path, (str, os.PathLike)) or not str(path):
        raise ConfigurationError(f"FileLogger(path={path!r}): use the path of a file")
    try:
        absolute = as_path(path).absolute()
    except ValueError as error:
        raise ConfigurationError(f"FileLogger(path={str(path)!r}): {error}; use the path of a file") from None
    if _is_folder(absolute):
        raise ConfigurationError(f"FileLogger(path={str(path)!r}): this is a folder; name a file in it")
    return absolute


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ConfigurationError(
            f"FileLogger(path={str(path)!r}): {error.strerror}; use the path of a file that can be written"
        ) from None


def _check_names(path: Path, longest_end: str = "") -> None:
    """The folder may not be there yet, so the system cannot be asked. Files beside it have its name and an end of their own."""
    for name in (*path.parts[:-1], path.name + longest_end):
        size = len(os.fsencode(name))
        if size > MOST_NAME_BYTES:
            with_end = f" with the end {longest_end}" if longest_end and name.endswith(longest_end) else ""
            raise ConfigurationError(
                f"FileLogger(path={str(path)!r}): a name in it takes {size} bytes{with_end}, "
                f"and at most {MOST_NAME_BYTES} fit; use a shorter one"
            )


def _count(name: str, value: object, most: int = sys.maxsize) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ConfigurationError(f"FileLogger({name}={shown(value)}): use a whole number, 0 or more and at most {most}")
    return value


__all__ = ["FileLogger"]
