"""Names and passwords, and who needs none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI

from otel_taskflow.web import throttle
from otel_taskflow.web.throttle import Throttle, TooManyFailuresError
from tests.web.parts import BEARER, Backend, basic, client, make_app

pytestmark = pytest.mark.anyio


class Directory:
    def authenticate_user(self, username: str, password: str) -> bool:
        if username == "broken":
            raise OSError("the directory is away")
        return (username, password) == ("ann", "pass")


@pytest.mark.parametrize("auth", [("ann", "pass"), [("bob", "other"), ("ann", "pass")], Directory()])
async def test_user_and_password_come_through_basic(backend: Backend, auth: Any) -> None:
    async with client(make_app(backend, auth=auth)) as browser:
        refused = await browser.get("/tasks/dashboard")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Basic ")
        assert (await browser.get("/tasks", headers=basic("ann", "pass"))).status_code == 200
        assert (await browser.get("/tasks", headers=basic("ann", "PASS"))).status_code == 401
        assert (await browser.get("/tasks", headers=basic("broken", "pass"))).status_code == 401
        assert (await browser.get("/tasks", headers=BEARER)).status_code == 401


class Raising:
    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def authenticate_user(self, username: str, password: str) -> Any:
        raise self.error


class RaisingLater(Raising):
    async def authenticate_user(self, username: str, password: str) -> Any:
        await asyncio.sleep(0)
        raise self.error


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, OSError])
@pytest.mark.parametrize("kind", [Raising, RaisingLater])
async def test_whatever_a_check_raises_is_a_refusal(
    backend: Backend, kind: type[Raising], error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async with client(make_app(backend, auth=kind(error)), basic("ann", "pass")) as browser:
        assert (await browser.get("/tasks")).status_code == 401
    assert "authenticate_user raised" in caplog.text
    assert error.__name__ in caplog.text


async def test_a_request_that_is_cancelled_ends_its_check(backend: Backend) -> None:
    entered, ended = asyncio.Event(), asyncio.Event()

    class Waiting:
        async def authenticate_user(self, username: str, password: str) -> bool:
            entered.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return True

    request = asyncio.ensure_future(ask(make_app(backend, auth=Waiting()), "192.0.2.1", "pass"))
    await asyncio.wait_for(entered.wait(), 5)
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    await asyncio.wait_for(ended.wait(), 5)


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
async def test_a_password_may_hold_any_letter(backend: Backend, encoding: str) -> None:
    async with client(make_app(backend, auth=("jörg", "gänse:füße"))) as browser:
        assert (await browser.get("/tasks", headers=basic("jörg", "gänse:füße", encoding))).status_code == 200
        assert (await browser.get("/tasks", headers=basic("jörg", "gänse", encoding))).status_code == 401


async def test_insecure_lets_everybody_in(backend: Backend) -> None:
    async with client(make_app(backend, insecure=True)) as anybody:
        assert (await anybody.get("/tasks")).status_code == 200


async def test_a_hermetic_test_lets_its_test_client_in(backend: Backend) -> None:
    backend.trusted_client = True
    app = make_app(backend)
    async with client(app) as test_client, client(app, client=("127.0.0.1", 50123)) as browser:
        assert (await test_client.get("/tasks")).status_code == 200
        assert (await test_client.get("/tasks", headers={"authorization": "Bearer wrong"})).status_code == 401
        assert (await browser.get("/tasks")).status_code == 401


async def test_a_hermetic_test_may_give_its_test_client_any_host(backend: Backend) -> None:
    app = make_app(backend)
    async with (
        client(app, {"host": "test"}) as test_client,
        client(app, {"host": "test"}, client=("127.0.0.1", 50123)) as browser,
    ):
        assert (await test_client.get("/tasks")).status_code == 401
        backend.trusted_client = True
        assert (await test_client.get("/tasks")).status_code == 200
        assert (await browser.get("/tasks")).status_code == 401
    async with client(make_app(backend, allowed_hosts=["shop"]), {"host": "test"}) as test_client:
        assert (await test_client.get("/tasks")).status_code == 403
    backend.trusted_client = False
    async with client(make_app(backend, insecure=True), {"host": "test"}) as test_client:
        assert (await test_client.get("/tasks")).status_code == 403


# Too many guesses


class Clock:
    """Time that a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(throttle, "time", clock)
    return clock


async def ask(app: FastAPI, peer: str, password: str, path: str = "/tasks") -> Any:
    async with client(app, basic("ann", password), client=(peer, 50123)) as browser:
        return await browser.get(path)


async def guess(app: FastAPI, peer: str, times: int) -> list[int]:
    return [(await ask(app, peer, f"guess {number}")).status_code for number in range(times)]


async def test_after_ten_wrong_passwords_an_address_waits_and_the_right_one_waits_too(
    backend: Backend, clock: Clock
) -> None:
    app = make_app(backend, auth=("ann", "pass"))
    assert await guess(app, "192.0.2.1", 12) == [401] * 10 + [429] * 2
    clock.now += 20
    refused = await ask(app, "192.0.2.1", "pass")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "40")
    assert "try again in 40 s" in refused.json()["detail"]
    assert "try again in 40 s" in (await ask(app, "192.0.2.1", "pass", "/tasks/dashboard")).text
    assert (await ask(app, "192.0.2.2", "pass")).status_code == 200
    clock.now += 40
    assert (await ask(app, "192.0.2.1", "pass")).status_code == 200


async def test_who_asks_without_a_password_or_with_the_right_one_is_not_counted(backend: Backend) -> None:
    app = make_app(backend, auth=("ann", "pass"))
    async with client(app) as anybody:
        for _ in range(15):
            assert (await anybody.get("/tasks")).status_code == 401
            assert (await anybody.get("/tasks", headers=basic("ann", "pass"))).status_code == 200


async def test_guesses_that_come_at_once_learn_no_more_than_others(backend: Backend) -> None:
    class Slow:
        async def authenticate_user(self, username: str, password: str) -> bool:
            await asyncio.sleep(0.05 if password == "pass" else 0.0)
            return password == "pass"

    app = make_app(backend, auth=Slow())
    guesses = [ask(app, "192.0.2.1", password) for password in (*map(str, range(30)), "pass")]
    statuses = [answer.status_code for answer in await asyncio.gather(*guesses)]
    assert (statuses.count(401), statuses.count(429)) == (10, 21)


async def test_an_address_of_ipv6_is_its_network(backend: Backend) -> None:
    app = make_app(backend, auth=("ann", "pass"))
    assert await guess(app, "2001:db8::1", 10) == [401] * 10
    assert (await ask(app, "2001:db8::ffff:2", "pass")).status_code == 429
    assert (await ask(app, "2001:db8:0:1::1", "pass")).status_code == 200


def test_so_many_addresses_are_remembered_and_no_more(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_ADDRESSES", 3)
    limit = Throttle()
    for number in range(5):
        clock.now += 1
        for _ in range(10):
            limit.count(f"192.0.2.{number}")
    waiting = [number for number in range(5) if must_wait(limit, f"192.0.2.{number}")]
    assert waiting == [2, 3, 4]


def must_wait(limit: Throttle, peer: str) -> bool:
    try:
        limit.check(peer)
    except TooManyFailuresError:
        return True
    return False
