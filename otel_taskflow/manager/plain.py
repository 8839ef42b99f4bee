"""What ``task_manager.add_task`` does when the manager is disabled: it calls the function, and nothing else."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any

from otel_taskflow.engine.asyncio_tasks import running_loop


def run_plainly(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Call the function soon: an async one on the running loop, everything else on a daemon thread."""
    loop = running_loop()
    if inspect.iscoroutinefunction(func) and loop is not None:
        task = loop.create_task(func(*args, **kwargs))
        _running.add(task)
        task.add_done_callback(_running.discard)
    else:
        threading.Thread(target=copy_context().run, args=(_call, func, args, kwargs), daemon=True).start()


_running: set[asyncio.Task[Any]] = set()
"""Keeps tasks alive; an event loop holds them weakly."""


def _call(func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    result = func(*args, **kwargs)
    if inspect.iscoroutine(result):
        asyncio.run(result)
