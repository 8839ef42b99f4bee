"""Routes whose tasks are refused answer 503: ``on_store_error="refuse"``."""

from __future__ import annotations

import inspect
from typing import Any

from fastapi import FastAPI
from fastapi.requests import Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from otel_taskflow.errors import StoreError, StoreUnavailableError, TaskflowError

RETRY_AFTER = 60
"""Seconds that a client is asked to wait: somebody has to mend the store and start the app again."""


def answer_unavailable(app: FastAPI) -> None:
    """Answer for the app, unless it handles the error, or a base of it, itself."""
    app.exception_handlers.setdefault(StoreUnavailableError, _answer)


async def _answer(request: Request, error: Exception) -> Any:
    theirs = request.app.exception_handlers
    for base in (StoreError, TaskflowError):
        if base in theirs:
            return await _call(theirs[base], request, error)
    if request.scope["type"] != "http":
        raise error
    detail = {"detail": "tasks cannot be kept at the moment"}
    return JSONResponse(detail, 503, headers={"Retry-After": str(RETRY_AFTER)})


async def _call(handler: Any, request: Request, error: Exception) -> Any:
    if inspect.iscoroutinefunction(handler):
        return await handler(request, error)
    return await run_in_threadpool(handler, request, error)
