"""``python -m tests.benchmarks [--only NAME] [--quick] [--report-only]``: measure, print the table, keep the figures as JSON."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from time import monotonic
from typing import Any

from tests.benchmarks.figures import Figure, keep, table
from tests.benchmarks.running import run_sides

EXPORT = ("export", "exporting", "outage", "durability", "processors", "losses", "detail")
SUBJECTS = (
    "task_log",
    "requests",
    "drain",
    "latency",
    "backlog",
    "idle",
    "memory",
    "reading",
    "search_index",
    *EXPORT,
)
KEPT_IN = Path(".build/benchmarks")


def main() -> int:
    """Run the subjects one after the other; 1 if a limit is not kept."""
    arguments = _arguments()
    figures: list[tuple[str, Figure]] = []
    results: dict[str, Any] = {}
    for name in arguments.only or SUBJECTS:
        begin = monotonic()
        subject = importlib.import_module(f"tests.benchmarks.{name}")
        results[name] = run_sides(subject, is_quick=arguments.quick)
        told = subject.figures(results[name])
        figures += [(name, figure) for figure in told]
        print(f"\n{name} ({monotonic() - begin:.0f} s): {subject.__doc__.splitlines()[0]}\n{table(told)}", flush=True)
    print(f"\nkept in {keep(KEPT_IN, figures, results)}")
    over = [figure.name for _, figure in figures if figure.holds is False]
    print(f"over their limit: {'; '.join(over)}" if over else "all limits are kept")
    return 1 if over and not arguments.report_only else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=SUBJECTS, help="this subject; may be given several times")
    parser.add_argument("--quick", action="store_true", help="one round of small loads, for trying something out")
    parser.add_argument(
        "--report-only", action="store_true", help="end well over a limit too: the machine has others to serve"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
