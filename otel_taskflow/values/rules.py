"""Reads ``redact=``: what an application adds to the rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.values.patterns import PRESETS, Rule, whole
from otel_taskflow.values.secret_keys import words_of
from otel_taskflow.values.text import as_repr, cut

PARTS = ("keys", "patterns", "presets", "allow")
"""The parts of a dict given as ``redact=``."""
_rule_name = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class AddedRules(NamedTuple):
    """What ``redact=`` says."""

    rules: tuple[Rule, ...] = ()
    words: frozenset[str] = frozenset()
    allowed: frozenset[str] = frozenset()


def read_rules(redact: Any) -> AddedRules:
    """Read ``redact=``: None, a dict of parts, or a sequence of words, preset names and compiled patterns.

    Raises ConfigurationError, which names the part, the value and the remedy.
    """
    if redact is None:
        return AddedRules()
    if isinstance(redact, Mapping):
        return _from_parts(redact)
    if isinstance(redact, (list, tuple, set, frozenset)):
        return _from_sequence(redact)
    raise ConfigurationError(
        f"redact={_shown(redact)} must be a dict with {_listed(PARTS)}, or a list of words of keys, "
        f"presets ({_listed(PRESETS)}) and compiled patterns"
    )


def _from_parts(parts: Mapping[Any, Any]) -> AddedRules:
    for part in parts:
        if part not in PARTS:
            raise ConfigurationError(f"redact has no part {_shown(part)}; it has {_listed(PARTS)}")
    patterns = parts.get("patterns") or {}
    if not isinstance(patterns, Mapping):
        raise ConfigurationError(
            f"redact['patterns']={_shown(patterns)} must be a dict of names and regular expressions, "
            "as in {'order_code': r'\\bORD-[0-9]{8}\\b'}"
        )
    presets = [rule for name in _texts(parts, "presets") for rule in _preset(name)]
    return AddedRules(
        (*presets, *(_pattern(name, pattern) for name, pattern in patterns.items())),
        frozenset("_".join(words_of(key)) for key in _texts(parts, "keys")) - {""},
        frozenset(key.lower() for key in _texts(parts, "allow")),
    )


def _from_sequence(items: Iterable[Any]) -> AddedRules:
    parts: dict[str, Any] = {"keys": [], "presets": [], "patterns": {}}
    for item in items:
        if isinstance(item, re.Pattern):
            parts["patterns"][f"pattern_{len(parts['patterns']) + 1}"] = item
        else:
            parts["presets" if isinstance(item, str) and item in PRESETS else "keys"].append(item)
    return _from_parts(parts)


def _texts(parts: Mapping[Any, Any], part: str) -> list[str]:
    given = parts.get(part)
    if given is None:
        return []
    if isinstance(given, str) or not isinstance(given, (list, tuple, set, frozenset)):
        raise ConfigurationError(f"redact[{part!r}]={_shown(given)} must be a list of texts, as in [{_shown(given)}]")
    for text in given:
        if not isinstance(text, str) or not text.strip():
            raise ConfigurationError(f"redact[{part!r}] has {_shown(text)}, which must be a text that is not empty")
    return list(given)


def _preset(name: str) -> tuple[Rule, ...]:
    if name not in PRESETS:
        raise ConfigurationError(f"redact['presets'] has {_shown(name)}; the presets are {_listed(PRESETS)}")
    return PRESETS[name]


def _pattern(name: Any, pattern: Any) -> Rule:
    if not isinstance(name, str) or not _rule_name.fullmatch(name):
        raise ConfigurationError(
            f"redact['patterns'] has the name {_shown(name)}; a name is of letters, digits and _ . -, for the mark"
        )
    if not isinstance(pattern, (str, re.Pattern)):
        raise ConfigurationError(f"redact['patterns'][{name!r}]={_shown(pattern)} must be a regular expression")
    compiled = _compiled(name, pattern)
    if not isinstance(compiled.pattern, str) or compiled.search("") is not None:
        raise ConfigurationError(
            f"redact['patterns'][{name!r}]={_shown(pattern)} must be an expression for texts that does not match nothing"
        )
    return Rule(name, compiled, whole(name))


def _compiled(name: str, pattern: Any) -> re.Pattern[Any]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ConfigurationError(
            f"redact['patterns'][{name!r}]={_shown(pattern)} is no regular expression: {error}"
        ) from None


def _shown(value: object) -> str:
    return cut(as_repr(value), 200)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
