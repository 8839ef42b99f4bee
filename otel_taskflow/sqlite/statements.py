"""Statements, read once from .sql files: named blocks, each under ``-- name: xyz``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_HEAD = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_ROW = re.compile(r"VALUES (\([?, ]+\))")


def load(folder: Path, lists: Sequence[str] = ()) -> Mapping[str, str]:
    """All named blocks of the files in ``folder``; those named in ``lists`` are filled in where others say {name}."""
    blocks = {name: text for path in sorted(folder.glob("*.sql")) for name, text in named_blocks(path.read_text())}
    columns = {"{" + name + "}": blocks[name] for name in lists}
    return {name: _fill(text, columns) for name, text in blocks.items()}


def named_blocks(text: str) -> Iterator[tuple[str, str]]:
    """The (name, statement) pairs of a file."""
    _, *pieces = _HEAD.split(text)
    for name, block in zip(pieces[::2], pieces[1::2], strict=True):
        yield name, block.strip()


def repeated(statement: str, rows: int) -> str:
    """An INSERT of one row as an INSERT of that many."""
    return _ROW.sub(lambda found: f"VALUES {', '.join([found[1]] * rows)}", statement)


def _fill(text: str, columns: Mapping[str, str]) -> str:
    for name, value in columns.items():
        text = text.replace(name, value)
    return text
