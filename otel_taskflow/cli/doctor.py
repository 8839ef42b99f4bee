"""``otel-taskflow doctor``: what is there, what is wrong with it, and what to do."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from otel_taskflow.cli.commands import Commands, complain
from otel_taskflow.cli.diagnosis import app, destinations, folder, journals, providers, spool, store, versions
from otel_taskflow.cli.diagnosis.access import AS_THE_APP
from otel_taskflow.cli.diagnosis.findings import NOTE, PROBLEM, Finding
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
        "--app",
        metavar="MODULE",
        help="import this module first, so that the providers which it sets up are seen, and where it keeps tasks",
    )
    doctor.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    imported = None if options.app is None else app.load(options.app)
    try:
        checks = _checks(options, imported)
    except ConfigurationError as error:
        complain(str(error))
        return 1
    found = [each for title, check in checks for each in _print(title, check)]
    problems = sum(each.level == PROBLEM for each in found)
    print(f"\n{problems} problem(s)" if problems else "\nNothing is wrong.")
    return 1 if problems else 0


def _checks(options: argparse.Namespace, imported: Finding | None) -> list[tuple[str, Check]]:
    checks: list[tuple[str, Check]] = [
        ("Versions", versions.check),
        ("OpenTelemetry", partial(providers.check, imported)),
    ]
    for root, settings in _places(options):
        checks += _checks_of(root, settings, is_expected=options.dir is not None)
    return checks


def _places(options: argparse.Namespace) -> list[tuple[Path, Settings]]:
    """Folders and settings: of the app's managers, else what the environment says. ``--dir`` is another folder for each."""
    settings = [] if options.app is None else app.settings_of_managers()
    if not settings:
        settings = [Settings.load({"dir": options.dir})]
    given = None if options.dir is None else Settings.load({"dir": options.dir}).folder
    return [((given or each.folder).absolute(), each) for each in settings]


def _checks_of(root: Path, settings: Settings, *, is_expected: bool) -> list[tuple[str, Check]]:
    path = spool_path(root)
    return [
        (f"Folder {root}", partial(folder.check, root, is_expected=is_expected)),
        ("Store", partial(_check_store, settings, root)),
        ("Journals", partial(journals.check, root, store.file_of(settings.store, root))),
        ("Spool", partial(spool.check, path, root)),
        ("Destinations", partial(destinations.check, path)),
    ]


def _check_store(settings: Settings, root: Path) -> Iterable[Finding]:
    if settings.disabled:
        yield Finding(
            NOTE,
            f"the manager {settings.name!r} is disabled: its tasks are plain background tasks, none of them is kept",
            "leave out disabled=True or OTEL_TASKFLOW_DISABLED to keep them",
        )
    yield from store.check(settings.store, root)


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
    except PermissionError as error:
        yield Finding(PROBLEM, f"this user may not look at it: {error}", AS_THE_APP)
    except Exception as error:  # noqa: BLE001 - whatever is wrong here, the other checks have their say
        yield Finding(PROBLEM, f"{title} cannot be looked at: {type(error).__name__}: {error}", "see the cause")
