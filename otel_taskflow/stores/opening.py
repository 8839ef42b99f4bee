"""Where tasks are kept: ``open_store`` finds the store that a setting means."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import cast

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.ports import Store
from otel_taskflow.stores.memory import MemoryStore
from otel_taskflow.stores.sqlite.store import SqliteStore
from otel_taskflow.values.paths import as_path

FILE_NAME = "tasks.db"
_SCHEME = re.compile(r"^([a-zA-Z][a-zA-Z0-9+.-]*)://")
_SQLITE = "sqlite:///"
_ALMOST = ("sqlite:", "file:")
"""With these a name begins only if a URL was meant."""
_PARAMETERS = re.compile("[?#]")
_MEMORY = "memory"
_REMEDY = 'use a path, "sqlite:///file.db", "memory" or an object with writer, reader(), is_persistent and location'


def open_store(spec: object, folder: Path | None, *, syncs_commits: bool = False) -> Store:
    """The store that ``TaskManager(store=spec)`` means; its writer is not opened yet.

    None is a SQLite file in ``folder``; "memory" lives in this process; a path or ``sqlite:///relative.db`` or
    ``sqlite:////absolute.db`` is a SQLite file; an object with the members of ``Store`` is taken as it is. A text that looks like
    another URL, or has parameters, is no file; a path object is one whatever it is called, but for the names of memory.
    ``syncs_commits`` makes a SQLite file safe against a power cut; a store of the user's own says itself what it is.
    Raises ConfigurationError for anything else.
    """
    if spec == _MEMORY:
        return MemoryStore()
    if spec is None or isinstance(spec, str | os.PathLike):
        return SqliteStore(_default(folder) if spec is None else _path_of(spec), syncs_commits=syncs_commits)
    return _own(spec)


def check_store(spec: object) -> None:
    """Raise ConfigurationError if ``open_store`` would. Touches nothing."""
    open_store(spec, Path())


def _own(spec: object) -> Store:
    """An object of the user's own, as it is."""
    if isinstance(spec, type):
        raise ConfigurationError(f"store={spec!r} is a class, not an object of it; {_REMEDY}")
    missing = [name for name in ("writer", "is_persistent", "location") if not hasattr(spec, name)]
    if not callable(getattr(spec, "reader", None)):
        missing.append("reader()")
    if missing:
        raise ConfigurationError(f"store={spec!r} is no store, it lacks {', '.join(missing)}; {_REMEDY}")
    return cast(Store, spec)


def _default(folder: Path | None) -> Path:
    if folder is None:
        raise ConfigurationError(f"store=None needs a folder to keep {FILE_NAME} in; set folder=, or {_REMEDY}")
    return _absolute(str(folder / FILE_NAME))


def _path_of(spec: str | os.PathLike[str]) -> Path:
    text = os.fsdecode(spec)
    if ":memory:" in text or text.strip().lower() == _MEMORY:
        raise ConfigurationError(f'store={text!r} would be a file of that name; write store="memory"')
    return _absolute(_path_in(text) if isinstance(spec, str) else text)


def _path_in(text: str) -> str:
    """The path that a text means, which may be a URL."""
    if text.startswith(_SQLITE) and text != _SQLITE:
        return _without_parameters(text.removeprefix(_SQLITE))
    if _SCHEME.match(text) or text.lower().startswith(_ALMOST):
        raise ConfigurationError(f"store={_without_credentials(text)!r} is not supported; {_REMEDY}")
    return text


def _without_parameters(path: str) -> str:
    """As it is: parameters would become part of the file's name."""
    found = _PARAMETERS.search(path)
    if found is None:
        return path
    raise ConfigurationError(
        f"store={_SQLITE + path[: found.start()]!r} is followed by {found[0]!r}, and parameters are not supported; leave them out, "
        "or give a file that is called so as a pathlib.Path"
    )


def _absolute(path: str) -> Path:
    """Resolved once, so that a later change of the working folder does not matter."""
    if not path.strip():
        raise ConfigurationError(f"store={path!r} is empty; {_REMEDY}")
    try:
        return as_path(path).absolute()
    except ValueError as error:
        raise ConfigurationError(f"store={path!r} is no path: {error}; {_REMEDY}") from None


def _without_credentials(url: str) -> str:
    """Scheme, host and path: what stands before an @ or behind a ? may be a password."""
    scheme, slashes, rest = url.partition("://")
    if not slashes:
        return _PARAMETERS.split(url)[0]
    return f"{scheme}://{_PARAMETERS.split(rest.rpartition('@')[2])[0]}"
