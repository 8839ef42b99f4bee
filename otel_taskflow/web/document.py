"""The OpenAPI document of the API, made when it is asked for."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI
from fastapi.security.http import HTTPBase

from otel_taskflow.version import __version__
from otel_taskflow.web.api import Api


def describe(api: Api, *, path: str, title: str, scheme: str) -> dict[str, Any]:
    """What the routes under ``path`` take and answer. ``scheme``: how to authenticate, as HTTP calls it; empty for not at all."""
    # What is served has no models of its answers: to make them takes a quarter of an app's start.
    from otel_taskflow.web.answers import ALWAYS, ANSWERS

    described = FastAPI(title=title, version=__version__)
    described.include_router(
        api.router(ANSWERS), prefix=path, responses=ALWAYS, dependencies=[Depends(_shown(scheme))] if scheme else None
    )
    return described.openapi()


def _shown(scheme: str) -> HTTPBase:
    return HTTPBase(scheme=scheme, scheme_name=scheme, auto_error=False)
