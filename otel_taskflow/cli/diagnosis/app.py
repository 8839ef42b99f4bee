"""The app's own module, which says what no variable does: its providers, and where its managers keep tasks."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Sequence
from types import ModuleType

from otel_taskflow.cli.diagnosis.findings import OK, PROBLEM, Finding
from otel_taskflow.manager import Settings, TaskManager


def load(app: str) -> Finding:
    """Import it, as a worker does."""
    sys.path.insert(0, "")
    module = app.partition(":")[0]
    try:
        importlib.import_module(module)
    except SystemExit as error:
        return Finding(
            PROBLEM,
            f"--app {app}: {module} ends the process that imports it: sys.exit({error.code!r})",
            'put what is for a program of its own behind if __name__ == "__main__":',
        )
    except Exception as error:  # noqa: BLE001 - an app's module may raise anything
        return Finding(
            PROBLEM, f"--app {app}: {module} cannot be imported: {type(error).__name__}: {error}", "correct it"
        )
    return Finding(OK, f"imported {module}")


def settings_of_managers() -> Sequence[Settings]:
    """Of each place in which a manager keeps tasks that some module has by a name of its own."""
    found: dict[tuple[str, str, bool], Settings] = {}
    for module in list(sys.modules.values()):
        for manager in _managers_in(module):
            settings = manager.settings
            found.setdefault((str(settings.folder.absolute()), repr(settings.store), settings.disabled), settings)
    return list(found.values())


def _managers_in(module: object) -> Iterable[TaskManager]:
    """Asked of types, not of the values themselves: those of a lazy module may do anything when they are touched."""
    names = vars(module) if isinstance(module, ModuleType) else {}
    return [value for value in list(names.values()) if issubclass(type(value), TaskManager)]
