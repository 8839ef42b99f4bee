"""Who is let in, and what every answer carries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import Mount

from otel_taskflow.web import TaskAdmin
from tests.web.parts import BEARER, TOKEN, Backend, basic, client, make_app, task

pytestmark = pytest.mark.anyio

PROBES = {(method, path) for method in ("GET", "HEAD") for path in ("/tasks/livez", "/tasks/readyz")}
"""All that needs no session."""
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")


def paths_of(routes: Any, prefix: str = "") -> Iterator[str]:
    for route in routes:
        router = getattr(route, "original_router", None)
        if router is not None:
            yield from paths_of(router.routes, prefix + route.include_context.prefix)
        elif isinstance(route, Mount):
            yield f"{prefix}{route.path}/app.js"
        else:
            yield prefix + route.path.replace("{task_id}", "t1").replace("{rest:path}", "x").replace(
                "{trace_id}", "f" * 32
            )


def walk(admin: TaskAdmin) -> list[str]:
    unknown = [f"{admin.path}/dashboard/unknown", f"{admin.path}/a/b/c", f"{admin.path}/livez", f"{admin.path}/readyz"]
    return sorted({*paths_of(admin.sub_app.routes), *unknown})


@pytest.mark.parametrize(("options", "challenge"), [({}, "Bearer"), ({"auth": ("a", "b")}, "Basic")])
async def test_every_route_refuses_every_method_without_credentials(
    backend: Backend, options: dict[str, Any], challenge: str
) -> None:
    app = FastAPI()
    paths = walk(TaskAdmin(app, backend, **options))
    assert {"/tasks", "/tasks/metrics", "/tasks/t1/logs.txt", "/tasks/t1/retry", "/tasks/openapi.json"} <= set(paths)
    assert {"/tasks/health", "/tasks/dashboard/health"} <= set(paths)
    assert {"/tasks/dashboard", "/tasks/dashboard/stream", "/tasks/dashboard/static/app.js"} <= set(paths)
    async with client(app) as anonymous:
        asked = [(method, path) for path in paths for method in METHODS]
        answers = [await anonymous.request(*each) for each in asked if each not in PROBES]
        assert {(await anonymous.request(*each)).status_code for each in PROBES} == {200}
    assert set(asked) > PROBES
    assert {answer.status_code for answer in answers} == {401}
    assert all(answer.headers["www-authenticate"].startswith(f"{challenge} ") for answer in answers)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": TOKEN},
        {"authorization": "Bearer \u00e4"},
        {"cookie": "otel_taskflow_00000000=1.99999999999.00"},
        {"cookie": "=;;="},
        basic("user", TOKEN),
        {"x-forwarded-for": "127.0.0.1"},
    ],
)
async def test_wrong_credentials_are_refused(backend: Backend, headers: dict[str, str]) -> None:
    async with client(make_app(backend)) as stranger:
        raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
        assert (await stranger.get("/tasks", headers=raw)).status_code == 401


async def test_the_access_token_is_accepted_as_bearer(backend: Backend) -> None:
    async with client(make_app(backend), BEARER) as program:
        assert (await program.get("/tasks")).json() == []


async def test_a_link_is_exchanged_for_a_session_and_forgotten(backend: Backend) -> None:
    async with client(make_app(backend)) as browser:
        answer = await browser.get(f"/tasks/dashboard?token={TOKEN}&status=failed")
        assert (answer.status_code, answer.headers["location"]) == (303, "./dashboard?status=failed")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert "Path=/" in cookie
        assert TOKEN not in cookie
        assert (await browser.get("/tasks")).status_code == 200
        assert (await browser.get("/hello")).json() == "hello"


async def test_the_session_of_https_is_bound_to_its_host_and_scheme(backend: Backend) -> None:
    async with client(make_app(backend)) as browser:
        answer = await browser.get(f"https://localhost/tasks/dashboard?token={TOKEN}")
    assert answer.headers["set-cookie"].startswith("__Host-")
    assert "; Secure" in answer.headers["set-cookie"]


async def test_a_token_in_an_address_opens_nothing_but_the_exchange(backend: Backend) -> None:
    async with client(make_app(backend)) as browser:
        answers = [
            await browser.get(f"/tasks?token={TOKEN}"),
            await browser.get(f"/tasks/dashboard/stream?token={TOKEN}"),
            await browser.head(f"/tasks/dashboard?token={TOKEN}"),
            await browser.get("/tasks/dashboard?token=wrong"),
        ]
    assert [answer.status_code for answer in answers] == [401, 401, 401, 401]


async def test_a_session_is_valid_in_another_process_and_with_a_given_key(backend: Backend) -> None:
    first, second = (make_app(backend, secret_key="k" * 16) for _ in range(2))
    third = make_app(backend, secret_key="x" * 16)
    async with client(first) as browser:
        cookie = (await browser.get(f"/tasks/dashboard?token={TOKEN}")).headers["set-cookie"].partition(";")[0]
    statuses = []
    for app in (second, third):
        async with client(app, {"cookie": cookie}) as browser:
            statuses.append((await browser.get("/tasks")).status_code)
    assert statuses == [200, 401]


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [({}, {}, 401), ({"secret_key": "k" * 16}, {"secret_key": "k" * 16}, 200), ({"secret_key": "k" * 16}, {}, 401)],
    ids=["no key", "the same key", "another key"],
)
async def test_a_new_token_ends_all_sessions_but_with_a_key_only_another_key_does(
    backend: Backend, before: dict[str, Any], after: dict[str, Any], status: int
) -> None:
    async with client(make_app(backend, **before)) as browser:
        cookie = (await browser.get(f"/tasks/dashboard?token={TOKEN}")).headers["set-cookie"].partition(";")[0]
    backend.token = TOKEN[::-1]
    async with client(make_app(backend, **after), {"cookie": cookie}) as browser:
        assert (await browser.get("/tasks")).status_code == status


async def test_a_session_ends(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr("otel_taskflow.web.credentials.time.time", lambda: now)
    async with client(make_app(backend, token_expiry=60)) as browser:
        await browser.get(f"/tasks/dashboard?token={TOKEN}")
        now += 59
        assert (await browser.get("/tasks")).status_code == 200
        now += 2
        assert (await browser.get("/tasks")).status_code == 401


# Forged requests


SAME = {"sec-fetch-site": "same-origin", "x-otel-taskflow": "1"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (SAME, 200),
        ({"origin": "http://localhost", "x-otel-taskflow": "1"}, 200),
        ({"sec-fetch-site": "same-origin"}, 403),
        ({"x-otel-taskflow": "1"}, 403),
        ({**SAME, "sec-fetch-site": "cross-site"}, 403),
        ({**SAME, "sec-fetch-site": "same-site"}, 403),
        ({**SAME, "sec-fetch-site": "none"}, 403),
        ({"origin": "http://evil.example", "x-otel-taskflow": "1"}, 403),
        ({"origin": "null", "x-otel-taskflow": "1"}, 403),
    ],
)
async def test_a_session_acts_only_from_the_own_page(backend: Backend, headers: dict[str, str], status: int) -> None:
    backend.write([task()])
    async with client(make_app(backend)) as browser:
        await browser.get(f"/tasks/dashboard?token={TOKEN}")
        assert (await browser.post("/tasks/t1/cancel", headers=headers)).status_code == status
    assert len(backend.verbs) == (status == 200)


@pytest.mark.parametrize("options", [{"auth": ("ann", "pass")}, {"insecure": True}])
async def test_a_browser_that_sends_passwords_by_itself_acts_only_from_the_own_page(
    backend: Backend, options: dict[str, Any]
) -> None:
    backend.write([task()])
    async with client(make_app(backend, **options), basic("ann", "pass")) as browser:
        foreign = await browser.post("/tasks/t1/cancel", headers={"origin": "http://evil.example"})
        own = await browser.post("/tasks/t1/cancel", headers=SAME)
        program = await browser.post("/tasks/t1/cancel")
    assert [foreign.status_code, own.status_code, program.status_code] == [403, 200, 200]


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({}, "Programs use `Authorization: Bearer`"),
        ({"auth": ("ann", "pass")}, "Programs send user and password (HTTP Basic) without an `Origin`"),
        ({"insecure": True}, "Programs send no `Origin`"),
    ],
)
async def test_who_is_refused_for_a_foreign_origin_is_told_what_works_here(
    backend: Backend, options: dict[str, Any], hint: str
) -> None:
    async with client(make_app(backend, **options)) as browser:
        await browser.get(f"/tasks/dashboard?token={TOKEN}")
        headers = {"origin": "http://evil.example", **(basic("ann", "pass") if "auth" in options else {})}
        answer = await browser.post("/tasks/t1/cancel", headers=headers)
    assert answer.status_code == 403
    assert f" {hint}; pages send" in answer.json()["detail"]


async def test_behind_a_proxy_that_does_not_pass_host_on_the_refusal_names_both_and_the_remedy(
    backend: Backend,
) -> None:
    backend.write([task()])
    page = {"origin": "http://shop.example:8080", "x-otel-taskflow": "1"}
    async with client(make_app(backend)) as browser:
        await browser.get(f"/tasks/dashboard?token={TOKEN}")
        refused = await browser.post("/tasks/t1/cancel", headers={**page, "host": "127.0.0.1:8000"})
        passed_on = await browser.post("/tasks/t1/cancel", headers={**page, "host": "shop.example:8080"})
        foreign = await browser.post("/tasks/t1/cancel", headers={**SAME, "sec-fetch-site": "cross-site"})
    assert [refused.status_code, passed_on.status_code, foreign.status_code] == [403, 200, 403]
    hint = "The page is at 'http://shop.example:8080', and the request came for the host '127.0.0.1:8000'"
    assert hint in refused.json()["detail"]
    assert "proxy_set_header Host $http_host" in refused.json()["detail"]
    assert "proxy" not in foreign.json()["detail"]


async def test_a_program_with_the_token_needs_no_marker(backend: Backend) -> None:
    backend.write([task()])
    async with client(make_app(backend), BEARER) as program:
        assert (await program.post("/tasks/t1/cancel")).status_code == 200
    assert backend.verbs == [("cancel", "t1", "access-token")]


# Hosts


async def test_without_credentials_only_local_names_are_served(backend: Backend) -> None:
    async with client(make_app(backend, insecure=True)) as anybody:
        statuses = {
            host: (await anybody.get("/tasks", headers={"host": host})).status_code
            for host in (
                "localhost:8000",
                "127.0.0.1",
                "[::1]:8000",
                "10.0.0.7",
                "evil.example",
                "localhost.evil.example",
            )
        }
    assert [host for host, status in statuses.items() if status == 200] == [
        "localhost:8000",
        "127.0.0.1",
        "[::1]:8000",
        "10.0.0.7",
    ]
    assert set(statuses.values()) == {200, 403}


async def test_a_list_of_hosts_holds_for_everybody(backend: Backend) -> None:
    async with client(make_app(backend, allowed_hosts=["*.example.com"]), BEARER) as program:
        listed = await program.get("/tasks", headers={"host": "tasks.example.com:8000"})
        other = await program.get("/tasks", headers={"host": "example.org"})
    assert (listed.status_code, other.status_code) == (200, 403)
    assert "allowed_hosts=['example.org']" in other.json()["detail"]


async def test_a_listed_name_may_end_with_the_dot_of_the_root(backend: Backend) -> None:
    async with client(make_app(backend, allowed_hosts=["Shop.example."]), BEARER) as program:
        answers = [await program.get("/tasks", headers={"host": f"shop.example{end}"}) for end in ("", ".", ":80")]
    assert [answer.status_code for answer in answers] == [200, 200, 200]


@pytest.mark.parametrize("name", ["::1", "[::1]"])
async def test_an_ipv6_address_may_be_listed_with_and_without_brackets(backend: Backend, name: str) -> None:
    async with client(make_app(backend, allowed_hosts=[name]), BEARER) as program:
        answers = [await program.get("/tasks", headers={"host": host}) for host in ("[::1]:8000", "[::1]", "[::2]")]
    assert [answer.status_code for answer in answers] == [200, 200, 403]


# Every answer


SECURITY_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


async def test_every_answer_carries_the_security_headers(backend: Backend) -> None:
    async with client(make_app(backend)) as browser:
        refused = [await browser.get(path) for path in ("/tasks", "/tasks/dashboard")]
        known = [
            await browser.get(path, headers=BEARER)
            for path in ("/tasks", "/tasks/t1", "/tasks/dashboard", "/tasks/dashboard/static/app.js", "/tasks/?x=1")
        ]
        other = await browser.get("/hello")
    for answer in [*refused, *known]:
        assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert "content-security-policy" not in other.headers


async def test_a_refusal_says_what_to_do_and_repeats_nothing(backend: Backend) -> None:
    async with client(make_app(backend)) as browser:
        page = await browser.get("/tasks/dashboard?token=%3Cscript%3Ealert(1)%3C/script%3E")
        strange = await browser.get("/tasks/dashboard", headers={"host": "<script>alert(1)</script>"})
    assert "Authorization: Bearer" in page.text
    assert "insecure=True" in page.text
    assert "<script" not in page.text + strange.text


async def test_a_websocket_is_closed(backend: Backend) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    scope = {"type": "websocket", "path": "/tasks/x", "headers": [], "root_path": "", "query_string": b""}
    await make_app(backend)(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_a_broken_token_file_lets_nobody_in(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable() -> str:
        raise OSError("unreadable")

    monkeypatch.setattr(backend, "access_token", unreadable)
    async with client(make_app(backend)) as browser:
        answers: list[httpx.Response] = [await browser.get("/tasks", headers=BEARER), await browser.get("/tasks")]
    assert [answer.status_code for answer in answers] == [503, 503]
