"""What a journal's figures mean for its health. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from otel_taskflow.health import DEGRADED, OK, Figure, PartHealth
from otel_taskflow.journal.remedy import remedy

PART = "journal"


def condition_of(
    figures: Mapping[str, Figure],
    trouble: OSError | None,
    *,
    is_over_budget: bool,
    is_distrusted: bool = False,
    is_gone: bool = False,
) -> PartHealth:
    """The journal's health.

    Args:
        trouble: Why it is in memory at the moment; None if it is on disk.
        is_over_budget: Whether it drops lines.
        is_distrusted: Whether the disk could not make a part of it safe against a power cut.
        is_gone: Whether its folder is not where it was made.
    """
    if is_gone:
        why = "it is not crash-safe: somebody has deleted or moved its folder while the process runs"
        return PartHealth(
            PART, DEGRADED, why, "restart the process, and keep what cleans up away from that folder", figures
        )
    if trouble is not None:
        why = f"it is not crash-safe: it goes on in memory, because its files cannot be made ({trouble})"
        return PartHealth(PART, DEGRADED, why, remedy(trouble), figures, is_told=True)
    if is_distrusted:
        why = "a part of it is not safe against a power cut: the disk could not sync it"
        return PartHealth(PART, DEGRADED, why, "check that disk", figures, is_told=True)
    if is_over_budget:
        why = "it is at its budget: lines below error are dropped, because the store does not keep up"
        return PartHealth(PART, DEGRADED, why, "see the part consumer:store, or raise journal_budget=", figures)
    return PartHealth(PART, OK, figures=figures)
