"""What a destination is: addresses, credentials, limits, and what goes there. Values; nothing here does anything."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from json import dumps
from types import MappingProxyType
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote, urlsplit, urlunsplit

from otel_taskflow.spool import Limits

TaskLogs = Literal["both", "logs", "events"]
Detail = Literal["always", "on_problem"] | Callable[..., Any]

_SHORTEST_SECRET = 4
"""Characters. A shorter value is no secret worth hiding, and hiding it would blacken half of a server's text."""


class Tls(NamedTuple):
    """Files in PEM: whom to trust (None: the system's), and who we are."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None


@dataclass(frozen=True)
class Endpoint:
    """Where one signal goes, and how. Values of headers are in neither ``repr`` nor what ``redacted`` gives back.

    A user and password in the address become an ``Authorization`` header, unless there is one.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 10.0
    compression: str = "gzip"
    tls: Tls = field(default_factory=Tls)

    def __post_init__(self) -> None:
        url, credentials = _without_credentials(self.url)
        headers = dict(self.headers)
        if credentials and not any(name.lower() == "authorization" for name in headers):
            headers["Authorization"] = credentials
        object.__setattr__(self, "url", url)
        object.__setattr__(self, "headers", MappingProxyType(headers))

    @property
    def fingerprint(self) -> str:
        """Tells receivers apart, by address and headers, and gives away no key."""
        headers = sorted((name.lower(), value) for name, value in self.headers.items())
        return sha256(dumps([self.url, headers]).encode()).hexdigest()

    def redacted(self, text: str) -> str:
        """The text without the values of our headers: a server may repeat a key that it refuses."""
        for value in self.headers.values():
            for secret in (value, value.rpartition(" ")[2]):
                if len(secret) >= _SHORTEST_SECRET:
                    text = text.replace(secret, "***")
        return text

    def __repr__(self) -> str:
        headers = dict.fromkeys(self.headers, "***")
        return f"Endpoint({self.url!r}, headers={headers}, timeout={self.timeout:g}, compression={self.compression!r})"


@dataclass(frozen=True)
class Filters:
    """What of a task goes to a destination; the outbox acts on it.

    Attributes:
        min_level: Lines below are left out.
        task_logs: As log records and span events, or as one of them.
        detail: Lines of all attempts, of those with a problem, or as the function of a finished attempt says.
        slow: Seconds from which an attempt counts as a problem; None: being slow is none.
        max_lines_per_second: Lines beyond are left out, counted; None: no limit.
        before_export: Called with each span and log record; may change it, or leave it out.
    """

    min_level: str = "debug"
    task_logs: TaskLogs = "both"
    detail: Detail = "always"
    slow: float | None = None
    max_lines_per_second: float | None = None
    before_export: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Destination:
    """One receiver of OTLP with its own place in the spool, its own retries, health and counters.

    Attributes:
        name: Tells destinations apart, also over restarts: what waits in the spool waits under this name.
        endpoints: An endpoint for each signal that is sent: ``traces``, ``logs``.
        schedule_delay: Seconds that records may wait for others to fill a batch.
    """

    name: str
    endpoints: Mapping[str, Endpoint]
    limits: Limits = field(default_factory=Limits)
    filters: Filters = field(default_factory=Filters)
    schedule_delay: float = 1.0

    @property
    def signals(self) -> tuple[str, ...]:
        """What is sent."""
        return tuple(self.endpoints)


def _without_credentials(url: str) -> tuple[str, str | None]:
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    basic = b64encode(unquote(user).encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), f"Basic {basic}"


__all__ = ["Destination", "Detail", "Endpoint", "Filters", "Limits", "TaskLogs", "Tls"]
