"""Runs each measurement in a process of its own, the sides of a comparison in turns, and takes the middle of the rounds."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

NOT_PASSED_ON = ("OTEL_", "PYTHONDONTWRITEBYTECODE")
"""Variables of the caller's that would change what is measured: an installed package is compiled."""
LONGEST = 120.0
"""Seconds that one process may take."""

Result = dict[str, float]


class BenchmarkError(Exception):
    """A measurement ended without figures."""


def run_sides(subject: ModuleType, *, is_quick: bool) -> dict[str, Result]:
    """The figures of each side of a subject."""
    rounds = 1 if is_quick else subject.ROUNDS
    taken: dict[str, list[Result]] = {side: [] for side in subject.SIDES}
    for _ in range(rounds):
        for side in subject.SIDES:
            taken[side].append(run_process(subject.__name__, side, is_quick=is_quick))
    return {side: _middle(results) for side, results in taken.items()}


def run_process(subject: str, side: str, *, is_quick: bool) -> Result:
    """Measure one side once. Raises BenchmarkError."""
    with TemporaryDirectory(prefix="bench-") as folder:
        command = [sys.executable, "-m", "tests.benchmarks.child", subject, side, folder, str(int(is_quick))]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON)}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LONGEST, check=False, env=environment, cwd=Path.cwd()
        )
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise BenchmarkError(f"{subject} of {side} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    figures: Result = json.loads(lines[-1])
    return figures


def _middle(results: list[Result]) -> Result:
    return {name: statistics.median(each[name] for each in results) for name in results[0]}
