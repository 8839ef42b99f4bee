"""What the senders of this process claim: which receiver they mean by a name. Two that mean different ones cannot both be right."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.journal.lock import is_own

_claims: list[Claim] = []
_lock = threading.Lock()


class Claim:
    """A sender's word that the messages behind a lock are meant for a certain receiver, until it is released.

    Args:
        path: The lock's file; None for a spool that nobody else can see.
        fingerprint: Of the receiver.
        reports: Whether the sender's figures become metrics.

    Raises ConfigurationError if another sender of this process means another receiver.
    """

    def __init__(self, path: Path | None, fingerprint: str, *, reports: bool = False) -> None:
        self.path = path
        self.fingerprint = fingerprint
        self.reports = reports
        if path is None:
            return
        with _lock:
            if any(each.path == path and each.fingerprint != fingerprint for each in _claims):
                raise ConfigurationError(
                    f"the folder {path.parent} has a destination {path.name.rsplit('.', 2)[0]!r} with another endpoint or other "
                    "headers already; what waits for a destination waits under its name, so give each its own, with "
                    'OTLPExporter(name="..."), or another folder, with OTEL_TASKFLOW_DIR'
                )
            _claims.append(self)

    @property
    def is_reporter(self) -> bool:
        """Whether it is this sender, among all of all processes, whose figures become metrics: sums count each message once."""
        if self.path is None or not self.reports:
            return self.reports
        with _lock:
            first = next((each for each in _claims if each.reports and each.path == self.path), None)
        return first is self and is_own(self.path)

    def release(self) -> None:
        """Claim nothing any more. Idempotent."""
        with _lock:
            if self in _claims:
                _claims.remove(self)


def _forget_all() -> None:
    """In a forked child: the senders are the parent's."""
    global _lock  # noqa: PLW0603 - a lock cannot be made free again otherwise
    _lock = threading.Lock()
    _claims.clear()


os.register_at_fork(after_in_child=_forget_all)

__all__ = ["Claim"]
