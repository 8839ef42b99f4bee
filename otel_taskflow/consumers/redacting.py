"""The one step that looks for secrets in the lines of plain ``task_log`` calls, before rows, records and observers."""

from __future__ import annotations

from collections.abc import Callable

from otel_taskflow.events import Event, TaskLogged
from otel_taskflow.values import Redaction


def redactor(redaction: Redaction) -> Callable[[Event], Event]:
    """The step for a Decoder. Everything but lines went through the sanitiser, which redacts, before it was journalled."""

    def redact(event: Event) -> Event:
        if type(event) is not TaskLogged:
            return event
        message = redaction.text(event.message)
        extra = redaction.value(event.extra) if event.extra else event.extra
        if message is event.message and extra is event.extra:
            return event
        return event._replace(message=message, extra=extra)

    return redact
