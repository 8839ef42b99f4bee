"""``python -m grafana.generator`` writes all dashboards anew."""

from __future__ import annotations

from pathlib import Path

from grafana.generator import overview, task_detail, telemetry_health
from grafana.generator.dashboards import Dashboard

FOLDER = Path(__file__).parent.parent / "dashboards"


def dashboards() -> tuple[Dashboard, ...]:
    """Every dashboard there is."""
    return (overview.dashboard(), task_detail.dashboard(), telemetry_health.dashboard())


def main() -> None:
    """Write each into its file."""
    for dashboard in dashboards():
        (FOLDER / dashboard.file).write_text(dashboard.text(), encoding="utf-8")


if __name__ == "__main__":
    main()
