"""What a user says about the dashboard, checked at the door."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from otel_taskflow.errors import ConfigurationError, UnsupportedParameterError
from otel_taskflow.links import Link, read_links
from otel_taskflow.model import LONGEST
from otel_taskflow.values.text import as_repr, well_formed

_ELSEWHERE = {
    "retention_days": "how long tasks are kept is a setting of the manager: TaskManager(retention_days=...)",
}
"""For these, None is the same as leaving them out."""


@dataclass(frozen=True)
class AdminOptions:
    """The checked parameters of a TaskAdmin. ``token_expiry`` and ``poll_interval`` are seconds."""

    path: str = "/tasks"
    display_func_args: bool = False
    auto_install: bool = False
    auth: Any = None
    token_expiry: float = 86400
    secret_key: str | bytes | None = None
    poll_interval: float = 30.0
    title: str = "otel_taskflow"
    insecure: bool = False
    allowed_hosts: tuple[str, ...] | None = None
    include_in_schema: bool = False
    print_link: bool = True
    links: tuple[Link, ...] = ()


def check_options(given: Mapping[str, Any]) -> AdminOptions:
    """Build the options, or raise an error that names the parameter, its value and the remedy."""
    _refuse_unknown(given)
    checked = {"allowed_hosts": _hosts(given.get("allowed_hosts")), "links": read_links(given.get("links"))}
    known = {name: value for name, value in given.items() if name not in _ELSEWHERE}
    options = AdminOptions(**{**known, **checked})
    _check_path(options.path)
    for name in ("display_func_args", "auto_install", "insecure", "include_in_schema", "print_link"):
        _check_bool(name, getattr(options, name))
    for name in ("token_expiry", "poll_interval"):
        _check_seconds(name, getattr(options, name))
    _check_title(options.title)
    _check_secret(options.secret_key)
    if options.insecure and options.auth is not None:
        raise ConfigurationError(
            "TaskAdmin(insecure=True, auth=...): insecure=True lets everybody in, so auth= would do nothing; "
            "give one of the two"
        )
    return options


def check_parts(app: object, task_manager: object) -> None:
    """Raise ConfigurationError if these are not an app and a TaskManager, in this order."""
    if not hasattr(getattr(app, "router", None), "lifespan_context"):
        raise ConfigurationError(f"TaskAdmin(app={app!r}) must be a FastAPI app: TaskAdmin(app, task_manager)")
    if not callable(getattr(task_manager, "init_app", None)):
        raise ConfigurationError(
            f"TaskAdmin(task_manager={task_manager!r}) must be a TaskManager: TaskAdmin(app, task_manager)"
        )


def _refuse_unknown(given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        if name in _ELSEWHERE and value is not None:
            raise UnsupportedParameterError(f"TaskAdmin({name}={value!r}): {_ELSEWHERE[name]}")
        if name not in _ELSEWHERE and name not in AdminOptions.__dataclass_fields__:
            raise ConfigurationError(f"TaskAdmin() has no parameter {name!r} (given {value!r}); check the spelling")


def _check_path(path: Any) -> None:
    if not isinstance(path, str):
        raise ConfigurationError(f"TaskAdmin(path={path!r}) must be a text such as '/tasks'")
    segments = path.split("/")
    is_plain = path.startswith("/") and all(segments[1:]) and not {".", ".."} & set(segments)
    if not is_plain or set(path) & set("{}?#%\\ "):
        raise ConfigurationError(
            f"TaskAdmin(path={path!r}) must start with '/', must not end with it, and must be a plain path: '/tasks'"
        )


def _check_bool(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ConfigurationError(f"TaskAdmin({name}={value!r}) must be True or False")


def _check_seconds(name: str, value: Any) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value <= LONGEST:
        raise ConfigurationError(
            f"TaskAdmin({name}={as_repr(value)}) must be a number of seconds above 0 and up to {LONGEST} (100 years)"
        )


def _check_title(title: Any) -> None:
    if not isinstance(title, str) or not title.strip():
        raise ConfigurationError(f"TaskAdmin(title={title!r}) must be a text that is not empty")


def _check_secret(secret: Any) -> None:
    if secret is None:
        return
    if not isinstance(secret, str | bytes) or len(secret) < 16:
        raise ConfigurationError(
            "TaskAdmin(secret_key=...) must be a text or bytes of at least 16 characters; "
            "make one with `python -c 'import secrets; print(secrets.token_urlsafe(32))'`"
        )
    if isinstance(secret, str) and well_formed(secret) != secret:
        raise ConfigurationError(
            "TaskAdmin(secret_key=...) has half of a surrogate pair, which no text in UTF-8 can hold; "
            "give it as bytes, or take another one"
        )


def _hosts(given: Any) -> tuple[str, ...] | None:
    if given is None:
        return None
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise ConfigurationError(
            f"TaskAdmin(allowed_hosts={given!r}) must be a list of host names, e.g. ['app.example.com']"
        )
    hosts = tuple(given)
    names = [_host(host) for host in hosts]
    if not hosts or None in names:
        raise ConfigurationError(
            f"TaskAdmin(allowed_hosts={list(hosts)!r}) must hold host names without scheme or port, "
            "e.g. ['app.example.com', '*.example.com'], or '*' for any"
        )
    return tuple(name for name in names if name is not None)


def _host(given: Any) -> str | None:
    """The name as requests are compared with it, without brackets and the dot of the root; None if it can be no host's."""
    if not isinstance(given, str) or "/" in given:
        return None
    name = given.lower().rstrip(".")
    if ":" not in name:
        return name or None
    address = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        ipaddress.IPv6Address(address)
    except ValueError:
        return None
    return address
