"""Checks calls of functions that come and go: closures, lambdas, partials, methods of objects."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from inspect import Parameter
from types import FunctionType, MethodType
from typing import Any

from otel_taskflow.serialize.signature import Parameters, name_of, parameters_of

_LIMIT = 10_000
_PLACEHOLDER = getattr(functools, "Placeholder", object())


class CallChecks:
    """Whether calls fit their functions. Remembers code, which is there once, and nothing that a function holds or is bound to.

    Functions of one code differ in which parameters have defaults, and in nothing else that a call has to fit.
    """

    def __init__(self) -> None:
        self._known: dict[Any, Parameters] = {}

    def check(self, func: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Raise TypeError, as the call would, if the arguments do not fit the function's parameters."""
        called, args, kwargs = _unbound(func, args, kwargs)
        self._parameters_of(called).check(name_of(func), args, kwargs)

    def _parameters_of(self, func: Any) -> Parameters:
        if type(func) is not FunctionType or hasattr(func, "__signature__"):
            return parameters_of(func)
        key = (func.__code__, len(func.__defaults__ or ()), frozenset(func.__kwdefaults__ or ()))
        known = self._known.get(key)
        if known is None:
            known = _bare(parameters_of(func))
            if len(self._known) < _LIMIT:
                self._known[key] = known
        return known


def _unbound(
    func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Any, tuple[Any, ...], Mapping[str, Any]]:
    """The function that is called in the end, and what it is called with."""
    while True:
        kind = type(func)
        if kind is functools.partial and not any(arg is _PLACEHOLDER for arg in func.args):
            func, args, kwargs = func.func, (*func.args, *args), {**func.keywords, **kwargs}
        elif kind is MethodType:
            func, args = func.__func__, (func.__self__, *args)
        elif type(kind.__call__) is FunctionType and not hasattr(func, "__signature__"):
            func, args = kind.__call__, (func, *args)
        else:
            return func, args, kwargs


def _bare(parameters: Parameters) -> Parameters:
    """Without the values of defaults and without annotations, which may hold anything."""
    if parameters.signature is None:
        return parameters
    own = parameters.signature.parameters.values()
    bare = [p.replace(annotation=p.empty, default=p.empty if p.default is p.empty else None) for p in own]
    return parameters._replace(
        signature=parameters.signature.replace(parameters=bare, return_annotation=Parameter.empty)
    )
