"""What Python's type rules mean by an annotation, where pydantic means less."""

from __future__ import annotations

import collections
import typing
from collections import abc
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import typing_extensions

_UNIONS = (Union, UnionType)
_MAPPINGS = (dict, collections.OrderedDict, abc.Mapping, abc.MutableMapping)
_COLLECTIONS = (
    *(list, tuple, set, frozenset, collections.deque),
    *(abc.Iterable, abc.Collection, abc.Sequence, abc.MutableSequence, abc.Set, abc.MutableSet),
)


def _forms(*names: str) -> tuple[Any, ...]:
    """Special forms by these names; before they were in ``typing``, ``typing_extensions`` had its own."""
    return tuple(
        getattr(module, name) for module in (typing, typing_extensions) for name in names if hasattr(module, name)
    )


_UNPACK = _forms("Unpack")
_QUALIFIERS = _forms("Required", "NotRequired", "ReadOnly")


def with_ints(annotation: Any) -> Any:
    """The annotation with ``int`` beside each ``float``, for where a float is expected an int may be, and it is to stay one.

    Keys of mappings are left: as texts, which JSON makes of them, 1 and 1.0 are not told apart. So are the values of a
    ``defaultdict``, which pydantic finds the default by.
    """
    if annotation is float:
        return Union[float, int]  # noqa: UP007 - both are values here; of a text that may be both, pydantic takes the first
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin in _UNIONS:
        return _with(annotation, parts, lambda changed: Union[changed])  # noqa: UP007 - a tuple of them
    if origin is Annotated:
        return _with(annotation, parts[:1], lambda changed: Annotated[changed + parts[1:]])
    if origin in _COLLECTIONS:
        return _with(annotation, parts, lambda changed: origin[changed])
    if origin in _MAPPINGS:
        return _with(annotation, parts[1:], lambda changed: origin[parts[:1] + changed])
    return annotation


def _with(annotation: Any, parts: tuple[Any, ...], made_of: abc.Callable[[tuple[Any, ...]], Any]) -> Any:
    changed = tuple(with_ints(part) for part in parts)
    return annotation if all(one is other for one, other in zip(parts, changed, strict=True)) else made_of(changed)


def is_unpacked(annotation: Any) -> bool:
    """Whether it is ``Unpack[...]``, which says of ``*args`` or ``**kwargs`` what all of them are, and not what each is."""
    return get_origin(annotation) in _UNPACK


def unpacked_keywords(annotation: Any) -> dict[str, Any]:
    """Annotations of the keywords of ``**kwargs: Unpack[SomeTypedDict]``, by name; none of another. Never raises."""
    if not is_unpacked(annotation):
        return {}
    try:
        hints = typing.get_type_hints(get_args(annotation)[0], include_extras=True)
    except Exception:  # noqa: BLE001 - an annotation may be anything
        return {}
    return {name: _bare(hint) for name, hint in hints.items()}


def _bare(hint: Any) -> Any:
    while get_origin(hint) in _QUALIFIERS:
        (hint,) = get_args(hint)
    return hint
