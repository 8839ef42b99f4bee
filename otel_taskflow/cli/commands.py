"""What commands share."""

from __future__ import annotations

import argparse
import json
import math
import sys
from base64 import b64encode
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from otel_taskflow.cli.diagnosis.access import AS_THE_APP
from otel_taskflow.values.lines import one_line


class Commands(Protocol):
    """What argparse gives for commands to be added to."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser:  # noqa: A002 - argparse's own name
        """A parser for one more command."""


def print_json(value: Any) -> None:
    """One line of JSON in plain ASCII: nothing in it can steer a terminal."""
    print(json.dumps(plain(value), ensure_ascii=True, allow_nan=False))


def complain(text: str) -> None:
    """A line on stderr."""
    print(f"otel-taskflow: {one_line(text)}", file=sys.stderr)


def complain_of(path: Path, error: Exception) -> None:
    """A line on stderr about a path that cannot be looked at."""
    remedy = f"; {AS_THE_APP}" if isinstance(error, PermissionError) else ""
    complain(f"{path}: it cannot be looked at: {error}{remedy}")


def plain(value: Any) -> Any:
    """The value as JSON knows it: named tuples are objects, bytes base64, infinities texts."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(each) for name, each in value._asdict().items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def add_dump(commands: Commands, name: str, of_what: str, run: Any) -> None:
    """Add ``NAME dump PATH``."""
    group = commands.add_parser(name, help=f"look into {of_what} without the app")
    verbs = group.add_subparsers(required=True, metavar="COMMAND")
    dump = verbs.add_parser("dump", help=f"print {of_what} as JSON, one object a line")
    dump.add_argument("path", metavar="PATH", help="a file, or the folder it is in")
    dump.set_defaults(run=run)
