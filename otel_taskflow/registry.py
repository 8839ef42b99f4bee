"""The functions that are tasks: checked once, at decoration."""

from __future__ import annotations

import functools
import inspect
import math
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, cast

from otel_taskflow.errors import ConfigurationError, TaskNotRegisteredError, shown
from otel_taskflow.model import LONGEST, TaskConfig, TaskDefinition

_PROGRAM = ("__main__", "__mp_main__")
"""What the module that is run is called, in a process and in those that multiprocessing starts for it."""


class Identity(NamedTuple):
    """What a kept task says about its function."""

    name: str
    function: str = ""
    """Module and qualified name, for a function that was never decorated; else empty."""


class Registry:
    """Task definitions by name, by place and by function.

    A registered name means the function that was registered with it and no other. Undecorated functions have no name that
    is theirs alone, so the tasks of one are found again by the place where it was defined.
    """

    def __init__(self) -> None:
        self._by_name: dict[str, TaskDefinition] = {}
        self._by_function: dict[Any, TaskDefinition] = {}
        self._registered_at: dict[str, TaskDefinition] = {}
        self._adopted_at: dict[str, TaskDefinition] = {}

    def register(self, func: Callable[..., Any], config: TaskConfig) -> TaskDefinition:
        """Add a function. Raises ConfigurationError for a name that another function has."""
        definition = define(func, config)
        if not _is_hashable(func):
            raise ConfigurationError(
                f"{func!r} cannot be registered: it is not hashable; register a function that calls it"
            )
        known = self._by_name.get(definition.name)
        if known is not None and not _same_function(known.func, func):
            raise ConfigurationError(
                f"task name {definition.name!r} is taken by {known.code_name}; "
                f"give {definition.code_name} another one with @task_manager.task(name=...)"
            )
        self._by_function[func] = definition
        self._by_name[definition.name] = definition
        if (place := _place_of(func)) is not None:
            self._registered_at[place] = definition
        return definition

    def for_function(self, func: Callable[..., Any]) -> TaskDefinition:
        """The definition of a function; one that was never decorated is defined with default settings."""
        try:
            return self._by_function[func]
        except KeyError:
            return self._adopt(func)
        except TypeError:  # not hashable, as an instance of a dataclass
            return _define_here(func)

    def _adopt(self, func: Callable[..., Any]) -> TaskDefinition:
        registered = self._registered_behind(func)
        if registered is not None:
            return replace(define(func, registered.config), name=registered.name, is_recoverable=False)
        place = _place_of(func)
        if place is None or not _is_found(func):
            return _define_here(func)
        definition = replace(define(func, TaskConfig()), function=place)
        self._adopted_at[place] = self._by_function[func] = definition
        return definition

    def _registered_behind(self, func: Any) -> TaskDefinition | None:
        """The registered function that a method of an object or a partial calls: its settings hold for them too."""
        while isinstance(func, functools.partial) or inspect.ismethod(func):
            func = func.func if isinstance(func, functools.partial) else func.__func__
        known = self._by_function.get(func) if inspect.isfunction(func) else None
        return known if known is not None and not known.function else None

    def find(self, identity: Identity) -> TaskDefinition:
        """The definition of a kept task. Raises TaskNotRegisteredError."""
        known = self._find(identity)
        if known is None:
            named = f"the function {identity.function}" if identity.function else f"no task named {identity.name!r}"
            what = "was not added as a task" if identity.function else "is registered"
            raise TaskNotRegisteredError(f"{named} {what} in this process; import the module that defines it")
        return known

    def _find(self, identity: Identity) -> TaskDefinition | None:
        if not identity.function:
            return self._by_name.get(identity.name)
        # While a decorator runs, its module has no such name yet: whether a function is found there, is known only now.
        at_place = (self._registered_at.get(identity.function), self._adopted_at.get(identity.function))
        return next((each for each in at_place if each is not None and _is_found(each.func)), None)

    def __contains__(self, identity: Identity) -> bool:
        return self._find(identity) is not None

    def __iter__(self) -> Iterator[TaskDefinition]:
        return iter(self._by_name.values())


def define(func: Callable[..., Any], config: TaskConfig) -> TaskDefinition:
    """Check a function and its settings. Raises ConfigurationError that names the setting, the value and the remedy."""
    target = _call_target(func)
    check_config(config)
    # An AsyncMock says itself that it is one; what its class calls is a plain function.
    is_async = inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(func)
    _check_kind(func, target)
    _check_executor(config.executor, is_async, func)
    name = config.name or _name_of(func)
    return TaskDefinition(name, func, config, is_async, _code_name(func, target), config.retry_policy)


def _define_here(func: Callable[..., Any]) -> TaskDefinition:
    """Of what no other process finds."""
    return replace(define(func, TaskConfig()), function=_label_of(func), is_recoverable=False)


def _is_hashable(func: object) -> bool:
    try:
        hash(func)
    except TypeError:
        return False
    return True


def _call_target(func: Any) -> Any:
    """The function behind a partial, a bound method or an object with ``__call__``."""
    while isinstance(func, functools.partial):
        func = func.func
    if inspect.isfunction(func) or inspect.ismethod(func) or inspect.isbuiltin(func):
        return func
    if isinstance(func, type):
        raise ConfigurationError(f"{func!r} is a class; decorate a function or add a callable instance")
    if not callable(func):
        raise ConfigurationError(f"{func!r} is not callable; decorate a function")
    return type(func).__call__


def _check_kind(func: Any, target: Any) -> None:
    if isinstance(func, staticmethod | classmethod):
        raise ConfigurationError(f"{func!r}: put @task_manager.task below @staticmethod, or decorate a plain function")
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        raise ConfigurationError(
            f"{_name_of(func)} is a generator function, so calling it runs nothing; "
            "consume it inside a plain function and make that one the task"
        )


def _check_executor(executor: str | None, is_async: bool, func: Any) -> None:
    if executor is None:
        return
    if executor not in ("async", "thread", "process"):
        raise ConfigurationError(f"executor={executor!r} is unknown; use 'async', 'thread', 'process' or leave it out")
    if executor == "async" and not is_async:
        raise ConfigurationError(f"executor='async' needs a coroutine function; {_name_of(func)} is a plain one")
    if executor != "async" and is_async:
        raise ConfigurationError(
            f"executor={executor!r} needs a plain function; {_name_of(func)} is a coroutine function"
        )


def check_config(config: TaskConfig) -> None:
    """Raise ConfigurationError for a setting out of range."""
    _check_count("retries", config.retries)
    _check_seconds("delay", config.delay)
    _check_number("backoff", config.backoff, minimum=0.0)
    _check_number("jitter", config.jitter, minimum=0.0, maximum=1.0)
    if config.max_delay is not None:
        _check_seconds("max_delay", config.max_delay)
    if config.timeout is not None:
        _check_number("timeout", config.timeout, minimum=0.0, exclusive=True)
    check_expires(config.expires, "expires={}")
    _check_name(config.name)
    for flag in ("requeue_on_interrupt", "eager", "detached"):
        if not isinstance(getattr(config, flag), bool):
            raise ConfigurationError(f"{flag}={getattr(config, flag)!r} must be True or False")
    _check_retry_on(config.retry_on)


def check_expires(expires: object, given: str) -> None:
    """Raise ConfigurationError unless these are seconds in which a task can start. ``given`` is how the value was written."""
    if expires is None:
        return
    is_number = isinstance(expires, int | float) and not isinstance(expires, bool)
    if not is_number or not 0 < cast(float, expires) <= LONGEST:
        raise ConfigurationError(
            f"{given.format(shown(expires))} must be seconds, more than 0 and at most {LONGEST} (100 years); "
            "leave it out for a task that may start at any time"
        )


def _check_name(name: object) -> None:
    if name is not None and not (isinstance(name, str) and name.strip()):
        raise ConfigurationError(f"name={name!r} must be a text that is not empty")
    if isinstance(name, str) and not _is_unicode(name):
        raise ConfigurationError(f"name={name!r} has half of a surrogate pair, which no file and no export can hold")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(f"{name}={value!r} must be a whole number, 0 or more")


def _check_seconds(name: str, value: object) -> None:
    _check_number(name, value, minimum=0.0)


def _check_number(
    name: str, value: object, *, minimum: float, maximum: float = math.inf, exclusive: bool = False
) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value) or math.isinf(value):
        raise ConfigurationError(f"{name}={value!r} must be a number")
    if value < minimum or value > maximum or (exclusive and value == minimum):
        above = "more than" if exclusive else "at least"
        upto = "" if maximum == math.inf else f" and at most {maximum:g}"
        raise ConfigurationError(f"{name}={value!r} must be {above} {minimum:g}{upto}")


def _check_retry_on(retry_on: object) -> None:
    if not isinstance(retry_on, tuple) or not all(
        isinstance(each, type) and issubclass(each, BaseException) for each in retry_on
    ):
        raise ConfigurationError(f"retry_on={retry_on!r} must be an exception type or a tuple of exception types")


def _name_of(func: Any) -> str:
    while isinstance(func, functools.partial):
        func = func.func
    return str(getattr(func, "__name__", None) or type(func).__name__)


def _code_name(func: Any, target: Any) -> str:
    module = getattr(target, "__module__", None) or type(func).__module__
    return f"{module}.{getattr(target, '__qualname__', _name_of(func))}"


def _label_of(func: Any) -> str:
    """Tells functions apart that no process can import; for a lambda with its line, since all have one name."""
    target = _call_target(func)
    code = getattr(target, "__code__", None)
    name = _code_name(func, target)
    return f"{name}:{code.co_firstlineno}" if code is not None and name.endswith("<lambda>") else name


def _same_function(one: Any, other: Any) -> bool:
    """True for the same function, also after a module was imported again, or was run and then imported."""
    return one is other or (
        getattr(one, "__self__", None) is getattr(other, "__self__", None)
        and getattr(one, "__qualname__", None) == getattr(other, "__qualname__", None)
        and "<locals>" not in str(getattr(one, "__qualname__", "<locals>"))
        and _same_module(one, other)
    )


def _same_module(one: Any, other: Any) -> bool:
    modules = (getattr(one, "__module__", None), getattr(other, "__module__", None))
    if modules[0] == modules[1]:
        return True
    # uvicorn.run("main:app") at the foot of main.py imports what runs already.
    is_run = any(module in _PROGRAM for module in modules)
    return is_run and _lines_of(one) is not None and _lines_of(one) == _lines_of(other)


def _lines_of(func: Any) -> tuple[str, int] | None:
    """File and line of a function, of a decorated one where itself begins."""
    code = getattr(inspect.unwrap(func), "__code__", None)
    return None if code is None else (os.path.realpath(code.co_filename), code.co_firstlineno)


def _place_of(func: Any) -> str | None:
    """Where another process may find it: module and qualified name. None for what has no name of its own in a module."""
    module, name = _module_of(func), getattr(func, "__qualname__", None)
    if not (isinstance(module, str) and isinstance(name, str)) or "<" in name or inspect.ismethod(func):
        return None
    return f"{module}.{name}"


def _module_of(func: Any) -> object:
    """The name of its module where that is imported, also if it is what runs here."""
    name = getattr(func, "__module__", None)
    if name not in _PROGRAM:
        return name
    program = sys.modules.get(name)
    spec, file = getattr(program, "__spec__", None), getattr(program, "__file__", None)
    if spec is not None:
        return spec.name
    return Path(file).stem if file else name


def _is_found(func: Any) -> bool:
    """True if another process finds this very function where it says it was defined."""
    found = sys.modules.get(getattr(func, "__module__", None) or "")
    for name in str(getattr(func, "__qualname__", "<nowhere>")).split("."):
        found = getattr(found, name, None)
    return found is func
