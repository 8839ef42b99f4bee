"""The statements of this store, from the .sql files beside this module."""

from __future__ import annotations

from pathlib import Path

from otel_taskflow.sqlite.statements import load

SQL = load(Path(__file__).parent / "queries", ("task_columns", "attempt_columns", "log_columns"))
