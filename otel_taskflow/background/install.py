"""Routes with plain ``BackgroundTasks`` become managed, for one app: ``TaskAdmin(..., auto_install=True)``.

FastAPI hands one ``BackgroundTasks`` object through all dependencies of a request. A dependency of ours in front of the
others turns that object into a managed list, so the routes need no change and no other app of the process is touched.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import BackgroundTasks, Depends, FastAPI
from fastapi.dependencies.utils import get_parameterless_sub_dependant
from fastapi.requests import HTTPConnection
from fastapi.routing import APIRoute, APIWebSocketRoute

from otel_taskflow.background.dependency import follow
from otel_taskflow.background.ports import TaskSubmitter
from otel_taskflow.background.tasks import ManagedBackgroundTasks


def install(app: FastAPI, manager: TaskSubmitter) -> None:
    """Make the plain ``BackgroundTasks`` of all routes of ``app`` managed, those defined before and after this call.

    Those of a disabled manager stay plain ones, but understand the same options. An app that is mounted in it is an app of
    its own, with routes that FastAPI gives nothing of the outer one.
    """
    gate = _gate(manager)
    app.router.dependencies.insert(0, Depends(gate))
    for index, route in enumerate(app.router.routes):
        included = getattr(route, "include_context", None)
        if included is not None:
            included.dependencies.insert(0, Depends(gate))
            app.router.routes[index] = _fresh(route)
        elif isinstance(route, APIRoute | APIWebSocketRoute) and _wants_background_tasks(route.dependant):
            route.dependant.dependencies.insert(
                0, get_parameterless_sub_dependant(depends=Depends(gate), path=route.path_format)
            )


def _fresh(included_router: Any) -> Any:
    """The same without what it has worked out: whoever looked at its routes before us made it do that, for good."""
    return type(included_router)(
        original_router=included_router.original_router, include_context=included_router.include_context
    )


def _gate(manager: TaskSubmitter) -> Callable[..., Awaitable[None]]:
    async def adopt(connection: HTTPConnection, background_tasks: BackgroundTasks) -> None:
        if isinstance(background_tasks, ManagedBackgroundTasks):
            return  # The app's other manager has it already.
        managed = _make_managed(background_tasks, manager)
        if not manager.is_disabled:
            await follow(connection, managed)

    return adopt


def _make_managed(background_tasks: BackgroundTasks, manager: TaskSubmitter) -> ManagedBackgroundTasks:
    """Change the object itself: it is already the one that the route will be given."""
    background_tasks.__class__ = ManagedBackgroundTasks
    managed: ManagedBackgroundTasks = background_tasks  # type: ignore[assignment]
    managed.bind(manager, asyncio.get_running_loop())
    return managed


def _wants_background_tasks(dependant: Any) -> bool:
    return bool(dependant.background_tasks_param_name) or any(
        _wants_background_tasks(each) for each in dependant.dependencies
    )
