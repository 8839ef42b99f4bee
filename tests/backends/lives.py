"""A program: many processes of one service, one after the other, in one process.

python -m tests.backends.lives FOLDER ENDPOINT LIVES

Each life has providers with an instance id of its own, a manager with a folder of its own, and the same tasks.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from otel_taskflow.setup.telemetry import setup_telemetry
from tests.backends.shop import LIMIT
from tests.backends.shop_tasks import SERVICE, add_tasks, make_manager, place_orders

ORDERS = 5
"""Enough for every task and outcome."""


def main(folder: str, endpoint: str, lives: str) -> None:
    logging.getLogger("otel_taskflow").setLevel(logging.CRITICAL)
    for life in range(int(lives)):
        live(Path(folder) / str(life), endpoint)


def live(folder: Path, endpoint: str) -> None:
    """One process of the service, from its start to its end."""
    setup = setup_telemetry(service_name=SERVICE, endpoint=endpoint)
    manager = make_manager(
        str(folder), endpoint, tracer_provider=setup.tracer_provider, meter_provider=setup.meter_provider
    )
    place_orders(manager.add_task, add_tasks(manager), 0, ORDERS)
    assert manager.drain(LIMIT)
    assert manager.force_flush(LIMIT)
    manager.close()
    assert setup.shutdown(LIMIT)


if __name__ == "__main__":
    main(*sys.argv[1:])
