"""``wrap``: a function that runs in the context variables of its maker, wherever it is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")


def wrap(func: Callable[P, T]) -> Callable[P, T]:
    """Carry the running task into a raw thread or executor.

    ``threading.Thread(target=wrap(work))`` or ``executor.submit(wrap(work))`` starts without the caller's context;
    a wrapped function sees the task's ``task_log``, context and current span. Each call runs in a copy of the context
    in which ``wrap`` was called. An async function stays one, and a generator function too: all their steps run there.

    Raises TypeError for what is no function, and for an async generator.
    """
    kind = _called_of(func)
    if inspect.isasyncgenfunction(kind):
        raise TypeError(f"wrap({_name_of(func)}): an async generator; wrap an async function that iterates over it")
    captured = copy_context()
    if inspect.iscoroutinefunction(kind):
        return cast("Callable[P, T]", _coroutine_function(cast("Callable[..., Any]", func), captured))
    if inspect.isgeneratorfunction(kind):
        return cast("Callable[P, T]", _generator_function(cast("Callable[..., Any]", func), captured))

    @wraps(func)
    def in_context(*args: P.args, **kwargs: P.kwargs) -> T:
        return captured.copy().run(func, *args, **kwargs)

    return in_context


def _called_of(func: object) -> Any:
    """The function whose kind says what calling this one gives. Raises TypeError for what cannot be called."""
    if not callable(func):
        raise TypeError(f"wrap({_name_of(func)}): not a function; pass the function itself, not what it returns")
    while isinstance(func, partial):
        func = func.func
    return func if inspect.isroutine(func) or inspect.isclass(func) else type(func).__call__


def _name_of(func: object) -> str:
    name = getattr(func, "__qualname__", None)
    return name if isinstance(name, str) else repr(func)[:200]


def _coroutine_function(
    func: Callable[..., Coroutine[Any, Any, Any]], captured: Context
) -> Callable[..., Coroutine[Any, Any, Any]]:
    @wraps(func)
    async def in_context(*args: Any, **kwargs: Any) -> Any:
        context = captured.copy()
        return await _Steps(context.run(func, *args, **kwargs), context)

    return in_context


def _generator_function(
    func: Callable[..., Generator[Any, Any, Any]], captured: Context
) -> Callable[..., Generator[Any, Any, Any]]:
    @wraps(func)
    def in_context(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        context = captured.copy()
        return (yield from _Steps(context.run(func, *args, **kwargs), context))

    return in_context


class _Steps:
    """Runs a coroutine or generator in a context: every step of it, not only the call that makes it."""

    def __init__(self, running: Coroutine[Any, Any, Any] | Generator[Any, Any, Any], context: Context) -> None:
        self._running = running
        self._run = context.run

    def __await__(self) -> _Steps:
        return self

    def __iter__(self) -> _Steps:
        return self

    def __next__(self) -> Any:
        return self._run(self._running.send, None)

    def send(self, value: Any) -> Any:
        """Run it on to its next wait."""
        return self._run(self._running.send, value)

    def throw(self, *error: Any) -> Any:
        """Raise inside of it, as a cancellation does."""
        return self._run(self._running.throw, *error)

    def close(self) -> None:
        """End it early."""
        self._run(self._running.close)
