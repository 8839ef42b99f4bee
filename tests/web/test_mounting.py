"""Where the admin hangs: in apps, behind prefixes, beside other routes; what it is told, and what it documents."""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from fastapi.security import HTTPBasic
from pydantic import BaseModel
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


# OpenAPI


async def document(app: FastAPI, url: str = "/tasks/openapi.json") -> dict[str, Any]:
    async with client(app, BEARER) as program:
        found: dict[str, Any] = (await program.get(url)).json()
    return found


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def operations(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """By method and path."""
    return {
        f"{method} {path}": operation
        for path, of_path in described["paths"].items()
        for method, operation in of_path.items()
    }


async def test_the_admin_has_its_own_document_and_is_not_in_the_apps(backend: Backend) -> None:
    app = make_app(backend)
    assert list(app.openapi()["paths"]) == ["/hello"]
    own = await document(app)
    assert set(own["paths"]) == {
        "/tasks",
        "/tasks/metrics",
        "/tasks/health",
        "/tasks/{task_id}",
        "/tasks/{task_id}/logs",
        "/tasks/{task_id}/logs.txt",
        "/tasks/{task_id}/cancel",
        "/tasks/{task_id}/retry",
    }


async def test_the_document_is_whole(backend: Backend) -> None:
    own = await document(make_app(backend))
    described = operations(own).values()
    ids = [operation["operationId"] for operation in described]
    assert len(set(ids)) == len(ids)
    for reference in references(own):
        found: Any = own
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
    schemes = own["components"]["securitySchemes"]
    assert schemes == {"bearer": {"type": "http", "scheme": "bearer"}}
    assert all(operation["security"] == [{"bearer": []}] for operation in described)
    assert all("401" in operation["responses"] for operation in described)


ALWAYS = {"401", "403", "422", "429", "503"}


async def test_every_operation_lists_what_the_guard_and_a_failing_store_answer(backend: Backend) -> None:
    for operation in operations(await document(make_app(backend))).values():
        assert set(operation["responses"]) >= ALWAYS
        assert {operation["responses"][status]["description"] for status in ALWAYS}.isdisjoint(
            {HTTPStatus(int(status)).phrase for status in ALWAYS}
        )
        assert set(operation["responses"]["429"]["headers"]) == {"Retry-After"}


async def test_errors_are_described_as_json_also_where_the_answer_is_text(backend: Backend) -> None:
    responses = operations(await document(make_app(backend)))["get /tasks/{task_id}/logs.txt"]["responses"]
    assert {status: set(answer["content"]) for status, answer in responses.items()} == {
        "200": {"text/plain"},
        **{status: {"application/json"} for status in (*ALWAYS, "404")},
    }


async def test_headers_of_answers_are_described(backend: Backend) -> None:
    described = {
        name: set(operation["responses"]["200"].get("headers", {}))
        for name, operation in operations(await document(make_app(backend))).items()
    }
    assert described == {
        "get /tasks": {"Link", "x-taskflow-behind"},
        "get /tasks/metrics": {"x-taskflow-behind"},
        "get /tasks/health": set(),
        "get /tasks/{task_id}": {"x-taskflow-logs-truncated", "x-taskflow-behind"},
        "get /tasks/{task_id}/logs": {"x-taskflow-behind"},
        "get /tasks/{task_id}/logs.txt": {"x-taskflow-behind"},
        "post /tasks/{task_id}/cancel": set(),
        "post /tasks/{task_id}/retry": set(),
    }


async def test_every_answer_is_described(backend: Backend) -> None:
    own = await document(make_app(backend))
    answers = {
        f"{method} {path}": set(operation["responses"]) - ALWAYS | references(operation["responses"]["200"])
        for path, of_path in own["paths"].items()
        for method, operation in of_path.items()
    }
    schema = "#/components/schemas/"
    assert answers == {
        "get /tasks": {"200", f"{schema}TaskInList"},
        "get /tasks/metrics": {"200", f"{schema}Metrics"},
        "get /tasks/health": {"200", f"{schema}HealthOut"},
        "get /tasks/{task_id}": {"200", "404", f"{schema}TaskOut"},
        "get /tasks/{task_id}/logs": {"200", "404", f"{schema}LogPageOut"},
        "get /tasks/{task_id}/logs.txt": {"200", "404"},
        "post /tasks/{task_id}/cancel": {"200", "400", "404", f"{schema}VerbOut"},
        "post /tasks/{task_id}/retry": {"200", "400", "404", "409", f"{schema}VerbOut"},
    }


async def test_an_app_that_shows_no_document_makes_none(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "otel_taskflow.web.answers", raising=False)
    backend.write([task()])
    app = make_app(backend)
    async with client(app, BEARER) as program:
        assert (await program.get("/tasks/t1")).json()["task_id"] == "t1"
    assert "otel_taskflow.web.answers" not in sys.modules
    await document(app)
    assert "otel_taskflow.web.answers" in sys.modules


async def test_answers_have_the_documented_keys(backend: Backend) -> None:
    backend.write([task()])
    app = make_app(backend)
    schemas = (await document(app))["components"]["schemas"]
    async with client(app, BEARER) as program:
        in_list = (await program.get("/tasks")).json()[0]
        detail = (await program.get("/tasks/t1")).json()
        figures = (await program.get("/tasks/metrics")).json()
    assert set(in_list) == set(schemas["TaskInList"]["properties"]) - ARGUMENTS
    assert set(detail) == set(schemas["TaskOut"]["properties"]) - ARGUMENTS
    assert set(figures) == set(schemas["Metrics"]["properties"])


ARGUMENTS = {"args", "kwargs"}


async def test_shown_arguments_are_documented_as_optional(backend: Backend) -> None:
    backend.write([task()])
    app = make_app(backend, display_func_args=True)
    schemas = (await document(app))["components"]["schemas"]
    async with client(app, BEARER) as program:
        in_list = (await program.get("/tasks")).json()[0]
        detail = (await program.get("/tasks/t1")).json()
    for shown, schema in ((in_list, schemas["TaskInList"]), (detail, schemas["TaskOut"])):
        assert set(shown) == set(schema["properties"])
        assert ARGUMENTS.isdisjoint(schema["required"])


async def test_it_can_be_shown_in_the_apps_document(backend: Backend) -> None:
    app = make_app(backend, include_in_schema=True)
    shown = await document(app, "/openapi.json")
    assert {"/hello", "/tasks", "/tasks/{task_id}/logs"} <= set(shown["paths"])
    assert {reference.rpartition("/")[2] for reference in references(shown)} <= set(shown["components"]["schemas"])
    assert "bearer" in shown["components"]["securitySchemes"]


class TaskOut(BaseModel):
    """Another one than the admin's."""

    colour: str


class AttemptOut(BaseModel):
    """One that the admin's models refer to by its name."""

    task: TaskOut


async def test_names_that_the_app_has_stay_the_apps_and_the_admins_get_others(backend: Backend) -> None:
    app = make_app(backend, include_in_schema=True)
    app.post("/own", response_model=AttemptOut, dependencies=[Depends(HTTPBasic(scheme_name="bearer"))])(hello)
    own, shown = await document(app), await document(app, "/openapi.json")
    components = shown["components"]
    assert set(components["schemas"]["TaskOut"]["properties"]) == {"colour"}
    assert components["securitySchemes"]["bearer"]["scheme"] == "basic"
    assert shown["paths"]["/own"]["post"]["security"] == [{"bearer": []}]

    detail = shown["paths"]["/tasks/{task_id}"]["get"]
    assert detail["security"] == [{"otel_taskflow_bearer": []}]
    assert components["securitySchemes"]["otel_taskflow_bearer"] == own["components"]["securitySchemes"]["bearer"]
    assert references(detail["responses"]["200"]) == {"#/components/schemas/otel_taskflow_TaskOut"}
    ours = components["schemas"]["otel_taskflow_TaskOut"]
    assert set(ours["properties"]) == set(own["components"]["schemas"]["TaskOut"]["properties"])
    assert references(ours["properties"]["attempts"]) == {"#/components/schemas/otel_taskflow_AttemptOut"}
    assert {reference.rpartition("/")[2] for reference in references(shown)} <= set(components["schemas"])


async def test_two_admins_are_shown_in_the_apps_document_each_with_its_own_credentials(backend: Backend) -> None:
    app = make_app(backend, include_in_schema=True)
    TaskAdmin(app, backend, path="/two", include_in_schema=True, auth=("ann", "pass"))
    shown = await document(app, "/openapi.json")
    asked = {name: each["security"] for name, each in operations(shown).items() if name.endswith("/metrics")}
    assert asked == {"get /tasks/metrics": [{"bearer": []}], "get /two/metrics": [{"basic": []}]}
