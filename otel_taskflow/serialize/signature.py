"""What a function takes: its parameters with their annotations resolved, asked for once."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from inspect import Parameter, Signature
from types import MappingProxyType
from typing import Any, NamedTuple, Union

UNKNOWN: Any = Parameter.empty
"""The annotation of a parameter that has none, or one that cannot be resolved."""


class Shape(NamedTuple):
    """A function's parameters. ``signature`` is None for builtins that do not tell."""

    name: str
    signature: Signature | None
    positional: tuple[str, ...] = ()
    """Names of the parameters that take positional arguments, in order, without ``*args``."""
    required: frozenset[str] = frozenset()
    by_keyword: frozenset[str] = frozenset()
    """Names that may be given by keyword."""
    var_positional: str | None = None
    var_keyword: str | None = None
    annotations: Mapping[str, Any] = MappingProxyType({})


def shape_of(func: Callable[..., Any]) -> Shape:
    """Look at a function, method, partial or callable object. Never raises."""
    name = _name_of(func)
    try:
        signature = inspect.signature(func)
    except (TypeError, ValueError):
        return Shape(name, None)
    parameters = signature.parameters.values()
    hints = _hints_of(func)
    return Shape(
        name=name,
        signature=signature,
        positional=tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)),
        required=frozenset(p.name for p in parameters if p.default is p.empty and not _is_variable(p)),
        by_keyword=frozenset(p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)),
        var_positional=next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None),
        var_keyword=next((p.name for p in parameters if p.kind is p.VAR_KEYWORD), None),
        annotations={p.name: _annotation(p, hints) for p in parameters},
    )


def _is_variable(parameter: Parameter) -> bool:
    return parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def _annotation(parameter: Parameter, hints: dict[str, Any]) -> Any:
    annotation = hints.get(parameter.name, parameter.annotation)
    if isinstance(annotation, str):
        return UNKNOWN
    if parameter.default is None and annotation is not UNKNOWN:
        return _or_none(annotation)
    return annotation


def _or_none(annotation: Any) -> Any:
    """``user: User = None`` is common; it means that None is fine."""
    try:
        return Union[annotation, None]  # noqa: UP007 - the annotation is a value here, and may be one without "|"
    except TypeError:
        return annotation


def _hints_of(func: Callable[..., Any]) -> dict[str, Any]:
    target = _annotated(func)
    try:
        return typing.get_type_hints(target, include_extras=True)
    except Exception:  # noqa: BLE001 - an annotation may be any expression; each is tried alone then
        return _hints_one_by_one(target)


def _hints_one_by_one(target: Any) -> dict[str, Any]:
    """The annotations that can be resolved, when some cannot (names under TYPE_CHECKING)."""
    space = getattr(target, "__globals__", {})
    return {
        name: _resolved(name, annotation, space) for name, annotation in getattr(target, "__annotations__", {}).items()
    }


def _resolved(name: str, annotation: Any, space: dict[str, Any]) -> Any:
    holder = type("Holder", (), {"__annotations__": {name: annotation}})
    try:
        return typing.get_type_hints(holder, space, include_extras=True)[name]
    except Exception:  # noqa: BLE001 - an annotation may be any expression; one without a meaning counts as none
        return UNKNOWN


def _annotated(func: Any) -> Any:
    """The object that carries the annotations: behind partials and wrappers, or the class's ``__call__``."""
    while True:
        if isinstance(func, (functools.partial, functools.partialmethod)):
            func = func.func
        elif hasattr(func, "__wrapped__"):
            func = func.__wrapped__
        elif inspect.isroutine(func):
            return func
        elif inspect.isclass(func):
            return func.__init__
        else:
            return type(func).__call__


def _name_of(func: Any) -> str:
    target = func
    while isinstance(target, functools.partial):
        target = target.func
    name = getattr(target, "__name__", None)
    return name if isinstance(name, str) else type(target).__name__
