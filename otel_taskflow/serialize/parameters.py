"""Which codec each argument of a call has."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from otel_taskflow.serialize.adapter import ValueCodec
from otel_taskflow.serialize.signature import UNKNOWN, shape_of


class ParameterCodecs:
    """A codec for each parameter of a function, by its annotation."""

    def __init__(self, func: Callable[..., Any]) -> None:
        name, parameters, annotations, keywords, wrapped = shape_of(func)
        self.name = name
        """Of the function."""
        self.parameters = parameters
        of_name = {name: ValueCodec(annotation) for name, annotation in annotations.items()}
        free = ValueCodec(UNKNOWN)
        self._positional = [(name, of_name[name]) for name in parameters.positional]
        self._keywords = {name: ValueCodec(annotation) for name, annotation in keywords.items()}
        self._keywords |= {name: of_name[name] for name in parameters.by_keyword}
        self._more_positional = of_name.get(parameters.var_positional or "", free)
        self._more_keywords = of_name.get(parameters.var_keyword or "", free)
        self._wrapped = None if wrapped is None else ParameterCodecs(wrapped)

    def of_positional(self, args: Sequence[Any], kwargs: Collection[str]) -> Iterator[tuple[str, ValueCodec]]:
        """Names and codecs of the positional arguments of a call with these."""
        if len(args) <= len(self._positional):
            return iter(self._positional)
        return itertools.chain(self._positional, self._of_more(args, kwargs))

    def of_keyword(self, name: str) -> ValueCodec:
        """The codec of a keyword argument."""
        codec = self._keywords.get(name)
        if codec is None and self._wrapped is not None and self.parameters.var_keyword is not None:
            return self._wrapped.of_keyword(name)
        return codec or self._more_keywords

    def _of_more(self, args: Sequence[Any], kwargs: Collection[str]) -> Iterator[tuple[str, ValueCodec]]:
        own = len(self._positional)
        wrapped = self._behind(args, kwargs)
        if wrapped is not None:
            return itertools.islice(wrapped.of_positional(args, kwargs), own, None)
        stars = self.parameters.var_positional or "args"
        return ((f"{stars}[{index}]", self._more_positional) for index in range(len(args) - own))

    def _behind(self, args: Sequence[Any], kwargs: Collection[str]) -> ParameterCodecs | None:
        """The wrapped function's, if ``*args`` may be passed on to it in the places where they stand.

        Whether they are, only the wrapper knows. If not, these are the annotations of other parameters, and a value that one of
        them would change is not kept.
        """
        if self._wrapped is None or self.parameters.var_positional is None:
            return None
        theirs, own = self._wrapped.parameters, self.parameters.positional
        begins_alike = theirs.positional[: len(own)] == own
        return self._wrapped if begins_alike and theirs.may_take(len(args), kwargs) else None
