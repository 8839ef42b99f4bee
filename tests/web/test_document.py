"""The OpenAPI documents: the admin's own, and the app's that holds it too."""

from __future__ import annotations

import sys
from http import HTTPStatus
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from fastapi.security import HTTPBasic
from pydantic import BaseModel

from otel_taskflow.web import TaskAdmin
from tests.web.parts import BEARER, Backend, client, make_app, task

pytestmark = pytest.mark.anyio


async def hello() -> str:
    return "hello"


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
