"""``otel-taskflow journal dump``: the events of a journal, read without the app and without touching its lock."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from otel_taskflow.cli.commands import Commands, add_dump, complain, complain_of, print_json
from otel_taskflow.cli.diagnosis.access import is_there
from otel_taskflow.errors import JournalError
from otel_taskflow.journal.codec import decode
from otel_taskflow.journal.otlp import Declaration, Encoded, Origin, decode_otlp, is_otlp
from otel_taskflow.journal.reader import DeadReader, Record
from otel_taskflow.telemetry.otlp.decode import message_json, resource_json, scope_json


def add_to(commands: Commands) -> None:
    """Add the command."""
    add_dump(commands, "journal", "a journal", _run)


def _run(options: argparse.Namespace) -> int:
    path = Path(options.path)
    try:
        if is_there(path) and path.is_file():
            return _dump(path.parent, [path])
        folders = [path, *_folders_in(path), *_folders_in(path / "journal")]
    except (OSError, ValueError) as error:
        complain_of(path, error)
        return 1
    statuses = [status for folder in folders if (status := _dump_folder(folder)) is not None]
    if not statuses:
        complain(
            f"{path}: there is no journal; give a segment (*.seg), a journal's folder, or the app's .otel_taskflow"
        )
        return 1
    return max(statuses)


def _folders_in(path: Path) -> Sequence[Path]:
    return sorted(each for each in path.iterdir() if each.is_dir()) if path.is_dir() else []


def _dump_folder(folder: Path) -> int | None:
    """None if no journal is in it, or not any more."""
    try:
        segments = sorted(each for each in folder.iterdir() if each.suffix == ".seg")
    except FileNotFoundError:
        return None
    except OSError as error:
        complain_of(folder, error)
        return 1
    return _dump(folder, segments) if segments else None


def _dump(folder: Path, segments: Sequence[Path]) -> int:
    try:
        reader = DeadReader(folder, segments)
        if reader.header is None and next(reader.records(), None) is None and reader.torn:
            place = segments[0] if len(segments) == 1 else folder
            complain(f"{place}: this is no journal, or nothing of it can be read any more")
            return 1
        print_json({"journal": folder.name, "header": reader.header})
        _print_records(reader)
    except BrokenPipeError:
        raise
    except (JournalError, OSError, ValueError) as error:
        complain(f"{folder}: {error}")
        return 1
    if reader.torn:
        complain(f"{folder}: {reader.torn} place(s) are damaged, or were being written; what follows them is above")
    return 0


def _print_records(reader: DeadReader) -> None:
    origins: dict[int, Origin] = {}
    for record in reader.records():
        print_json({"seq": record.seq, **_told(record, origins)})


def _told(record: Record, origins: dict[int, Origin]) -> dict[str, Any]:
    try:
        if is_otlp(record.payload):
            return _told_otlp(record, origins)
        event = decode(record.payload)
    except JournalError as error:
        return {"unreadable": str(error), "payload": record.payload}
    return {"event": type(event).__name__, "data": event}


def _told_otlp(record: Record, origins: dict[int, Origin]) -> dict[str, Any]:
    found = decode_otlp(record.payload)
    if isinstance(found, Declaration):
        origins[found.number] = found.origin
        return {"event": "Declaration", "data": {"number": found.number, **_origin(found.origin)}}
    assert isinstance(found, Encoded)
    origin = origins.get(found.origin) if isinstance(found.origin, int) else found.origin
    signal = None if origin is None else origin.signal
    said = {"origin": found.origin} if isinstance(found.origin, int) else _origin(found.origin)
    return {"event": "Encoded", "data": {**said, "time": found.time, **_message(signal, found.body)}}


def _message(signal: str | None, body: bytes) -> dict[str, Any]:
    return {"body": body} if signal is None else {"signal": signal, "message": message_json(signal, body)}


def _origin(origin: Origin) -> dict[str, Any]:
    return {
        "destination": origin.destination,
        "signal": origin.signal,
        "resource": resource_json(origin.resource),
        "scope": scope_json(origin.scope),
    }
