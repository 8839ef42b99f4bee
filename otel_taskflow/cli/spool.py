"""``otel-taskflow spool dump``: what waits to be sent, read without the app."""

from __future__ import annotations

import argparse
import sqlite3
from pathlib import Path
from typing import Any

from otel_taskflow.cli.commands import Commands, add_dump, complain, complain_of, print_json
from otel_taskflow.cli.diagnosis.access import is_there
from otel_taskflow.errors import SpoolError
from otel_taskflow.spool.inspecting import Dumped, dump
from otel_taskflow.telemetry.otlp.decode import message_json, resource_json, scope_json


def add_to(commands: Commands) -> None:
    """Add the command."""
    add_dump(commands, "spool", "a spool", _run)


def _run(options: argparse.Namespace) -> int:
    given = Path(options.path)
    places = (given, given / "spool.db", given / "spool" / "spool.db")
    try:
        path = next((each for each in places if is_there(each) and each.is_file()), None)
    except (OSError, ValueError) as error:
        complain_of(given, error)
        return 1
    if path is None:
        complain(f"{given}: there is no spool; give spool.db, its folder, or the app's .otel_taskflow")
        return 1
    return _dump(path)


def _dump(path: Path) -> int:
    damaged: list[str] = []
    missing: list[str] = []

    def on_damage(state: str, error: sqlite3.Error) -> None:
        damaged.append(state)
        if "no such table" in str(error):
            missing.append(state)
            return
        complain(f"{path}: not all of what is {state} can be read: {error}")

    try:
        for message in dump(path, on_damage):
            print_json(_told(message))
    except SpoolError as error:
        is_other = "not a database" in str(error.__cause__)
        complain(
            f"{path}: this is no spool: it is not a database, or its beginning is lost" if is_other else str(error)
        )
        return 1
    if missing:
        complain(f"{path}: this is no spool: it has no table for what is {', '.join(missing)}")
    return 1 if damaged else 0


def _told(message: Dumped) -> dict[str, Any]:
    rest = {
        name: value for name, value in message._asdict().items() if value is not None and name not in ("source", "body")
    }
    source = message.source
    around = {} if source is None else {"resource": resource_json(source.resource), "scope": scope_json(source.scope)}
    body = {"body": message.body} if message.signal is None else {"message": message_json(message.signal, message.body)}
    return {**rest, **around, **body}
