"""Lines outside of tasks."""

from __future__ import annotations

import logging


class Heard(logging.Handler):
    """What comes to the logger of lines outside of tasks, from now on."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        logging.getLogger("otel_taskflow.task").addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage().replace(" ", "-"))
