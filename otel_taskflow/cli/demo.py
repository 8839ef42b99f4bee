"""``otel-taskflow demo``."""

from __future__ import annotations

import argparse
import sys

from otel_taskflow.cli.commands import Commands
from otel_taskflow.errors import ConfigurationError


def add_to(commands: Commands) -> None:
    """Add the command."""
    demo = commands.add_parser("demo", help="run a small shop app and its dashboard")
    demo.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    demo.add_argument(
        "--port", type=_port, default=8000, help="port (default: %(default)s; the next free one is taken)"
    )
    demo.add_argument("--otlp", metavar="URL", help="also export to this collector, e.g. http://127.0.0.1:4318")
    demo.add_argument("--grafana", metavar="URL", help="link tasks to their traces and lines in this Grafana")
    demo.add_argument("--dir", default=".otel_taskflow", help="folder of journal and store (default: %(default)s)")
    demo.set_defaults(run=_run)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; use a number from 1 to 65535")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    from otel_taskflow.demo import run_demo

    try:
        return run_demo(
            host=options.host, port=options.port, otlp=options.otlp, folder=options.dir, grafana=options.grafana
        )
    except ConfigurationError as error:
        print(f"otel-taskflow demo: {error}", file=sys.stderr)
        return 2
