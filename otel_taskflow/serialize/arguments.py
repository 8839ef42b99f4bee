"""A call's arguments as JSON text, so that another process can make the same call. No pickle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from otel_taskflow.errors import TaskArgumentError
from otel_taskflow.serialize.adapter import ValueCodec, reason
from otel_taskflow.serialize.signature import UNKNOWN, shape_of

_NOTHING = '{"args":[],"kwargs":{}}'
MAX_BYTES = 12 * 1024 * 1024
"""Of a call's arguments as they stand in a journal record, a text in JSON: a record holds 16 MiB, and more than these."""
_CLEARLY_FITS = MAX_BYTES // 8
"""Characters. One of a text takes at most four bytes, twice that if a backslash comes before it."""


class Kept(NamedTuple):
    """What ``ArgumentCodec.dump`` returns: one of the two is None."""

    text: str | None
    """JSON ``{"args": [...], "kwargs": {...}}``."""
    problem: str | None = None
    """Why the call cannot be made again from JSON: names the parameter and the remedy."""


_kept_nothing = Kept(_NOTHING)


class ArgumentCodec:
    """Keeps the arguments of one function by its annotations. The call in this process never sees what is done here.

    Any callable will do; parameters without an annotation that can be resolved keep what JSON has as it is.
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        self._shape = shape_of(func)
        self._of_name = {name: ValueCodec(annotation) for name, annotation in self._shape.annotations.items()}
        self._free = ValueCodec(UNKNOWN)
        self._positional = [self._of_name[name] for name in self._shape.positional]
        self._more_positional = self._of_name.get(self._shape.var_positional or "", self._free)
        self._more_keywords = self._of_name.get(self._shape.var_keyword or "", self._free)
        self._keywords = {name: self._of_name[name] for name in self._shape.by_keyword}

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise TypeError, as the call would, if the arguments do not fit the function's parameters."""
        shape = self._shape
        if not (args or kwargs or shape.required) or shape.signature is None or self._clearly_fits(args, kwargs):
            return
        try:
            shape.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{shape.name}() {error}") from None

    def dump(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Kept:
        """The arguments as JSON, or why they cannot be kept. Never raises."""
        if not args and not kwargs:
            return _kept_nothing
        kept = self._dump(args, kwargs)
        return kept if kept.text is None or len(kept.text) <= _CLEARLY_FITS else self._bounded(kept.text)

    def _bounded(self, text: str) -> Kept:
        size = len(to_json(text))
        if size <= MAX_BYTES:
            return Kept(text)
        return Kept(
            None,
            f"the arguments of {self._shape.name}() take {size} bytes, and {MAX_BYTES} are kept; "
            "pass what names the data, such as a path or a key, instead of the data",
        )

    def _dump(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Kept:
        if self._is_plain(args, kwargs):
            try:
                return Kept(to_json({"args": args, "kwargs": kwargs}).decode())
            except Exception:  # noqa: BLE001 - a lone surrogate; the careful way says in which parameter
                return self._dump_carefully(args, kwargs)
        return self._dump_carefully(args, kwargs)

    def load(self, text: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a kept text, checked against the function. Raises TaskArgumentError."""
        raw_args, raw_kwargs = self._parse(text)
        args = tuple(
            self._load(self._label(index), codec, value)
            for index, (codec, value) in enumerate(zip(self._positional_codecs(), raw_args, strict=False))
        )
        kwargs = {name: self._load(name, self._keyword_codec(name), value) for name, value in raw_kwargs.items()}
        try:
            self.check(args, kwargs)
        except TypeError as error:
            raise TaskArgumentError(
                f"{error}: the kept arguments do not fit the function any more; add the task again with new ones"
            ) from None
        return args, kwargs

    def _clearly_fits(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        shape = self._shape
        given = shape.positional[: len(args)]
        if len(args) > len(shape.positional) or not shape.required.issubset((*given, *kwargs)):
            return False
        return not kwargs or (shape.by_keyword.issuperset(kwargs) and not any(name in kwargs for name in given))

    def _is_plain(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        if len(args) > len(self._positional):
            return False
        return all(codec.is_plain(value) for codec, value in zip(self._positional, args, strict=False)) and all(
            self._keyword_codec(name).is_plain(value) for name, value in kwargs.items()
        )

    def _dump_carefully(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Kept:
        name = ""
        try:
            texts = []
            for index, (codec, value) in enumerate(zip(self._positional_codecs(), args, strict=False)):
                name = self._label(index)
                texts.append(codec.dump(value))
            pairs = []
            for name, value in kwargs.items():
                pairs.append(to_json(name) + b":" + self._keyword_codec(name).dump(value))
            return Kept((b'{"args":[' + b",".join(texts) + b'],"kwargs":{' + b",".join(pairs) + b"}}").decode())
        except Exception as error:  # noqa: BLE001 - what cannot be kept still runs in this process
            return Kept(None, f"argument {name!r} of {self._shape.name}(): {reason(error)}")

    def _parse(self, text: str) -> tuple[list[Any], dict[str, Any]]:
        try:
            call = from_json(text)
            args, kwargs = call["args"], call["kwargs"]
        except (ValueError, TypeError, KeyError) as error:
            raise TaskArgumentError(f"the kept arguments of {self._shape.name}() are not readable: {error}") from error
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise TaskArgumentError(f"the kept arguments of {self._shape.name}() are not a list and a dict")
        return args, kwargs

    def _load(self, name: str, codec: ValueCodec, value: Any) -> Any:
        try:
            return codec.load(to_json(value))
        except Exception as error:
            raise TaskArgumentError(
                f"argument {name!r} of {self._shape.name}() cannot be read from what was kept ({reason(error)}); "
                "add the task again, or let the annotation accept the old value too"
            ) from error

    def _positional_codecs(self) -> Iterator[ValueCodec]:
        yield from self._positional
        while True:
            yield self._more_positional

    def _keyword_codec(self, name: str) -> ValueCodec:
        return self._keywords.get(name, self._more_keywords)

    def _label(self, index: int) -> str:
        names = self._shape.positional
        return names[index] if index < len(names) else f"{self._shape.var_positional or 'args'}[{index - len(names)}]"
