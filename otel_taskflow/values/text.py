"""Texts that any reader can take: valid UTF-8, of bounded size. Nothing here raises."""

from __future__ import annotations

from collections.abc import Callable, Container
from itertools import count

_MARK_BYTES = 48


def well_formed(text: str) -> str:
    """The text with lone surrogates written as ``\\udXXX``; the same object if there are none."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def cut(text: str, max_bytes: int) -> str:
    """The text, well-formed, in at most ``max_bytes`` bytes of UTF-8; the same object if it fits.

    What is longer ends in a mark that tells the original length: ``…[cut: 10485760 characters]``.
    """
    if fits(text, max_bytes):
        return well_formed(text)
    return _within(text[:max_bytes], max_bytes - _MARK_BYTES) + f"…[cut: {len(text)} characters]"


def cut_middle(text: str, max_bytes: int) -> str:
    """As ``cut``, but the first quarter and the end are kept: of a traceback these say most."""
    if fits(text, max_bytes):
        return well_formed(text)
    room = max_bytes - _MARK_BYTES
    head = _within(text[:room], room // 4)
    tail = _within(text[-room:][::-1], room - room // 4)[::-1]
    return f"{head}\n…[cut: {len(text)} characters]\n{tail}"


def fits(text: str, max_bytes: int) -> bool:
    """Whether the text, made well-formed, takes at most ``max_bytes`` bytes of UTF-8."""
    length = len(text)
    if length > max_bytes:
        return False
    return length * 6 <= max_bytes or text.isascii() or len(text.encode("utf-8", "backslashreplace")) <= max_bytes


def as_text(value: object) -> str:
    """``str(value)`` as an exact, well-formed str, whatever ``__str__`` does."""
    return _guarded(str, value)


def as_repr(value: object) -> str:
    """``repr(value)`` as an exact, well-formed str, whatever ``__repr__`` does."""
    return _guarded(repr, value)


def type_name(kind: type) -> str:
    """``ValueError`` for a builtin, ``module.Name`` for others."""
    try:
        module, name = type.__getattribute__(kind, "__module__"), type.__getattribute__(kind, "__qualname__")
        return well_formed(name if module in ("builtins", "__main__") else f"{module}.{name}")
    except BaseException:  # noqa: BLE001 - a metaclass may raise anything
        return "object"


def _guarded(render: Callable[[object], str], value: object) -> str:
    try:
        text = render(value)
        return well_formed(text if type(text) is str else str.__str__(text))
    except BaseException:  # noqa: BLE001 - whatever a user's __str__ or __repr__ raises, logging it must not harm the task
        return f"<unprintable {type_name(type(value))}>"


def _within(text: str, max_bytes: int) -> str:
    return text.encode("utf-8", "backslashreplace")[: max(0, max_bytes)].decode("utf-8", "ignore")


def unused_key(key: str, taken: Container[object]) -> str:
    """The key, or with a number behind it if it is taken."""
    if key not in taken:
        return key
    return next(name for n in count(2) if (name := f"{key} ({n})") not in taken)
