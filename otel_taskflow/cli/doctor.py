"""``otel-taskflow doctor``: what is there, what is wrong with it, and what to do."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from otel_taskflow.cli.commands import Commands, complain
from otel_taskflow.cli.diagnosis import destinations, folder, journals, providers, spool, store, versions
from otel_taskflow.cli.diagnosis.findings import PROBLEM, Finding
from otel_taskflow.errors import ConfigurationError
from otel_taskflow.manager.settings import Settings
from otel_taskflow.setup.buffer import spool_path
from otel_taskflow.values.lines import one_line

_MARKS = {"ok": "ok  ", "note": "note", "problem": "!!  "}

Check = Callable[[], Iterable[Finding]]


def add_to(commands: Commands) -> None:
    """Add the command."""
    doctor = commands.add_parser("doctor", help="say what is there, what is wrong with it, and what to do")
    doctor.add_argument("--dir", help="folder of journal and store (default: OTEL_TASKFLOW_DIR, else .otel_taskflow)")
    doctor.add_argument(
        "--app", metavar="MODULE", help="import this module first, so that the providers which it sets up are seen"
    )
    doctor.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    try:
        settings = Settings.load({"dir": options.dir})
    except ConfigurationError as error:
        complain(str(error))
        return 1
    found = [each for title, check in _checks(settings, options) for each in _print(title, check)]
    problems = sum(each.level == PROBLEM for each in found)
    print(f"\n{problems} problem(s)" if problems else "\nNothing is wrong.")
    return 1 if problems else 0


def _checks(settings: Settings, options: argparse.Namespace) -> list[tuple[str, Check]]:
    root = settings.folder.absolute()
    path = spool_path(root)
    return [
        ("Versions", versions.check),
        ("OpenTelemetry", partial(providers.check, options.app)),
        (f"Folder {root}", partial(folder.check, root, is_expected=options.dir is not None)),
        ("Store", partial(store.check, settings.store, root)),
        ("Journals", partial(journals.check, root, _store_file(settings, root))),
        ("Spool", partial(spool.check, path, root)),
        ("Destinations", partial(destinations.check, path)),
    ]


def _store_file(settings: Settings, root: Path) -> Path | None:
    return store.file_of(settings.store, root)


def _print(title: str, check: Check) -> list[Finding]:
    print(f"\n{one_line(title)}")
    found: list[Finding] = []
    for each in _guarded(title, check):
        found.append(each)
        print(f"  {_MARKS[each.level]}  {one_line(each.text)}")
        if each.remedy:
            print(f"        -> {one_line(each.remedy)}")
    return found


def _guarded(title: str, check: Check) -> Iterable[Finding]:
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 - whatever is wrong here, the other checks have their say
        yield Finding(PROBLEM, f"{title} cannot be looked at: {type(error).__name__}: {error}", "see the cause")
