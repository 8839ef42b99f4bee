"""What a function takes: its parameters with their annotations resolved, asked for once."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Collection, Mapping
from inspect import Parameter, Signature
from types import MethodType
from typing import Any, NamedTuple, Union

from otel_taskflow.serialize.annotations import is_unpacked, unpacked_keywords

UNKNOWN: Any = Parameter.empty
"""The annotation of a parameter that has none, or one that cannot be resolved."""


class Parameters(NamedTuple):
    """What a call must fit. ``signature`` is None for builtins that do not tell."""

    signature: Signature | None
    positional: tuple[str, ...] = ()
    """Names of the parameters that take positional arguments, in order, without ``*args``."""
    required: frozenset[str] = frozenset()
    by_keyword: frozenset[str] = frozenset()
    """Names that may be given by keyword."""
    var_positional: str | None = None
    var_keyword: str | None = None

    def check(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Raise TypeError, as the call of the function of this name would, if the arguments do not fit."""
        if not (args or kwargs or self.required) or self.signature is None or self._clearly_fits(args, kwargs):
            return
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{name}() {error}") from None

    def may_take(self, count: int, keywords: Collection[str]) -> bool:
        """Whether so many positional arguments and these keywords leave no parameter out and give none twice."""
        given = self.positional[:count]
        return (
            (count <= len(self.positional) or self.var_positional is not None)
            and self.required.issubset((*given, *keywords))
            and not any(name in keywords for name in given)
        )

    def _clearly_fits(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        if not self.may_take(len(args), kwargs):
            return False
        return not kwargs or self.by_keyword.issuperset(kwargs) or self._takes_any_keyword

    @property
    def _takes_any_keyword(self) -> bool:
        return self.var_keyword is not None and self.by_keyword.issuperset(self.positional)


class Shape(NamedTuple):
    """A function's parameters and what they are annotated with."""

    name: str
    parameters: Parameters
    annotations: Mapping[str, Any]
    keywords: Mapping[str, Any]
    """Annotations of what ``**kwargs`` takes, by name, if it is annotated with ``Unpack[SomeTypedDict]``."""
    wrapped: Callable[..., Any] | None
    """The function behind a ``functools.wraps``. What the wrapper passes on to it, and where, only the wrapper knows."""


def shape_of(func: Callable[..., Any]) -> Shape:
    """Look at a function, method, partial or callable object. Never raises."""
    try:
        inspect.unwrap(func)
    except ValueError:  # it wraps itself
        return Shape(name_of(func), Parameters(None), {}, {}, None)
    parameters = parameters_of(func)
    hints = _hints_of(func)
    own = parameters.signature.parameters.values() if parameters.signature is not None else ()
    annotations = {p.name: _annotation(p, hints) for p in own}
    keywords = unpacked_keywords(annotations.get(parameters.var_keyword or ""))
    annotations = {name: UNKNOWN if is_unpacked(each) else each for name, each in annotations.items()}
    return Shape(name_of(func), parameters, annotations, keywords, _wrapped_by(func))


def parameters_of(func: Callable[..., Any]) -> Parameters:
    """What calling it takes; of a wrapper its own parameters, not those of the function it wraps. Never raises."""
    try:
        signature = inspect.signature(func, follow_wrapped=False)
    except (TypeError, ValueError):
        # Such as functools.lru_cache, which is no function itself and takes what the wrapped one takes.
        wrapped = _wrapped_by(func)
        return Parameters(None) if wrapped is None else parameters_of(wrapped)
    parameters = signature.parameters.values()
    return Parameters(
        signature=signature,
        positional=tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)),
        required=frozenset(p.name for p in parameters if p.default is p.empty and not _is_variable(p)),
        by_keyword=frozenset(p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)),
        var_positional=next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), None),
        var_keyword=next((p.name for p in parameters if p.kind is p.VAR_KEYWORD), None),
    )


def _wrapped_by(func: Any) -> Callable[..., Any] | None:
    """The function behind a wrapper, with the object or the arguments that the wrapper is bound to; None if it wraps none."""
    if isinstance(func, functools.partial):
        wrapped = _wrapped_by(func.func)
        return None if wrapped is None else functools.partial(wrapped, *func.args, **func.keywords)
    if inspect.ismethod(func):
        wrapped = _wrapped_by(func.__func__)
        return None if wrapped is None else MethodType(wrapped, func.__self__)
    wrapped = getattr(func, "__wrapped__", None)
    if wrapped is None and not (inspect.isroutine(func) or inspect.isclass(func)):
        call = getattr(type(func).__call__, "__wrapped__", None)
        wrapped = MethodType(call, func) if callable(call) else None
    return wrapped if callable(wrapped) else None


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
    space = getattr(inspect.unwrap(target), "__globals__", {})
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
    """The object that carries the annotations: behind partials, or the class's ``__call__``."""
    while isinstance(func, (functools.partial, functools.partialmethod)):
        func = func.func
    if inspect.isroutine(func):
        return func
    if hasattr(func, "__wrapped__"):
        return func.__wrapped__
    return func.__init__ if inspect.isclass(func) else type(func).__call__


def name_of(func: Any) -> str:
    """What people know it by."""
    target = func
    while isinstance(target, functools.partial):
        target = target.func
    name = getattr(target, "__name__", None)
    return name if isinstance(name, str) else type(target).__name__
