"""Which Host a request may name: the guard against DNS rebinding."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

TEST_HOST = "testserver"


def host_name(header: str) -> str:
    """The name in a Host header: lower case, without port, brackets and the dot of the root."""
    host = header.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0].rstrip(".") if host.count(":") == 1 else host.rstrip(".")


def is_local_name(host: str) -> bool:
    """True for localhost names and IP literals, which no foreign page can make point elsewhere."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_listed(host: str, allowed: Sequence[str]) -> bool:
    """True if the host is one of these names; ``*.example.com`` stands for all below it, ``*`` for any."""
    return any(
        each in ("*", host) or (each.startswith("*.") and host.endswith(each[1:]) and host != each[2:])
        for each in allowed
    )
