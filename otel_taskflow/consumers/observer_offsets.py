"""How far each observer has come in each journal, over restarts."""

from __future__ import annotations

import threading
import urllib.parse
from contextlib import suppress
from pathlib import Path

from otel_taskflow.values.paths import shortened


class ObserverOffsets:
    """Numbers in small files ``root/observers/<name>/<journal id>``, each replaced whole, never half written.

    One file for each journal, since each process has a journal of its own: no two write the same file. Without a root
    nothing is kept. A file that cannot be read counts as 0 and a save that fails is left out: the worst that follows is
    that the last lines of a process that died are told twice.
    """

    def __init__(self, root: Path | None) -> None:
        self._folder = None if root is None else root / "observers"
        self._lock = threading.Lock()

    @property
    def are_kept(self) -> bool:
        """Whether the next process will know them."""
        return self._folder is not None

    def load(self, name: str, journal_id: str) -> int:
        """Sequence number of the last event of this journal that the observer was offered; 0 if none."""
        if self._folder is None:
            return 0
        try:
            return int((self._folder / file_name(name) / file_name(journal_id)).read_text("ascii"))
        except (OSError, ValueError):
            return 0

    def save(self, name: str, journal_id: str, seq: int) -> None:
        """Keep how far an observer has come. Cheap: no sync."""
        if self._folder is None:
            return
        path = self._folder / file_name(name) / file_name(journal_id)
        with self._lock, suppress(OSError):
            try:
                _replace(path, seq)
            except FileNotFoundError:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                _replace(path, seq)

    def forget(self, journal_id: str) -> None:
        """Drop what is kept about a journal whose files are gone."""
        if self._folder is None:
            return
        with self._lock, suppress(OSError):
            for folder in list(self._folder.iterdir()):
                (folder / file_name(journal_id)).unlink(missing_ok=True)


def file_name(name: str) -> str:
    """A name for a file from any text: escaped, and a digest in place of what is too long."""
    return shortened(urllib.parse.quote(name, safe=" ()", errors="backslashreplace").replace(".", "%2E"))


def _replace(path: Path, seq: int) -> None:
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(str(seq), "ascii")
    draft.replace(path)


__all__ = ["ObserverOffsets", "file_name"]
