"""What a TaskManager and its decorator are given, sorted: our settings, other names for them, what is refused."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.manager.compatibility import map_manager_parameters, refuse_task_parameters
from otel_taskflow.manager.settings import Settings
from otel_taskflow.model import TaskConfig


def split_settings(given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Our settings, and what the names of fastapi-taskflow among the rest mean. Raises an error that names the parameter."""
    names = Settings.__dataclass_fields__
    own = {name: value for name, value in given.items() if name in names}
    return own, map_manager_parameters({name: value for name, value in given.items() if name not in names})


def given_once(name: str, ours: Any, mapped: Any, default: Any = None) -> Any:
    """What was given, under our name or another one. Raises ConfigurationError if under both."""
    if ours is not None and mapped is not None:
        raise ConfigurationError(
            f"{name}={ours!r} and {mapped!r}: {name} is given twice, under two names; give it once"
        )
    chosen = ours if ours is not None else mapped
    return default if chosen is None else chosen


def task_config(options: dict[str, Any]) -> TaskConfig:
    """What ``task(...)`` was given. Raises an error that names the parameter."""
    names = {each.name for each in dataclasses.fields(TaskConfig)}
    options.pop("persist", None)
    refuse_task_parameters({name: value for name, value in options.items() if name not in names}, "task")
    known = {name: value for name, value in options.items() if name in names}
    retry_on = known.get("retry_on")
    if isinstance(retry_on, type):
        known["retry_on"] = (retry_on,)
    return TaskConfig(**cast(Any, known))
