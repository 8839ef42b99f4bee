"""A real server on the loopback, and a reader of live streams."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

import anyio
import httpx
import uvicorn

from tests.web.parts import BEARER

PATIENCE = 10.0


class Server(uvicorn.Server):
    """Serves in a thread and says when it does."""

    def __init__(self, app: Any) -> None:
        super().__init__(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", timeout_graceful_shutdown=5))
        self.is_up = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.is_up.set()

    @property
    def base(self) -> str:
        host, port = self.servers[0].sockets[0].getsockname()
        return f"http://{host}:{port}"

    def stop(self) -> None:
        self.should_exit = True
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@contextmanager
def serving(app: Any) -> Iterator[Server]:
    server = Server(app)
    server.thread.start()
    assert server.is_up.wait(PATIENCE)
    try:
        yield server
    finally:
        server.stop()


class Event(NamedTuple):
    id: int
    name: str
    data: Any


class Stream:
    """Reads one live stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self, *, is_sign_enough: bool = False) -> Event | None:
        """The next event; unless a sign of life is enough, one that tells something. None when the stream has ended."""
        with anyio.fail_after(PATIENCE):
            while (event := await self._read()) is not None and event.name == "alive" and not is_sign_enough:
                pass
            return event

    async def _read(self) -> Event | None:
        fields: dict[str, str] = {}
        async for line in self._lines:
            name, _, value = line.partition(": ")
            if line and name:
                fields[name] = value
            elif "event" in fields:
                return Event(int(fields["id"]), fields["event"], json.loads(fields["data"]))
        return None

    async def until(self, name: str) -> Event:
        """The next event of this name."""
        while True:
            event = await self.next(is_sign_enough=name == "alive")
            assert event is not None, f"the stream ended before {name!r}"
            if event.name == name:
                return event

    async def ends(self) -> bool:
        """Read to the end."""
        while await self.next() is not None:
            pass
        return True


@asynccontextmanager
async def stream(server: Server, query: str = "", last_event_id: int | None = None) -> AsyncIterator[Stream]:
    """Open a live stream of the admin at ``/tasks``."""
    headers = dict(BEARER) if last_event_id is None else {**BEARER, "last-event-id": str(last_event_id)}
    async with (
        httpx.AsyncClient(base_url=server.base, headers=headers, timeout=PATIENCE) as browser,
        browser.stream("GET", f"/tasks/dashboard/stream{query}") as response,
    ):
        yield Stream(response)
