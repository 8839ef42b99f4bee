"""How many wrong passwords one address may try. Fails closed: at the limit the right one is refused too."""

from __future__ import annotations

import ipaddress
import math
import time
from typing import NamedTuple

from otel_taskflow.errors import TaskflowError

MAX_FAILURES = 10
WINDOW = 60.0
"""Seconds, from the first failure."""
MAX_ADDRESSES = 1000


class TooManyFailuresError(TaskflowError):
    """An address has tried too many passwords. ``retry_after`` is in whole seconds."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Too many wrong passwords came from this address; try again in {retry_after} s.")
        self.retry_after = retry_after


class _Failures(NamedTuple):
    number: int
    until: float


class Throttle:
    """Counts failures by address, of which it remembers so many and no more."""

    def __init__(self) -> None:
        self._failures: dict[str, _Failures] = {}

    def check(self, peer: str) -> None:
        """Raise TooManyFailuresError if the address must wait."""
        failures = self._recent(_address(peer))
        if failures.number >= MAX_FAILURES:
            raise TooManyFailuresError(math.ceil(failures.until - time.monotonic()))

    def count(self, peer: str) -> None:
        """One more wrong password."""
        address = _address(peer)
        failures = self._recent(address)
        if address not in self._failures and len(self._failures) >= MAX_ADDRESSES:
            self._make_room()
        self._failures[address] = failures._replace(number=failures.number + 1)

    def _recent(self, address: str) -> _Failures:
        now = time.monotonic()
        failures = self._failures.get(address)
        return failures if failures is not None and failures.until > now else _Failures(0, now + WINDOW)

    def _make_room(self) -> None:
        """Forget what is over; else the one that began first."""
        now = time.monotonic()
        over = [address for address, failures in self._failures.items() if failures.until <= now]
        for address in over or [min(self._failures, key=lambda each: self._failures[each].until)]:
            del self._failures[address]


def _address(peer: str) -> str:
    """Who has one address of IPv6 has all of its network."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if address.version == 4:
        return peer
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
