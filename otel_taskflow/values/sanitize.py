"""The one place through which messages, extras, tags and exceptions pass before anything is stored, exported or shown."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from otel_taskflow.model import ErrorInfo
from otel_taskflow.values.failure import describe
from otel_taskflow.values.limits import Limits
from otel_taskflow.values.redaction import Redaction
from otel_taskflow.values.text import as_text, cut, fits, unused_key, well_formed
from otel_taskflow.values.walk import Walk

_PLAIN_CHARACTERS = 512
_MIN, _MAX = -(2**63), 2**63 - 1
_INFINITY = float("inf")
_ADMITTED_KEYS = 4096
_NUL = "\\u0000"
_logger = logging.getLogger("otel_taskflow")


class Sanitizer:
    """Makes values that every reader can take. No method raises, whatever it is given.

    Attributes:
        counts: How often something was cut or could not be shown, by reason: ``message``, ``text``, ``key``, ``extras``,
            ``items``, ``depth``, ``tags``, ``unprintable``.
        redaction: The rules for secrets. Keys are masked here; texts of messages and extras are searched for secrets
            where events are read, and here if they are cut.
        max_plain_bytes: An encoded line up to this size cannot hold a message that is too long.
    """

    def __init__(self, limits: Limits, redaction: Redaction) -> None:
        self.limits = limits
        self.redaction = redaction
        self.counts: Counter[str] = Counter()
        self.max_plain_bytes = limits.message_bytes
        self._max_extras = limits.extras
        self._plain_characters = min(_PLAIN_CHARACTERS, limits.text_bytes // 4)
        self._admitted: set[str] = set()

    def is_plain(self, extra: dict[str, Any]) -> bool:
        """Whether the extras can be written as they are: few, short and simple, under keys that are known to be harmless."""
        if len(extra) > self._max_extras:
            return False
        admitted = self._admitted
        longest = self._plain_characters
        for key, value in extra.items():
            if key not in admitted and not self._admit(key):
                return False
            kind = type(value)
            if not (
                (kind is str and len(value) <= longest and (value.isascii() or well_formed(value) is value))
                or (kind is int and _MIN <= value <= _MAX)
                or (kind is float and -_INFINITY < value < _INFINITY)
                or kind is bool
                or value is None
            ):
                return False
        return True

    def message(self, message: object) -> str:
        """The message as text within the limit."""
        if type(message) is not str:
            message = Walk(self.limits, self.redaction, self.counts).shown(message)
        if fits(message, self.limits.message_bytes):
            return well_formed(message)
        self.counts["message"] += 1
        # Half a secret has no form to know it by, so secrets go before the cut.
        return cut(self.redaction.text(message), self.limits.message_bytes)

    def extra(self, extra: dict[str, Any]) -> dict[str, Any]:
        """The extras as JSON values within the limits, with the values of secret keys masked."""
        return Walk(self.limits, self.redaction, self.counts).extras(extra)

    def error(self, exception: BaseException) -> ErrorInfo:
        """What is kept of an exception, redacted."""
        return describe(exception, self.limits, self.redaction)

    def tags(self, tags: Mapping[str, Any]) -> dict[str, str]:
        """Tags as texts, redacted: secret keys and known forms."""
        try:
            given = list(dict(tags).items())
        except Exception:  # noqa: BLE001 - a mapping of the user's may raise anything
            self.counts["unprintable"] += 1
            return {}
        if len(given) > self.limits.tags:
            self._tell_of_cut_tags(len(given))
        walk = Walk(self.limits, self.redaction, self.counts)
        result: dict[str, str] = {}
        for key, value in given[: self.limits.tags]:
            result[unused_key(walk.key(key).replace("\0", _NUL), result)] = self._tag(walk, as_text(key), value)
        return result

    def _tell_of_cut_tags(self, given: int) -> None:
        """Once: tags leave no mark where they were."""
        if not self.counts["tags"]:
            say = "otel_taskflow: a task was given %d tags; the first %d are kept, so give fewer (said once)"
            with suppress(Exception):
                _logger.warning(say, given, self.limits.tags)
        self.counts["tags"] += given - self.limits.tags

    def _tag(self, walk: Walk, key: str, value: Any) -> str:
        kept = walk.member(key, value)
        # A text with a NUL in it ends there for SQLite, and is not found by all of it.
        return self.redaction.text(kept if isinstance(kept, str) else as_text(kept)).replace("\0", _NUL)

    def _admit(self, key: str) -> bool:
        """Whether the key is harmless and well-formed; what was found is remembered for a bounded number of keys."""
        if type(key) is not str or not fits(key, self.limits.key_bytes) or well_formed(key) is not key:
            return False
        if not self.redaction.is_plain_key(key):
            return False
        if len(self._admitted) < _ADMITTED_KEYS:
            self._admitted.add(key)
        return True
