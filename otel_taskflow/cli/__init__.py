"""The command line: ``otel-taskflow demo``, ``doctor``, ``journal dump`` and ``spool dump``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from otel_taskflow.cli import demo, doctor, journal, spool
from otel_taskflow.version import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="otel-taskflow", description="Background tasks that can be seen.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for each in (demo, doctor, journal, spool):
        each.add_to(commands)
    return parser


__all__ = ["main"]
