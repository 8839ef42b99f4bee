"""loguru with a file as its only sink, bound extras in the line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from loguru import logger


def with_logger(folder: Path, work: Callable[[Callable[[str, int], None]], Any]) -> Any:
    """See ``sides``."""
    logger.remove()
    logger.add(folder / "log.txt", format="{time} {level} {name} {message} {extra}")

    def line(address: str, count: int) -> None:
        logger.bind(address=address, count=count).info("sending mail")

    return work(line)
