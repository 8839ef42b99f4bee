"""``logging`` with a FileHandler and a format that has the time and the two extras."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any


def with_logger(folder: Path, work: Callable[[Callable[[str, int], None]], Any]) -> Any:
    """See ``sides``."""
    logger = logging.getLogger("bench")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler = logging.FileHandler(folder / "log.txt")
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s address=%(address)s count=%(count)d")
    )
    logger.addHandler(handler)

    def line(address: str, count: int) -> None:
        logger.info("sending mail", extra={"address": address, "count": count})

    return work(line)
