"""What was measured, what it is compared with, and whether that is within its limit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """One line of the table.

    Attributes:
        name: What was measured.
        value: The figure of ours, in ``unit``.
        unit: us, ms, tasks/s, MB, ...
        against: Who it is compared with, with their figure; empty for an absolute limit.
        other: Their figure, None without one.
        limit: The most (``at_least``: the least) that the ratio, or the figure itself without ``other``, may be; None: told only.
        aim: A stricter limit that is aimed at; told only.
        at_least: True where more is better.
    """

    name: str
    value: float
    unit: str
    against: str = ""
    other: float | None = None
    limit: float | None = None
    aim: float | None = None
    at_least: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours by theirs."""
        return self.value / self.other if self.other else None

    @property
    def holds(self) -> bool | None:
        """Whether the limit is kept; None without one."""
        return self._meets(self.limit)

    @property
    def reaches_aim(self) -> bool | None:
        """Whether the aim is reached; None without one."""
        return self._meets(self.aim)

    def _meets(self, bound: float | None) -> bool | None:
        if bound is None:
            return None
        compared = self.value if self.other is None else self.ratio
        if compared is None:
            return None
        return compared >= bound if self.at_least else compared <= bound


def table(figures: Sequence[Figure]) -> str:
    """The figures as aligned text."""
    head = ("", "ours", "compared with", "ratio", "limit", "aim", "")
    rows = [head, *(_row(each) for each in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 2) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _row(figure: Figure) -> tuple[str, ...]:
    against = figure.against
    if figure.other is not None:
        against = f"{against} {_number(figure.other)} {figure.unit}"
    return (
        figure.name,
        f"{_number(figure.value)} {figure.unit}",
        against,
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        _bound(figure, figure.limit),
        _bound(figure, figure.aim),
        {True: "ok", False: "OVER", None: ""}[figure.holds]
        + {True: "", False: " (aim not reached)", None: ""}[figure.reaches_aim],
    )


def _bound(figure: Figure, bound: float | None) -> str:
    return "" if bound is None else f"{'>=' if figure.at_least else '<='} {bound:g}"


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def keep(folder: Path, figures: Iterable[tuple[str, Figure]], results: dict[str, Any]) -> Path:
    """Write all that was measured as JSON; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(timezone.utc)
    path = folder / f"{now:%Y%m%dT%H%M%SZ}.json"
    told = [
        {"subject": subject, **figure._asdict(), "ratio": figure.ratio, "holds": figure.holds}
        for subject, figure in figures
    ]
    path.write_text(json.dumps({"time": now.isoformat(), "figures": told, "results": results}, indent=1))
    return path
