"""What is buffered goes out at the end of the lifespan, whatever the app does with its threads."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from otel_taskflow.setup.flushing import FlushAtShutdown

pytestmark = pytest.mark.anyio


async def test_it_does_not_wait_for_a_thread_of_the_loop() -> None:
    said: list[str] = []
    gate = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "lifespan.shutdown.complete"})

    async def send(message: Any) -> None:
        said.append(message["type"])

    with ThreadPoolExecutor(1) as pool:
        pool.submit(gate.wait)
        asyncio.get_running_loop().set_default_executor(pool)
        try:
            ending = FlushAtShutdown(app, lambda: said.append("flushed"))({"type": "lifespan"}, None, send)
            await asyncio.wait_for(ending, 10)
        finally:
            gate.set()
    assert said == ["flushed", "lifespan.shutdown.complete"]
