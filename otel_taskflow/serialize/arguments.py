"""A call's arguments as JSON text, so that another process can make the same call. No pickle."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic_core import from_json, to_json

from otel_taskflow.errors import TaskArgumentError
from otel_taskflow.serialize.adapter import Dumped, ValueCodec, reason
from otel_taskflow.serialize.parameters import ParameterCodecs

_NONE_UNSET: dict[str, dict[str, Any]] = {"args": {}, "kwargs": {}}
_NOTHING = '{"args":[],"kwargs":{}}'
MAX_BYTES = 12 * 1024 * 1024
"""Of a call's arguments as they stand in a journal record, a text in JSON: a record holds 16 MiB, and more than these."""
_CLEARLY_FITS = MAX_BYTES // 8
"""Characters. One of a text takes at most four bytes, twice that if a backslash comes before it."""


class Kept(NamedTuple):
    """What ``ArgumentCodec.dump`` returns: one of the two is None."""

    text: str | None
    """JSON ``{"args": [...], "kwargs": {...}}``, with ``"unset"`` beside them where models have fields that were never set."""
    problem: str | None = None
    """Why the call cannot be made again from JSON: names the parameter and the remedy."""


_kept_nothing = Kept(_NOTHING)


class ArgumentCodec:
    """Keeps the arguments of one function by its annotations. The call in this process never sees what is done here.

    Any callable will do; parameters without an annotation that can be resolved keep what JSON has as it is.
    """

    def __init__(self, func: Callable[..., Any]) -> None:
        self._codecs = ParameterCodecs(func)
        self._name = self._codecs.name

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raise TypeError, as the call would, if the arguments do not fit the function's parameters."""
        self._codecs.parameters.check(self._name, args, kwargs)

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
            f"the arguments of {self._name}() take {size} bytes, and {MAX_BYTES} are kept; "
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
        kept_args, kept_kwargs = self._parse(text)
        codecs = self._codecs.of_positional(kept_args, kept_kwargs)
        args = tuple(self._load(name, codec, value) for (name, codec), value in zip(codecs, kept_args, strict=False))
        kwargs = {name: self._load(name, self._codecs.of_keyword(name), value) for name, value in kept_kwargs.items()}
        try:
            self.check(args, kwargs)
        except TypeError as error:
            raise TaskArgumentError(
                f"{error}: the kept arguments do not fit the function any more; add the task again with new ones"
            ) from None
        return args, kwargs

    def _is_plain(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        codecs = self._codecs.of_positional(args, kwargs)
        return all(codec.is_plain(value) for (_, codec), value in zip(codecs, args, strict=False)) and all(
            self._codecs.of_keyword(name).is_plain(value) for name, value in kwargs.items()
        )

    def _dump_carefully(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Kept:
        name = ""
        dumped_args, dumped_kwargs = [], {}
        try:
            for (parameter, codec), value in zip(self._codecs.of_positional(args, kwargs), args, strict=False):
                name = parameter
                dumped_args.append(codec.dump(value))
            for name, value in kwargs.items():
                dumped_kwargs[name] = self._codecs.of_keyword(name).dump(value)
            return Kept(_text_of(dumped_args, dumped_kwargs))
        except Exception as error:  # noqa: BLE001 - what cannot be kept still runs in this process
            return Kept(None, f"argument {name!r} of {self._name}(): {reason(error)}")

    def _parse(self, text: str) -> tuple[list[Dumped], dict[str, Dumped]]:
        try:
            call = from_json(text)
            args, kwargs, unset = call["args"], call["kwargs"], call.get("unset", _NONE_UNSET)
            of_args, of_kwargs = unset["args"], unset["kwargs"]
        except (ValueError, TypeError, KeyError) as error:
            raise TaskArgumentError(f"the kept arguments of {self._name}() are not readable: {error}") from error
        if not isinstance(args, list) or not isinstance(kwargs, dict):
            raise TaskArgumentError(f"the kept arguments of {self._name}() are not a list and a dict")
        return (
            [Dumped(to_json(value), of_args.get(str(index), {})) for index, value in enumerate(args)],
            {name: Dumped(to_json(value), of_kwargs.get(name, {})) for name, value in kwargs.items()},
        )

    def _load(self, name: str, codec: ValueCodec, dumped: Dumped) -> Any:
        try:
            return codec.load(dumped)
        except Exception as error:
            raise TaskArgumentError(
                f"argument {name!r} of {self._name}() cannot be read from what was kept ({reason(error)}); "
                "add the task again, or let the annotation accept the old value too"
            ) from error


def _text_of(args: list[Dumped], kwargs: dict[str, Dumped]) -> str:
    listed = b",".join(each.text for each in args)
    named = b",".join(to_json(name) + b":" + each.text for name, each in kwargs.items())
    unset = {
        "args": {str(index): each.unset for index, each in enumerate(args) if each.unset},
        "kwargs": {name: each.unset for name, each in kwargs.items() if each.unset},
    }
    more = b',"unset":' + to_json(unset) if unset != _NONE_UNSET else b""
    return (b'{"args":[' + listed + b'],"kwargs":{' + named + b"}" + more + b"}").decode()
