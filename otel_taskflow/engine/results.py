"""What a plain function gave back: a coroutine or a generator means that its work has not even begun."""

from __future__ import annotations

import inspect

from otel_taskflow.model import Outcome, Raised, Returned

_REMEDIES = (
    (inspect.iscoroutine, "a coroutine", "make it an async function, or add the async function itself"),
    (inspect.isgenerator, "a generator", "consume it in a plain function and add that one"),
    (inspect.isasyncgen, "an async generator", "consume it in an async function and add that one"),
)


def judge_result(result: object, code_name: str) -> Outcome:
    """Returned, unless the result is something that has yet to be run; that is closed, and the attempt counts as failed."""
    for is_it, what, remedy in _REMEDIES:
        if is_it(result):
            if not inspect.isasyncgen(result):
                result.close()  # type: ignore[attr-defined] # both kinds have it; it keeps Python from warning too
            return Raised(
                TypeError(f"{code_name} is a plain function that returned {what}, so nothing was run; {remedy}")
            )
    return Returned()
