"""``wrap``: what runs in another thread is in the attempt, in all its steps."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from otel_taskflow import task_log, wrap
from tests.context.attempt import attempt

PATIENCE = 10.0


def in_thread(work: Callable[[], Any]) -> Any:
    """What the function returns or raises in a thread without a context."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(PATIENCE)
    return outcome[0]


async def steps(*names: str) -> str:
    task_log("begins")
    for name in names:
        await asyncio.sleep(0)
        task_log(name)
    await asyncio.create_task(child())
    return "returned"


async def child() -> None:
    task_log("child")


class Caller:
    async def __call__(self, *names: str) -> str:
        return await steps(*names)

    async def method(self, *names: str) -> str:
        return await steps(*names)


@pytest.mark.parametrize("func", [steps, functools.partial(steps), Caller(), Caller().method], ids=lambda _: "")
def test_the_whole_body_of_an_async_function_runs_in_the_attempt(func: Callable[..., Any]) -> None:
    with attempt() as running:
        wrapped = wrap(func)
        assert inspect.iscoroutinefunction(wrapped)
        assert in_thread(lambda: asyncio.run(wrapped("one", "two"))) == "returned"
    assert running.messages == ["begins", "one", "two", "child"]


def test_an_async_function_is_cancelled_and_raises_as_ever() -> None:
    async def waits() -> None:
        try:
            await asyncio.sleep(PATIENCE)
        finally:
            await asyncio.sleep(0)
            task_log("cleaned up")

    async def raises() -> None:
        await asyncio.sleep(0)
        raise ValueError("mine")

    async def cancel(work: Callable[[], Any]) -> bool:
        task = asyncio.ensure_future(work())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return task.cancelled()

    with attempt() as running:
        wrapped, raising = wrap(waits), wrap(raises)
        assert in_thread(lambda: asyncio.run(cancel(wrapped))) is True
        assert repr(in_thread(lambda: asyncio.run(raising()))) == "ValueError('mine')"
    assert running.messages == ["cleaned up"]


def test_all_steps_of_a_generator_run_in_the_attempt() -> None:
    def generate(first: int) -> Iterator[int]:
        try:
            task_log("begins")
            yield first
            task_log("goes on")
            yield first + 1
        finally:
            task_log("ends")

    with attempt() as running:
        wrapped = wrap(generate)
        assert in_thread(lambda: list(wrapped(1))) == [1, 2]
        assert in_thread(lambda: next(wrapped(1))) == 1
    assert running.messages == ["begins", "goes on", "ends", "begins", "ends"]


def test_what_cannot_be_carried_is_refused_by_name() -> None:
    async def stream() -> AsyncIterator[int]:
        yield 1

    with pytest.raises(TypeError, match=r"stream\): an async generator; wrap an async function that iterates over it"):
        wrap(stream)
    with pytest.raises(TypeError, match=r"wrap\(3\): not a function"):
        wrap(3)  # type: ignore[arg-type]
