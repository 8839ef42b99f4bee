"""The OpenAPI document of the API, made when it is asked for."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.security.http import HTTPBase

from otel_taskflow.version import __version__
from otel_taskflow.web.api import Api

_PREFIX = "otel_taskflow_"


def describe(api: Api, *, path: str, title: str, scheme: str) -> dict[str, Any]:
    """What the routes under ``path`` take and answer. ``scheme``: how to authenticate, as HTTP calls it; empty for not at all."""
    # What is served has no models of its answers: to make them takes a quarter of an app's start.
    from otel_taskflow.web.answers import ALWAYS, ANSWERS

    described = FastAPI(title=title, version=__version__)
    described.include_router(
        api.router(ANSWERS), prefix=path, responses=ALWAYS, dependencies=[Depends(_shown(scheme))] if scheme else None
    )
    return described.openapi()


def merge(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """The app's document with our paths and components too. Where the app has a name of ours, ours gets a prefix."""
    components = dict(theirs.get("components", {}))
    names = {
        kind: _free_names(of_kind, components.get(kind, {})) for kind, of_kind in ours.get("components", {}).items()
    }
    renamed = _with_names(ours, names)
    for kind, of_kind in renamed.get("components", {}).items():
        added = {names[kind][name]: value for name, value in of_kind.items()}
        components[kind] = {**components.get(kind, {}), **added}
    return {**theirs, "paths": {**theirs["paths"], **renamed["paths"]}, "components": components}


def _free_names(names: Iterable[str], taken: Container[str]) -> dict[str, str]:
    return {name: _free(name, taken) for name in names}


def _free(name: str, taken: Container[str]) -> str:
    return _free(_PREFIX + name, taken) if name in taken else name


def _with_names(value: Any, names: Mapping[str, Mapping[str, str]]) -> Any:
    """The same with these names of components, by kind, wherever one is referred to."""
    if isinstance(value, list):
        return [_with_names(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    changed = {key: _with_names(each, names) for key, each in value.items()}
    if isinstance(value.get("$ref"), str):
        *before, kind, name = value["$ref"].split("/")
        changed["$ref"] = "/".join([*before, kind, names[kind][name]])
    if isinstance(value.get("security"), list):
        schemes = names["securitySchemes"]
        changed["security"] = [{schemes[name]: scopes for name, scopes in each.items()} for each in value["security"]]
    return changed


def _shown(scheme: str) -> HTTPBase:
    return HTTPBase(scheme=scheme, scheme_name=scheme, auto_error=False)
