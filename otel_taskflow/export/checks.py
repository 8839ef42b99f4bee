"""Settings of an exporter, checked: each check gives the value back or raises ConfigurationError with name, value and remedy.

``where`` is what the user wrote: ``OTLPExporter(timeout=…)`` or the name of a variable. Values of headers are never shown.
"""

from __future__ import annotations

import inspect
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn
from urllib.parse import SplitResult, urlsplit, urlunsplit

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.telemetry.otlp.requests import SIGNALS

PROTOCOL = "http/protobuf"
COMPRESSIONS = ("gzip", "none")

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def refuse(where: str, value: object, remedy: str) -> NoReturn:
    """Raise the ConfigurationError."""
    raise ConfigurationError(f"{where}={value!r}: {remedy}")


def checked_endpoint(where: str, value: object) -> str:
    """An http or https address with a host."""
    if not isinstance(value, str):
        refuse(where, value, "use the base address of a collector, such as 'http://localhost:4318'")
    parts = _split(where, value.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        refuse(
            where,
            without_user(value),
            "use an http address, such as 'http://localhost:4318' (OTLP over HTTP, not gRPC)",
        )
    if parts.fragment:
        refuse(where, without_user(value), "leave out the part behind '#'")
    return urlunsplit(parts)


def signal_url(endpoint: str, signal: str) -> str:
    """The address that takes a signal below a base address, as the OTLP specification makes it."""
    parts = urlsplit(endpoint)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/v1/{signal}"))


def without_user(url: str) -> str:
    """The address without user and password."""
    return re.sub(r"//[^/?#]*@", "//", url)


def checked_headers(where: str, value: object) -> Mapping[str, str]:
    """Names and values that HTTP can carry."""
    if not isinstance(value, Mapping):
        raise ConfigurationError(
            f'{where}: a {type(value).__name__} cannot be used; give a dict such as {{"api-key": "..."}}'
        )
    for name, text in value.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ConfigurationError(f"{where}: {name!r} is no name of an HTTP header; use letters, digits and '-'")
        if not isinstance(text, str) or not _fits_a_header(text):
            raise ConfigurationError(
                f"{where}: the value of {name!r} must be text of one line, without control characters or white space around it"
            )
    return dict(value)


def checked_protocol(where: str, value: object) -> str:
    """Only OTLP over HTTP as protobuf is spoken."""
    if value != PROTOCOL:
        remedy = (
            "is not spoken here; set it to 'http/protobuf' and the endpoint to the HTTP port of the collector (4318)"
        )
        raise ConfigurationError(f"{where}={value!r} {remedy}")
    return PROTOCOL


def checked_compression(where: str, value: object) -> str:
    """``gzip`` or ``none``."""
    return checked_choice(where, value, COMPRESSIONS)


def checked_choice(where: str, value: object, choices: Sequence[str], remedy: str | None = None) -> str:
    """One of a few words."""
    if not isinstance(value, str) or value not in choices:
        refuse(where, value, remedy or f"use one of {', '.join(map(repr, choices))}")
    return value


def checked_sync(where: str, function: Callable[..., object]) -> Callable[..., object]:
    """A function whose answer is there when it returns."""
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None)):  # noqa: B004 - what it is, not whether
        refuse(where, function, "nobody could await its answer; use a function without async")
    return function


def checked_timeout(where: str, value: object) -> float:
    """Seconds that a request may take."""
    return checked_positive(where, value, "use seconds above 0, such as 10")


def checked_positive(where: str, value: object, remedy: str) -> float:
    """A finite number above 0."""
    number = _number(where, value, remedy)
    if number <= 0:
        refuse(where, value, remedy)
    return number


def checked_delay(where: str, value: object) -> float:
    """Seconds, 0 allowed."""
    remedy = "use seconds, 0 or more"
    number = _number(where, value, remedy)
    if number < 0:
        refuse(where, value, remedy)
    return number


def checked_bytes(where: str, value: object) -> int:
    """A budget in bytes."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        refuse(where, value, "use a whole number of bytes, such as 512 * 1024**2")
    return value


def checked_signals(where: str, value: object) -> tuple[str, ...]:
    """Some of the signals, each once, in their own order."""
    remedy = 'use ("traces", "logs"), ("traces",) or ("logs",)'
    if isinstance(value, str) or not isinstance(value, (Sequence, set, frozenset)) or not value:
        refuse(where, value, remedy)
    if any(each not in SIGNALS for each in value) or len(set(value)) != len(value):
        refuse(where, value, remedy)
    return tuple(each for each in SIGNALS if each in value)


def checked_name(where: str, value: object) -> str:
    """A destination's name: its lock is a file called so."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        refuse(where, value, "use up to 64 letters, digits, '.', '_' and '-', a letter or digit first")
    return value


def checked_path(where: str, value: object) -> str:
    """The path of a file, which is looked at when the exporter starts."""
    if not isinstance(value, (str, os.PathLike)) or not os.fspath(value):
        refuse(where, value, "use the path of a PEM file")
    return os.fsdecode(value)


def existing_file(where: str, path: str) -> str:
    """A file that is there and can be read."""
    if not Path(path).is_file() or not os.access(path, os.R_OK):
        refuse(
            where,
            path,
            f"there is no such file that can be read (working directory: {Path.cwd()}); give the path of a PEM file",
        )
    return path


def _number(where: str, value: object, remedy: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        refuse(where, value, remedy)
    return float(value)


def _split(where: str, value: str) -> SplitResult:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError as error:
        raise ConfigurationError(
            f"{where}: this is no address ({error}); use one such as 'http://localhost:4318'"
        ) from None
    return parts


def _fits_a_header(text: str) -> bool:
    return text == text.strip() and all(
        character == "\t" or (character >= " " and character != "\x7f") for character in text
    )
