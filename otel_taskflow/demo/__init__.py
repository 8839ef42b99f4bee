"""A small shop whose background tasks can be watched: ``otel-taskflow demo``."""

from otel_taskflow.demo.server import run_demo

__all__ = ["run_demo"]
