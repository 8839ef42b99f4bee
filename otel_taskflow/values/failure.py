"""What is kept of an exception."""

from __future__ import annotations

import traceback
from types import TracebackType

from otel_taskflow.model import ErrorInfo
from otel_taskflow.values.limits import Limits
from otel_taskflow.values.redaction import Redaction
from otel_taskflow.values.text import as_text, cut, cut_middle, type_name, well_formed

_TYPE_BYTES = 256
_OURS = ("otel_taskflow.engine", "otel_taskflow.manager", "otel_taskflow.context", "otel_taskflow.background")
_RUNNERS = ("asyncio", "concurrent.futures", "threading", "contextlib")


def describe(exception: BaseException, limits: Limits, redaction: Redaction) -> ErrorInfo:
    """Type, message and traceback with causes, redacted and cut. Local variables are never looked at. Never raises."""
    return ErrorInfo(
        cut(type_name(type(exception)), _TYPE_BYTES),
        cut(redaction.text(as_text(exception)), limits.error_bytes),
        cut_middle(redaction.text(_stacktrace(exception)), limits.stacktrace_bytes),
    )


def _stacktrace(exception: BaseException) -> str:
    try:
        shown = traceback.TracebackException(type(exception), exception, _users_part(exception.__traceback__))
        return well_formed("".join(shown.format()))
    except BaseException as error:  # noqa: BLE001 - an exception may break whatever looks at it
        return (
            f"<traceback unavailable: {type_name(type(error))}>\n{type_name(type(exception))}: {as_text(exception)}\n"
        )


def _users_part(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame that is not the runner's; all of it if every frame is."""
    part = trace
    while part is not None and _is_runner(str(part.tb_frame.f_globals.get("__name__", ""))):
        part = part.tb_next
    return part if part is not None else trace


def _is_runner(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in (*_OURS, *_RUNNERS))
