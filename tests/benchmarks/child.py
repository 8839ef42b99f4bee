"""The process of one measurement: ``python -m tests.benchmarks.child SUBJECT SIDE FOLDER QUICK`` prints its figures as JSON."""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
from pathlib import Path

from tests.benchmarks.measuring import Load


def main(subject: str, side: str, folder: str, quick: str) -> None:
    """Measure and print."""
    logging.getLogger("otel_taskflow").setLevel(logging.ERROR)
    module = importlib.import_module(subject)
    figures = module.measure(side, Load(quick == "1", Path(folder)))
    print(json.dumps(figures), flush=True)
    # What a side leaves running is not measured.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
