"""What questions to the API are checked against."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from otel_taskflow.model import TaskStatus

_TAG = r"^(?:\\[\s\S]|[^:\\])*:"
"""The key of a tag and the colon behind it; with a backslash before it, a colon is one of the key's own."""
_LONGEST_TAG = 10_000
"""Longer than any that is kept, also when all of its key is escaped and secrets have become marks."""

Level = Literal["debug", "info", "warning", "error"]


class _Question(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NoQuestion(_Question):
    """A question without parameters; one that is given is refused."""


class ListQuestion(_Question):
    """Parameters of the list."""

    status: TaskStatus | None = Field(None, description="Only tasks in this state.")
    func_name: str | None = Field(None, max_length=500, description="Only tasks of this name.")
    tag: str | None = Field(
        None,
        max_length=_LONGEST_TAG,
        pattern=_TAG,
        description="Only tasks with this tag: `key:value`. In the key, a colon is written as `\\:`, a backslash as `\\\\`.",
    )
    trace_id: str | None = Field(
        None, pattern=r"^[0-9a-f]{32}$", description="Only tasks of this trace: of their own span, or of an attempt's."
    )
    limit: int = Field(50, ge=1, le=200, description="Tasks a page.")
    cursor: str | None = Field(None, max_length=500, description="From the `Link` header of the page before.")


class LogsQuestion(_Question):
    """Parameters of a page of log lines."""

    after: str | None = Field(
        None,
        max_length=64,
        pattern=r"^(\d{1,19}|\d{1,9}\.\d{1,19}\.\d{1,19})$",
        description="Lines after this one: the `cursor` of the page before, or a sequence number.",
    )
    limit: int = Field(1000, ge=1, le=10_000, description="Lines a page.")
    level: Level | None = Field(None, description="This level and what is above it.")
    attempt: int | None = Field(None, ge=1, le=1_000_000, description="Only this attempt, counted from 1.")
    links: bool = Field(False, description="With the links of each line, by the templates of `TaskAdmin(links=...)`.")


class StreamQuestion(_Question):
    """Parameters of the live stream."""

    task: str | None = Field(None, max_length=200)
    after: int | None = Field(None, ge=0, le=2**63 - 1)
    health: bool = False


def tag_of(text: str | None) -> tuple[str, str] | None:
    """Key and value of a tag that was asked for."""
    found = re.match(_TAG, text or "")
    if text is None or found is None:
        return None
    return re.sub(r"\\([\\:])", r"\1", text[: found.end() - 1]), text[found.end() :]
