"""The four levels of ``task_log``, and what other systems call them."""

from __future__ import annotations

import math

from otel_taskflow.values.text import as_text, cut

LEVELS = ("debug", "info", "warning", "error")

_GIVEN_BYTES = 128
_EXACT = {name: (name, None) for name in LEVELS}
_NAMES = {
    **{name: name for name in LEVELS},
    **dict.fromkeys(("notset", "trace", "verbose"), "debug"),
    **dict.fromkeys(("information", "notice", "success"), "info"),
    "warn": "warning",
    **dict.fromkeys(("err", "exception", "critical", "crit", "fatal", "alert", "emergency", "panic"), "error"),
}
_STDLIB = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_SEVERITY = {"debug": 5, "info": 9, "warning": 13, "error": 17}
_SEVERITY_TEXT = {"debug": "DEBUG", "info": "INFO", "warning": "WARN", "error": "ERROR"}


def normalize_level(level: object) -> tuple[str, str | None]:
    """The name of a level, and the given value as text if it is unknown (then the name is ``info``). Never raises.

    Names of the standard library and of syslog are known in any case; numbers are the standard library's.
    """
    if type(level) is str and level in _EXACT:
        return _EXACT[level]
    try:
        name = _known(level)
    except BaseException:  # noqa: BLE001 - a class may lie about itself in any way; logging must not harm the task
        name = None
    return (name, None) if name is not None else ("info", cut(as_text(level), _GIVEN_BYTES))


def stdlib_level(name: str) -> int:
    """The standard library's number: 10, 20, 30, 40. An unknown name counts as ``info``."""
    return _STDLIB.get(name, 20)


def from_stdlib(levelno: float) -> str:
    """The level of a standard library number: below 20 debug, below 30 info, below 40 warning, else error."""
    if levelno < 20:
        return "debug"
    if levelno < 30:
        return "info"
    return "warning" if levelno < 40 else "error"


def severity(name: str) -> int:
    """The OpenTelemetry severity number: 5, 9, 13, 17."""
    return _SEVERITY.get(name, 9)


def severity_text(name: str) -> str:
    """The OpenTelemetry short name: DEBUG, INFO, WARN, ERROR."""
    return _SEVERITY_TEXT.get(name, "INFO")


def _known(level: object) -> str | None:
    if isinstance(level, str):
        text = str.lower(str.strip(level)) if str.__len__(level) <= _GIVEN_BYTES else ""
        return from_stdlib(int(text)) if text.isascii() and text.isdigit() else _NAMES.get(text)
    if isinstance(level, bool) or not isinstance(level, (int, float)):
        return None
    if isinstance(level, float):
        return None if math.isnan(level) else from_stdlib(float.__mul__(level, 1.0))
    return from_stdlib(int.__add__(level, 0))
