from __future__ import annotations

import logging
import math
from enum import Enum, IntEnum
from typing import Any

import pytest

from otel_taskflow.values import LEVELS, from_stdlib, normalize_level, severity, severity_text, stdlib_level


class Named(str, Enum):
    LOUD = "WARNING"


class Numbered(IntEnum):
    LOUD = 30


@pytest.mark.parametrize("name", LEVELS)
def test_our_own_names_stay(name: str) -> None:
    assert normalize_level(name) == (name, None)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("INFO", "info"),
        (" Warn ", "warning"),
        ("WARNING", "warning"),
        ("CRITICAL", "error"),
        ("FATAL", "error"),
        ("NOTSET", "debug"),
        ("trace", "debug"),
        ("30", "warning"),
        (Named.LOUD, "warning"),
        (Numbered.LOUD, "warning"),
        (30.0, "warning"),
        (math.inf, "error"),
        (-5, "debug"),
        (10**400, "error"),
    ],
)
def test_names_and_numbers_of_the_standard_library_are_mapped(given: Any, name: str) -> None:
    assert normalize_level(given) == (name, None)


@pytest.mark.parametrize("levelno", [0, 1, 10, 19, 20, 25, 29, 30, 39, 40, 50, 99])
def test_numbers_are_mapped_by_their_range(levelno: int) -> None:
    expected = "debug" if levelno < 20 else "info" if levelno < 30 else "warning" if levelno < 40 else "error"
    assert normalize_level(levelno) == (expected, None)
    assert from_stdlib(levelno) == expected


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("bogus", "bogus"),
        (True, "True"),
        (None, "None"),
        (math.nan, "nan"),
        ("", ""),
        ("\ud800", "\\ud800"),
        (b"info", "b'info'"),
    ],
)
def test_an_unknown_level_is_info_and_is_kept(given: Any, kept: str) -> None:
    assert normalize_level(given) == ("info", kept)


def test_a_level_that_cannot_be_shown_or_is_huge_does_no_harm() -> None:
    class Broken:
        def __str__(self) -> str:
            raise SystemExit(3)

    class Liar:
        @property
        def __class__(self) -> Any:
            raise RuntimeError

    name, kept = normalize_level(Broken())
    assert name == "info"
    assert kept is not None
    assert kept.startswith("<unprintable ")
    assert normalize_level(Liar())[0] == "info"
    name, kept = normalize_level("x" * 10_000_000)
    assert name == "info"
    assert kept is not None
    assert kept.endswith("…[cut: 10000000 characters]")
    assert len(kept.encode()) <= 128


def test_levels_have_the_numbers_of_the_standard_library_and_of_opentelemetry() -> None:
    assert [stdlib_level(name) for name in LEVELS] == [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR]
    assert [severity(name) for name in LEVELS] == [5, 9, 13, 17]
    assert [severity_text(name) for name in LEVELS] == ["DEBUG", "INFO", "WARN", "ERROR"]
    assert (stdlib_level("?"), severity("?"), severity_text("?")) == (20, 9, "INFO")
