from __future__ import annotations

import re

from otel_taskflow.values.patterns import PRESETS, SECRET_RULES
from otel_taskflow.values.rules import PARTS
from otel_taskflow.values.secret_keys import SECRET_WORDS
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "reference" / "values.md").read_text()


def names_between(start: str, end: str) -> set[str]:
    return set(re.findall(r"`([a-z_]+)`", PAGE[PAGE.index(start) : PAGE.index(end, PAGE.index(start))]))


def test_the_reference_lists_the_words_of_secret_keys() -> None:
    assert names_between("## Secrets by key", "Words are what") == SECRET_WORDS


def test_the_reference_lists_the_forms_of_secrets_the_presets_and_the_parts_of_redact() -> None:
    assert {rule.name for rule in SECRET_RULES} <= names_between("## Secrets by form", "Searching takes time")
    assert {*PRESETS, *PARTS} <= names_between("## `redact=`", "or a list in which")
