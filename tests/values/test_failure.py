from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest

from otel_taskflow.model import ErrorInfo
from otel_taskflow.values import Limits, Redaction, Sanitizer
from tests.values.strategies import Broken

sanitizer = Sanitizer(Limits(), Redaction.with_rules(None))


class OrderError(Exception):
    pass


def fail(error: BaseException) -> None:
    raise error


def described(error: BaseException) -> ErrorInfo:
    with pytest.raises(type(error)) as caught:
        fail(error)
    return sanitizer.error(caught.value)


def test_the_type_is_named_in_full_and_builtins_by_their_name() -> None:
    assert described(ValueError("no")).type == "ValueError"
    assert described(OrderError("no")).type == f"{__name__}.OrderError"
    assert described(asyncio.CancelledError()).type == "asyncio.exceptions.CancelledError"


def test_the_traceback_has_the_causes() -> None:
    try:
        try:
            fail(KeyError("first"))
        except KeyError as cause:
            raise OrderError("second") from cause
    except OrderError as error:
        trace = sanitizer.error(error).stacktrace
    assert trace.index("KeyError: 'first'") < trace.index("direct cause") < trace.index("OrderError: second")
    assert "fail(KeyError" in trace


def test_secrets_are_redacted_in_message_and_traceback() -> None:
    error = described(OrderError("cannot reach postgres://shop:hunter2@db/shop"))
    assert error.message == "cannot reach postgres://shop:[redacted:url_credentials]@db/shop"
    assert "hunter2@" not in error.stacktrace.splitlines()[-1]


def test_local_variables_are_not_looked_at() -> None:
    marker = "in a local " + "variable"
    assert marker not in described(ValueError("no")).stacktrace


def test_long_messages_and_tracebacks_are_cut_and_their_ends_kept() -> None:
    error = described(ValueError("x" * 10_000_000 + "the end"))
    assert len(error.message.encode()) <= Limits().error_bytes
    assert error.message.endswith("…[cut: 10000007 characters]")
    assert len(error.stacktrace.encode()) <= Limits().stacktrace_bytes
    assert error.stacktrace.startswith("Traceback (most recent call last):")
    assert error.stacktrace.rstrip().endswith("the end")
    assert "…[cut: " in error.stacktrace


def test_an_exception_that_cannot_be_shown_does_no_harm() -> None:
    class HostileError(Exception):
        def __str__(self) -> str:
            raise SystemExit

        @property
        def __cause__(self) -> Any:  # type: ignore[override]
            raise RuntimeError

    error = described(HostileError())
    assert error.message.startswith("<unprintable ")
    assert error.stacktrace
    assert described(ValueError(Broken(KeyboardInterrupt()))).message.startswith("<unprintable ")


def test_an_exception_that_was_never_raised_has_a_last_line() -> None:
    assert sanitizer.error(ValueError("no")).stacktrace == "ValueError: no\n"


def function_of_module(name: str) -> Any:
    """A function that calls what it is given, from a module of this name."""
    module = ModuleType(name)
    exec("def call(func):\n    return func()\n", vars(module))
    return module.call


def test_frames_of_the_runner_are_left_out_and_those_of_the_demo_stay() -> None:
    with pytest.raises(OrderError) as caught:
        fail(OrderError("no"))
    error = caught.value

    def again() -> None:
        raise error.with_traceback(None)

    for module, count in (("otel_taskflow.engine.runner", 0), ("otel_taskflow.demo.shop", 1)):
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(function_of_module(module), again)
            caught_again = future.exception()
        assert caught_again is not None
        frames = [line for line in sanitizer.error(caught_again).stacktrace.splitlines() if line.startswith("  File")]
        assert sum('"<string>"' in line for line in frames) == count
        assert "again" in frames[-1]
        assert not any("concurrent" in line for line in frames)
