"""Every setting, typed, once: from arguments, else from the environment, else the default."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from otel_taskflow.context.capture import capture_level
from otel_taskflow.errors import ConfigurationError, shown
from otel_taskflow.model import LONGEST
from otel_taskflow.values.paths import as_path
from otel_taskflow.values.text import well_formed

PREFIX = "OTEL_TASKFLOW_"


def _setting(default: Any, parse: Callable[[str], Any], description: str) -> Any:
    return field(default=default, metadata={"parse": parse, "description": description})


def _text(value: str) -> str:
    return value


def _store(value: str) -> str:
    """A variable is written by hand in many places: "MEMORY" is no file there."""
    stripped = value.strip()
    return stripped.lower() if stripped.lower() == "memory" else value


def _number(parse: Callable[[str], Any], remedy: str) -> Callable[[str], Any]:
    def parse_number(value: str) -> Any:
        try:
            return parse(value)
        except ValueError:
            raise ValueError(f"use {remedy}") from None

    return parse_number


_whole = _number(int, "a whole number, such as 100")
_bytes = _number(int, "a whole number of bytes, such as 2147483648")
_seconds = _number(float, "a number of seconds, such as 10")
_days = _number(float, "a number of days, such as 7")


def _boolean(value: str) -> bool:
    lowered = value.strip().lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("", "0", "false", "no", "off"):
        return False
    raise ValueError("use 1 or 0")


def _choice(*choices: str) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"use one of {', '.join(choices)}")
        return value

    return parse


@dataclass(frozen=True)
class Settings:
    """The settings of a TaskManager. Durations are seconds (float), sizes are bytes.

    Each has an environment variable, ``OTEL_TASKFLOW_`` and its name in capitals; an argument wins over it.
    """

    dir: str = _setting(".otel_taskflow", _text, "Folder of journal and store; relative to the working directory.")
    store: Any = _setting(
        None,
        _store,
        'Where tasks are kept: a path, a `sqlite:///` URL, `"memory"` or a Store. Default: `tasks.db` in `dir`.',
    )
    name: str = _setting("default", _text, "Name of the manager; two managers in one process need two names.")
    disabled: bool = _setting(
        False,
        _boolean,
        "Plain BackgroundTasks behaviour: nothing is kept, nothing is shown, and the two probes answer ok.",
    )
    on_store_error: str = _setting(
        "raise",
        _choice("raise", "degrade", "refuse"),
        "`raise`: an unusable folder or store stops the start. `degrade`: start in memory and say so. `refuse`: start, and let "
        "add_task raise StoreUnavailableError.",
    )
    durability: str = _setting(
        "process",
        _choice("process", "power"),
        "`process`: safe against a dead process. `power`: also against a power cut, at the cost of a sync.",
    )
    strict_args: bool = _setting(False, _boolean, "Refuse calls that cannot be kept, at add_task.")
    detached: bool = _setting(False, _boolean, "Requests never wait for the first attempts of their tasks.")
    capture_logging: str | int | None = _setting(
        None, _text, "Level from which standard library logging inside a task goes into its record too, e.g. `INFO`."
    )
    trace_mode: str = _setting(
        "child",
        _choice("child", "link"),
        "`child`: attempts are in the request's trace. `link`: in traces of their own.",
    )
    max_concurrent_tasks: int = _setting(100, _whole, "Async attempts that run at once.")
    max_sync_threads: int = _setting(32, _whole, "Threads for sync attempts.")
    max_process_workers: int = _setting(
        4, _whole, 'Worker processes for attempts with `executor="process"`; made when needed.'
    )
    store_process: bool = _setting(
        True,
        _boolean,
        "Under load, let a process of its own write the SQLite store, so that it takes no time from the app.",
    )
    max_pending: int = _setting(
        100_000, _whole, "Unfinished tasks of one process; beyond it add_task raises QueueFullError."
    )
    shutdown_grace: float = _setting(10.0, _seconds, "Seconds that running attempts may take at shutdown.")
    retention_days: float = _setting(7.0, _days, "Finished tasks older than this are deleted.")
    retention_bytes: int = _setting(
        2 * 1024**3, _bytes, "The oldest finished tasks are deleted beyond this size of the store."
    )
    journal_budget: int = _setting(
        256 * 1024**2, _bytes, "Size at which the journal drops log lines below error, counted; at least 8 MiB."
    )
    testing: bool | None = _setting(
        None,
        _boolean,
        "Hermetic tests: store in memory, nothing exported, retries at once. Default: what the variable says at the start; "
        "the pytest plugin sets it.",
    )

    @classmethod
    def load(cls, given: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Settings:
        """Build from arguments (those that are not None) and the environment. Raises ConfigurationError."""
        values = {**_from_environment(environ), **{key: value for key, value in given.items() if value is not None}}
        settings = cls(**{**values, "testing": given.get("testing")})
        _check(settings)
        return settings

    def at_start(self, environ: Mapping[str, str] = os.environ) -> Settings:
        """What holds for a manager that starts now: a test may have other surroundings than the import of its app."""
        testing = self.testing if self.testing is not None else _from_environment(environ).get("testing", False)
        return replace(self, testing=True, store="memory", durability="process") if testing else self

    @property
    def folder(self) -> Path:
        """The folder as given; it is resolved when the manager starts."""
        return as_path(self.dir)


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for each in dataclasses.fields(Settings):
        text = environ.get(variable(each.name))
        if text is None or (text == "" and each.type != "bool"):
            continue
        try:
            values[each.name] = each.metadata["parse"](text)
        except ValueError as error:
            raise ConfigurationError(f"{variable(each.name)}={text!r} cannot be used: {error}") from None
    return values


_LEAST = {
    **dict.fromkeys(("max_concurrent_tasks", "max_sync_threads", "max_process_workers", "max_pending"), 1),
    "journal_budget": 8 * 1024**2,  # two segments: one that is written, and one that the store still reads
}
_MOST = {"shutdown_grace": LONGEST, "retention_days": 36_500}
_MOST_OF_ALL = 2**63 - 1
_KINDS: Mapping[str, tuple[type, ...]] = {
    "bool": (bool,),
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "str | int | None": (str, int, type(None)),
    "bool | None": (bool, type(None)),
}


def _check(settings: Settings) -> None:
    for each in dataclasses.fields(Settings):
        value = getattr(settings, each.name)
        kinds = (str, os.PathLike) if each.name == "dir" else _KINDS.get(str(each.type))
        if kinds is None:
            continue
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise ConfigurationError(f"{each.name}={value!r} must be {_spoken(str(each.type))}")
        _check_value(each, value)


def _check_value(each: dataclasses.Field[Any], value: Any) -> None:
    if each.type in ("int", "float"):
        _check_range(each.name, value)
    if each.name in ("on_store_error", "durability", "trace_mode"):
        try:
            each.metadata["parse"](value)
        except ValueError as error:
            raise ConfigurationError(f"{each.name}={value!r} cannot be used: {error}") from None
    if each.name == "capture_logging" and value is not None:
        capture_level(value)
    if each.name == "dir":
        _check_dir(value)
    if each.name == "name":
        _check_name(value)


def _check_range(name: str, value: float) -> None:
    least, most = _LEAST.get(name, 0), _MOST.get(name, _MOST_OF_ALL)
    if not least <= value < float("inf"):
        raise ConfigurationError(f"{name}={value!r} must be {f'at least {least}' if least else '0 or more'}")
    if value > most:
        raise ConfigurationError(f"{name}={shown(value)} must be at most {most}")


def _check_dir(value: str | os.PathLike[str]) -> None:
    if not os.fspath(value).strip():
        raise ConfigurationError("dir='' must name a folder; for the working directory itself, '.'")
    try:
        as_path(value)
    except ValueError as error:
        raise ConfigurationError(f"dir={value!r} must name a folder: {error}") from None


def _check_name(value: str) -> None:
    if not value.strip():
        raise ConfigurationError("name='' must be a text that is not empty")
    if well_formed(value) != value:
        raise ConfigurationError(f"name={value!r} has half of a surrogate pair, which no file can hold; leave it out")


def _spoken(kind: str) -> str:
    return {
        "bool": "True or False",
        "int": "a whole number",
        "float": "a number",
        "str": "a text",
        "str | int | None": "a text, a number or None",
        "bool | None": "True, False or None",
    }[kind]
