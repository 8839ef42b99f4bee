"""A program that adds a task for each of many keys, as fast as it can, once a file says so: ``asking_for_keys FOLDER KEYS``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import sleep

from otel_taskflow import TaskManager

STARTED, GO = "started", "go"


def main(folder: Path, keys: int) -> None:
    """Print the ids that it was given, in the order of the keys."""
    manager = TaskManager(dir=folder)

    @manager.task(name="charge")
    def charge(number: int) -> None:
        """Nothing: how often it runs is in the store."""

    manager.start()
    print(STARTED, flush=True)
    while not (folder / GO).exists():
        sleep(0.0002)
    ids = [manager.add_task(charge, number, idempotency_key=f"order-{number}") for number in range(keys)]
    print(json.dumps(ids), flush=True)
    manager.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
