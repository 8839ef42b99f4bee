"""Secrets are replaced by a mark that says which rule found them: ``[redacted:password]``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from otel_taskflow.values.patterns import SECRET_RULES, Rule, is_card, mark
from otel_taskflow.values.secret_keys import SECRET_WORDS, secret_word
from otel_taskflow.values.text import as_text, unused_key

_MAX_DEPTH = 32
_PASSES = 4
"""Searches of one text at most. Beside the mark of one secret another may be seen: a card after the dot behind an address."""
_KNOWN_KEYS = 4096
_CARD_INTEGERS = range(10**13, 10**16)
_mark = re.compile(r"\[redacted:[^\]\s]{1,64}\]")


class Redaction:
    """The rules. Immutable but for a bounded cache of what is known about keys; may be used from any thread.

    Args:
        rules: Forms of secrets to look for in texts.
        words: Words that make a key a secret's.
        allowed: Keys, in lower case, whose values are kept as they are.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = SECRET_RULES,
        words: frozenset[str] = SECRET_WORDS,
        allowed: frozenset[str] = frozenset(),
    ) -> None:
        self._rules = tuple(rules)
        self._hints = tuple({hint for rule in rules for hint in rule.hints})
        self._searches = tuple((rule.hint or rule.pattern).search for rule in rules if not rule.hints)
        self._words = words
        self._allowed = allowed
        self._of_key: dict[str, str | None] = {}

    @classmethod
    def with_rules(cls, redact: Any = None) -> Redaction:
        """The default rules and what ``redact=`` adds; see ``docs/reference/values.md``. Raises ConfigurationError."""
        from otel_taskflow.values.rules import read_rules

        if isinstance(redact, cls):
            return redact
        added = read_rules(redact)
        return cls((*SECRET_RULES, *added.rules), SECRET_WORDS | added.words, added.allowed)

    def text(self, text: str) -> str:
        """The text with secrets of a known form replaced; the same object if there are none."""
        for hint in self._hints:
            if hint in text:
                return self._replaced(text)
        for search in self._searches:
            if search(text) is not None:
                return self._replaced(text)
        return text

    def value(self, value: Any) -> Any:
        """The value with secrets in it replaced, at all depths; the same object if there are none.

        Texts are searched for known forms; in mappings the texts and containers of secret keys are replaced.
        """
        return self._value(value, _MAX_DEPTH)

    def secret_key(self, key: str) -> str | None:
        """The word that makes this key a secret's, None if it is harmless."""
        try:
            return self._of_key[key]
        except KeyError:
            found = None if key.lower() in self._allowed else secret_word(key, self._words)
            if len(self._of_key) < _KNOWN_KEYS and len(key) <= 256:
                self._of_key[key] = found
            return found

    def is_plain_key(self, key: str) -> bool:
        """Whether neither this key nor, because of it, its value needs masking."""
        return self.secret_key(key) is None and self.text(key) is key

    def masked(self, key: str, value: Any) -> Any:
        """The mark, if the key is a secret's and the value may be one (numbers and None are not); else the value itself."""
        word = self.secret_key(key)
        if word is None or value is None or isinstance(value, (int, float)):
            return value
        if isinstance(value, str) and (not value or _mark.fullmatch(value)):
            return value
        return mark(word)

    def _replaced(self, text: str) -> str:
        for _ in range(_PASSES):
            before, text = text, self._replaced_once(text)
            if text is before:
                break
        return text

    def _replaced_once(self, text: str) -> str:
        for rule in self._rules:
            replaced = rule.pattern.sub(rule.replace, text)
            text = text if replaced == text else replaced
        return text

    def _value(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind is int:
            return mark("card") if value in _CARD_INTEGERS and is_card(str(value)) else value
        if depth and isinstance(value, Mapping):
            return self._mapping(value, depth - 1)
        if depth and isinstance(value, (list, tuple)):
            items = [self._value(item, depth - 1) for item in value]
            return value if all(map(_is, items, value)) else items
        return value

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> Mapping[Any, Any]:
        result: dict[Any, Any] = {}
        changed = False
        for key, item in value.items():
            name = key if type(key) is str else as_text(key)
            new_key = self.text(name)
            new_item = self._item(name, item, depth)
            if new_key is not name or new_item is not item:
                changed = True
            result[key if new_key is name else unused_key(new_key, result)] = new_item
        return result if changed else value

    def _item(self, key: str, value: Any, depth: int) -> Any:
        if self._allowed and key.lower() in self._allowed:
            return value
        masked = self.masked(key, value)
        return self._value(value, depth) if masked is value else masked


def _is(one: object, other: object) -> bool:
    return one is other
