"""structlog as its documentation has it for speed: orjson, bytes straight to a file, flushed with every line."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import structlog


def with_logger(folder: Path, work: Callable[[Callable[[str, int], None]], Any]) -> Any:
    """See ``sides``."""
    with (folder / "log.json").open("ab") as file:
        structlog.configure(
            cache_logger_on_first_use=True,
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(serializer=orjson.dumps),
            ],
            logger_factory=structlog.BytesLoggerFactory(file),
        )
        logger = structlog.get_logger()

        def line(address: str, count: int) -> None:
            logger.info("sending mail", address=address, count=count)

        return work(line)
