"""Where the admin hangs: in apps, behind prefixes, beside other routes; and what it is told."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.routing import Route
from starlette.staticfiles import StaticFiles

from otel_taskflow.errors import ConfigurationError, UnsupportedParameterError
from otel_taskflow.web import TaskAdmin
from tests.web.parts import BEARER, TOKEN, Backend, client, make_app, task

pytestmark = pytest.mark.anyio


async def hello() -> str:
    return "hello"


# Collisions


def with_route(path: str) -> FastAPI:
    app = FastAPI()
    app.get(path)(hello)
    return app


def with_router(prefix: str, path: str) -> FastAPI:
    app, outer, inner = FastAPI(), APIRouter(prefix=prefix), APIRouter()
    inner.get(path)(hello)
    outer.include_router(inner)
    app.include_router(outer)
    return app


def with_mount(path: str) -> FastAPI:
    app = FastAPI()
    app.mount(path, FastAPI())
    return app


@pytest.mark.parametrize(
    "app",
    [
        with_route("/tasks"),
        with_route("/tasks/{id}"),
        with_route("/tasks/dashboard/own"),
        with_route("/{anything:path}"),
        with_route("/{page}"),
        with_router("/tasks", "/own"),
        with_router("/tasks", "/{task_id}"),
        with_mount("/tasks"),
        with_mount("/tasks/files"),
        with_mount("/"),
    ],
    ids=lambda app: str([getattr(route, "path", "router") for route in app.routes[4:]]),
)
def test_a_path_that_collides_with_a_route_of_the_app_is_an_error(app: FastAPI, backend: Backend) -> None:
    with pytest.raises(ConfigurationError, match="collides with the app's route"):
        TaskAdmin(app, backend)


def requests_of_the_admin(backend: Backend) -> list[tuple[str, str]]:
    """Method and path of each, as its own document and its own router tell."""
    sub_app = TaskAdmin(FastAPI(), backend).sub_app
    told = [(method, path) for path, methods in sub_app.openapi()["paths"].items() for method in methods]
    paths = [route.path for route in sub_app.routes if isinstance(route, Route)]
    pages = [path for path in paths if path.startswith(("/tasks/dashboard", "/tasks/openapi"))]
    more = ["/tasks/livez", "/tasks/readyz", "/tasks/dashboard/static/{file}"]
    return [*told, *(("get", path) for path in [*pages, *more])]


def test_a_route_that_takes_any_request_of_the_admin_is_an_error(backend: Backend) -> None:
    requests = requests_of_the_admin(backend)
    assert {("post", "/tasks/{task_id}/cancel"), ("get", "/tasks/dashboard/stream")} < set(requests)
    for method, path in requests:
        app = FastAPI()
        app.add_api_route(path.replace("/tasks", "/{first}", 1), hello, methods=[method])
        with pytest.raises(ConfigurationError, match="collides with the app's route"):
            TaskAdmin(app, backend)


@pytest.mark.parametrize(
    "path", ["/{shop}/{order}/pay", "/{shop}/metrics/{day}", "/{shop}/{order:int}", "/{page:float}"]
)
def test_a_route_beside_the_requests_of_the_admin_is_none(path: str, backend: Backend) -> None:
    TaskAdmin(with_route(path), backend)


@pytest.mark.parametrize("path", ["/tasks-of-today", "/task", "/api/tasks", "/{page}/tasks2"])
def test_other_paths_do_not_collide(path: str, backend: Backend) -> None:
    TaskAdmin(with_route(path), backend)


def test_a_route_that_is_added_later_is_found_at_the_start(backend: Backend) -> None:
    app = FastAPI()
    TaskAdmin(app, backend)
    (check,) = backend.checks
    check()
    app.mount("/", StaticFiles(directory="."))
    check()
    app.get("/tasks/own")(hello)
    with pytest.raises(ConfigurationError, match=r"'/tasks/own'.*path='/admin/tasks'"):
        check()


async def test_two_admins_live_in_one_app(backend: Backend) -> None:
    app = make_app(backend, path="/one")
    TaskAdmin(app, backend, path="/two/tasks", auth=("ann", "pass"))
    async with client(app, BEARER) as program:
        assert [(await program.get(path)).status_code for path in ("/one", "/two/tasks", "/hello")] == [200, 401, 200]


# Prefixes


async def test_it_works_behind_a_prefix_that_the_server_knows(backend: Backend) -> None:
    backend.write([task()])
    for path in ("/prefix/tasks/t1", "/tasks/t1"):
        async with client(make_app(backend), BEARER, root_path="/prefix") as program:
            assert (await program.get(path)).status_code == 200


async def test_it_works_in_a_mounted_app_and_stays_there(backend: Backend) -> None:
    backend.write([task(f"t{number}") for number in range(3)])
    outer = FastAPI()
    outer.mount("/inner", make_app(backend))
    async with client(outer) as browser:
        answer = await browser.get(f"/inner/tasks/dashboard?token={TOKEN}")
        assert str(answer.url.join(answer.headers["location"])) == "http://localhost/inner/tasks/dashboard"
        page = await browser.get("/inner/tasks?limit=1")
        assert str(page.url.join(page.links["next"]["url"])).startswith("http://localhost/inner/tasks?")
        assert (await browser.get("/tasks")).status_code == 404


@pytest.mark.parametrize("path", ["/tasks/", "/tasks/t1/", "/tasks/t1/logs/?level=info", "/tasks/dashboard/"])
async def test_a_slash_at_the_end_leads_to_the_address_without_it(backend: Backend, path: str) -> None:
    outer = FastAPI()
    outer.mount("/inner", make_app(backend))
    async with client(outer, BEARER) as program:
        answer = await program.get(f"/inner{path}")
    assert answer.status_code == 307
    assert str(answer.url.join(answer.headers["location"])) == "http://localhost/inner" + path.replace(
        "/?", "?"
    ).rstrip("/")


async def test_redirects_never_leave_the_host(backend: Backend) -> None:
    async with client(make_app(backend), BEARER) as program:
        for path in ("/tasks//evil.example/", "/tasks/%2F%2Fevil.example/", "/tasks/\\evil.example/", "/tasks/http:/"):
            answer = await program.get(path)
            location = answer.headers.get("location", "")
            assert answer.url.join(location).host == "localhost"


# Options


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"path": ""}, "path=''"),
        ({"path": "/"}, "path='/'"),
        ({"path": "/tasks/"}, "path='/tasks/'"),
        ({"path": "tasks"}, "path='tasks'"),
        ({"path": "/a//b"}, "path='/a//b'"),
        ({"path": "/a/../b"}, "path='/a/../b'"),
        ({"path": "/{x}"}, r"path='/\{x\}'"),
        ({"auth": []}, "auth="),
        ({"auth": ("ann", "")}, "auth="),
        ({"auth": ("ann", "pass"), "insecure": True}, "insecure=True"),
        ({"token_expiry": 0}, "token_expiry=0"),
        ({"poll_interval": float("nan")}, "poll_interval=nan"),
        ({"secret_key": "short"}, "secret_key"),
        ({"allowed_hosts": "example.com"}, "allowed_hosts='example.com'"),
        ({"allowed_hosts": ["http://example.com"]}, "allowed_hosts="),
        ({"title": " "}, "title=' '"),
        ({"insecure": 1}, "insecure=1"),
        ({"colour": "red"}, "'colour'"),
        ({"auth": ("a:b", "c")}, "the user 'a:b' has a colon"),
        ({"auth": [("ann", "pass"), ("b\ud800", "c")]}, r"the user 'b\\ud800' has half of a surrogate pair"),
        ({"auth": ("ann", "\ud800")}, "the password of 'ann' has half of a surrogate pair"),
        ({"secret_key": "\ud800" * 20}, "secret_key=.*half of a surrogate pair"),
        ({"allowed_hosts": ["."]}, "allowed_hosts="),
        ({"allowed_hosts": ["x:80"]}, r"allowed_hosts=\['x:80'\]"),
        ({"allowed_hosts": ["[::1]:80"]}, "without scheme or port"),
        ({"token_expiry": 1e11}, r"token_expiry=100000000000.0\) .* up to 3153600000"),
        ({"token_expiry": 10**400}, "token_expiry=1000"),
        ({"poll_interval": 10**5000}, "poll_interval=<unprintable int>"),
        ({"poll_interval": float("inf")}, "poll_interval=inf"),
    ],
)
def test_an_option_that_cannot_be_used_is_named(backend: Backend, options: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        TaskAdmin(FastAPI(), backend, **options)


@pytest.mark.parametrize("auth", ["ann:pass", ("ann",), ("ann", b"pass"), {"ann": "pass"}, 7, type("Auth", (), {})])
def test_an_auth_of_another_type_is_a_type_error_that_keeps_the_secret(backend: Backend, auth: Any) -> None:
    with pytest.raises(TypeError) as caught:
        TaskAdmin(FastAPI(), backend, auth=auth)
    assert "pass" not in str(caught.value).replace("password", "")


def test_a_parameter_of_the_reference_that_lives_elsewhere_says_where(backend: Backend) -> None:
    with pytest.raises(UnsupportedParameterError, match=r"TaskManager\(retention_days="):
        TaskAdmin(FastAPI(), backend, retention_days=3)


def test_none_for_a_parameter_of_the_reference_is_the_same_as_leaving_it_out(backend: Backend) -> None:
    assert TaskAdmin(FastAPI(), backend, retention_days=None).options == TaskAdmin(FastAPI(), backend).options


def test_auto_install_makes_plain_background_tasks_managed(backend: Backend) -> None:
    plain, installed = make_app(backend), make_app(backend, auto_install=True)
    assert backend.installed == [installed]
    assert plain is not installed


async def test_a_disabled_manager_shows_nothing(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    backend.is_disabled = True
    app = make_app(backend)
    async with app.router.lifespan_context(app), client(app, BEARER) as program:
        assert [(await program.get(path)).status_code for path in ("/tasks", "/hello")] == [404, 200]
    assert capsys.readouterr().err == ""


# The link at start-up


@pytest.mark.parametrize(
    ("options", "is_printed"), [({}, True), ({"insecure": True}, False), ({"auth": ("a", "b")}, False)]
)
async def test_the_start_prints_the_link_that_opens_the_dashboard(
    backend: Backend, capsys: pytest.CaptureFixture[str], options: dict[str, Any], is_printed: bool
) -> None:
    app = make_app(backend, **options)
    async with app.router.lifespan_context(app):
        printed = capsys.readouterr().err
    assert (f"/tasks/dashboard?token={TOKEN}" in printed) is is_printed


async def test_a_hermetic_test_prints_nothing(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    backend.trusted_client = True
    app = make_app(backend)
    async with app.router.lifespan_context(app):
        assert capsys.readouterr().err == ""
