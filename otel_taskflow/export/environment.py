"""The standard ``OTEL_EXPORTER_OTLP_*`` variables, general and for one signal. The one for the signal wins; empty is not set."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import unquote

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.export.checks import (
    checked_compression,
    checked_endpoint,
    checked_headers,
    checked_protocol,
    checked_timeout,
    existing_file,
    signal_url,
)

DEFAULT_ENDPOINT = "http://localhost:4318"
DEFAULT_TIMEOUT = 10.0
DEFAULT_COMPRESSION = "gzip"

_PREFIX = "OTEL_EXPORTER_OTLP_"
_BETWEEN_HEADERS = re.compile(r"[ \t]*,[ \t]*")
_Value = TypeVar("_Value")


class Variables:
    """What the environment says about one signal: None where it says nothing.

    Read when asked for, so that a variable which an argument overrules is not even looked at. What is asked for and cannot
    be used raises ConfigurationError that names the variable.
    """

    def __init__(self, environ: Mapping[str, str], signal: str) -> None:
        self._environ = environ
        self._signal = signal

    def url(self) -> str | None:
        """The signal's own endpoint as it is; the general one is a base, and the signal's path is added to it."""
        variable, text = self._lookup("ENDPOINT")
        if not text:
            return None
        endpoint = checked_endpoint(variable, text)
        return signal_url(endpoint, self._signal) if variable == f"{_PREFIX}ENDPOINT" else endpoint

    def protocol(self) -> str | None:
        """``http/protobuf``: others are refused."""
        return self._checked("PROTOCOL", lambda variable, text: checked_protocol(variable, text.lower()))

    def headers(self) -> Mapping[str, str] | None:
        """Percent-decoded."""
        return self._checked("HEADERS", _headers)

    def timeout(self) -> float | None:
        """Seconds, as the Python SDK reads them (the specification has milliseconds)."""
        return self._checked("TIMEOUT", _timeout)

    def compression(self) -> str | None:
        """``gzip`` or ``none``."""
        return self._checked("COMPRESSION", lambda variable, text: checked_compression(variable, text.lower()))

    def file(self, name: str) -> str | None:
        """The path in ``CERTIFICATE``, ``CLIENT_CERTIFICATE`` or ``CLIENT_KEY``."""
        return self._checked(name, existing_file)

    def _checked(self, name: str, check: Callable[[str, str], _Value]) -> _Value | None:
        variable, text = self._lookup(name)
        return check(variable, text) if text else None

    def _lookup(self, name: str) -> tuple[str, str]:
        """The variable that counts, and its text."""
        own, general = f"{_PREFIX}{self._signal.upper()}_{name}", f"{_PREFIX}{name}"
        text = self._environ.get(own, "").strip()
        return (own, text) if text else (general, self._environ.get(general, "").strip())


def is_disabled(environ: Mapping[str, str]) -> bool:
    """Whether ``OTEL_SDK_DISABLED`` turns export off."""
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def _headers(variable: str, text: str) -> Mapping[str, str]:
    """``name=value`` pairs, percent-decoded. What is wrong is told by its place: the text may hold keys."""
    headers = {}
    for place, pair in enumerate(filter(None, _BETWEEN_HEADERS.split(text)), 1):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise ConfigurationError(
                f"{variable}: its part {place} is not name=value; write name=value,name=value and %2C for a comma in a value"
            )
        headers[unquote(name).strip()] = unquote(value).strip()
    return checked_headers(variable, headers)


def _timeout(variable: str, text: str) -> float:
    try:
        seconds: object = float(text)
    except ValueError:
        seconds = text
    return checked_timeout(variable, seconds)


__all__ = ["DEFAULT_COMPRESSION", "DEFAULT_ENDPOINT", "DEFAULT_TIMEOUT", "Variables", "is_disabled"]
