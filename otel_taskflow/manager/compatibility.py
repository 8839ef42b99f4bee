"""Names of fastapi-taskflow, mapped to ours in one place; what is not built yet is refused by name, never ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from otel_taskflow.errors import ConfigurationError, UnsupportedParameterError
from otel_taskflow.observers import FileLogger

T = TypeVar("T")

_RENAMED = {"snapshot_db": "store", "snapshot_backend": "store", "loggers": "observers"}
_LOG_FILE = ("log_file", "log_file_max_bytes", "log_file_backup_count", "log_file_mode", "log_lifecycle")

_LOG_FILE_DEFAULTS = {
    "log_file_max_bytes": 10 * 1024**2,
    "log_file_backup_count": 5,
    "log_file_mode": "rotate",
    "log_lifecycle": False,
}

_NOT_NEEDED = {
    "snapshot_interval": "every event is kept at once, so there is no interval to set",
    "merged_list_ttl": "lists are read from the store, so there is nothing to cache",
    "registry_ttl": "processes find each other through the store",
    "registry_heartbeat": "processes find each other through the store",
    "instance_url": "processes find each other through the store",
    "instance_tasks_prefix": "processes find each other through the store",
}
_NOT_BUILT = (
    "encrypt_args_key",
    "process_shutdown_timeout",
    "queues",
    "max_size",
)
_FIXED = {
    "requeue_pending": (True, "tasks that have not started always survive a restart"),
    "retry_replaces_original": (False, "the original of a retried task is always kept"),
}
_KNOWN = frozenset({*_NOT_NEEDED, *_NOT_BUILT, *_FIXED})
"""For these, None is the same as leaving them out."""
TASK_NOT_BUILT = ("priority", "queue")
"""Parameters of ``task()`` and ``add_task()`` that are refused."""


_METHODS_NOT_BUILT = frozenset(
    {
        "schedule",
        "schedule_once",
        "cancel_scheduled",
        "list_scheduled",
        "queue_stats",
        "update_queue_config",
        "merged_list",
    }
)


_ATTRIBUTES = {
    "store": "tasks are read with `await task_manager.reader().get_task(task_id)`, or through the HTTP API",
    "logger": "observers are given with TaskManager(observers=[...]); there is no chain to be asked",
    "fernet": "arguments are not encrypted by this release",
}
NOT_BUILT_NAMES = {
    "AuditEntry": "this release keeps no audit log",
    "LoggerChain": "give several observers: TaskManager(observers=[one, other])",
    "MySQLBackend": 'stores are SQLite (store="tasks.db"), "memory", or your own with the Store protocol',
    "PostgresBackend": 'stores are SQLite (store="tasks.db"), "memory", or your own with the Store protocol',
    "QueueConfig": "named queues are not part of this release",
    "RedisBackend": 'stores are SQLite (store="tasks.db"), "memory", or your own with the Store protocol',
    "ScheduledOnce": "schedules are not part of this release",
    "SnapshotBackend": "a store of your own has the Store protocol of otel_taskflow.ports",
    "SnapshotScheduler": "every event is kept at once, there are no snapshots",
    "SqliteBackend": 'give the path: TaskManager(store="tasks.db")',
    "TaskAuthBackend": "any object with authenticate_user(username, password) will do as auth=",
    "TaskExecutionContext": "it is called TaskContext here",
}
"""Names that fastapi-taskflow exports and this package does not, with what to use instead."""


def missing_name(name: str) -> ImportError | None:
    """The error for a name of fastapi-taskflow that the package does not have; None for any other."""
    remedy = NOT_BUILT_NAMES.get(name)
    return None if remedy is None else ImportError(f"otel_taskflow has no {name}: {remedy}", name="otel_taskflow")


def no_such_name(module: str, name: str) -> Exception:
    """The error for a name that one of the modules does not have which are called as fastapi-taskflow's are."""
    return missing_name(name) or AttributeError(f"module {module!r} has no attribute {name!r}")


class _Missing:
    """An attribute that is not there and says so.

    Not ``__getattr__``: Python calls that, too, when a property that is there raises an AttributeError, which would be lost.
    """

    def __init__(self, message: str) -> None:
        self._message = message

    def __get__(self, instance: object, owner: type) -> NoReturn:
        raise AttributeError(self._message)


def with_missing_names(manager: type[T]) -> type[T]:
    """Let the class say of fastapi-taskflow's attributes that it does not have what to use instead."""
    for name, remedy in _ATTRIBUTES.items():
        setattr(manager, name, _Missing(f"TaskManager.{name} is not part of this release: {remedy}"))
    for name in _METHODS_NOT_BUILT:
        message = f"TaskManager.{name}() is not part of this release: there are no schedules and named queues"
        setattr(manager, name, _Missing(message))
    return manager


def map_manager_parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    """Turn the reference's parameters into ours. Raises an error that names the parameter and the remedy."""
    ours: dict[str, Any] = {}
    log_file = {name: given[name] for name in _LOG_FILE if given.get(name) is not None}
    for name, value in given.items():
        if name in _LOG_FILE:
            continue
        if name in _RENAMED:
            _take(ours, _RENAMED[name], name, value)
        elif value is not None or name not in _KNOWN:
            _refuse(name, value)
    if log_file:
        ours["log_file"] = _file_logger(log_file)
    return ours


def refuse_task_parameters(given: Mapping[str, Any], where: str) -> None:
    """Refuse parameters of ``task()`` or ``add_task()`` that are not there; known ones may be None."""
    for name, value in given.items():
        if value is None and name in TASK_NOT_BUILT:
            continue
        if name in TASK_NOT_BUILT:
            raise UnsupportedParameterError(
                f"{where}({name}={value!r}): named queues and priorities are not part of this release; leave {name} out"
            )
        raise ConfigurationError(f"{where}() has no parameter {name!r} (given {value!r}); check the spelling")


def _take(ours: dict[str, Any], name: str, given_as: str, value: Any) -> None:
    if value is None:
        return
    if name in ours:
        raise ConfigurationError(f"{given_as}={value!r}: {name} is given twice; give it once, as {name}=")
    ours[name] = value


def _refuse(name: str, value: Any) -> None:
    if name in _FIXED:
        fixed, why = _FIXED[name]
        if value is fixed:
            return
        raise UnsupportedParameterError(f"TaskManager({name}={value!r}): {why}; leave {name} out")
    if name in _NOT_NEEDED:
        raise UnsupportedParameterError(f"TaskManager({name}={value!r}): {_NOT_NEEDED[name]}; leave {name} out")
    if name in _NOT_BUILT:
        raise UnsupportedParameterError(
            f"TaskManager({name}={value!r}) is not supported by this release; leave {name} out"
        )
    raise ConfigurationError(f"TaskManager() has no parameter {name!r} (given {value!r}); check the spelling")


def _file_logger(given: Mapping[str, Any]) -> FileLogger | None:
    """None for nothing but the defaults of fastapi-taskflow, which mean no file."""
    if "log_file" not in given and any(value != _LOG_FILE_DEFAULTS[name] for name, value in given.items()):
        names = ", ".join(sorted(given))
        raise ConfigurationError(f"{names}: these belong to log_file=, which is not given")
    if "log_file" not in given:
        return None
    options = {name.removeprefix("log_file_"): value for name, value in given.items() if name.startswith("log_file_")}
    return FileLogger(given["log_file"], log_lifecycle=given.get("log_lifecycle", False), **options)
