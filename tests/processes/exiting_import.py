"""A module that ends the worker process which imports it."""

from __future__ import annotations

import multiprocessing
import os

if multiprocessing.parent_process() is not None:
    os._exit(7)


def do_nothing() -> None:
    """Never runs in a worker."""
