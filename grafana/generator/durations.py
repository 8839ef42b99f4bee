"""The panel *Duration of attempts*, which two dashboards have."""

from __future__ import annotations

from grafana.generator.panels import Panel, Query
from grafana.generator.promql import quantile

SHARES = (0.5, 0.95, 0.99)


def panel(buckets: str, no_data: str) -> Panel:
    """Quantiles of these rates of buckets; exemplars on the highest, because all have the same."""
    return Panel(
        "Duration of attempts",
        "timeseries",
        "Half, 95 % and 99 % of attempts were done within this time. A diamond is one attempt: click it for its trace.",
        "s",
        no_data,
        tuple(
            Query(quantile(share, buckets), f"p{share * 100:.0f}", exemplars=share == max(SHARES)) for share in SHARES
        ),
    )
