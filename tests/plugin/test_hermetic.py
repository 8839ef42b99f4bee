"""The shipped pytest plugin: a user's test session leaves nothing behind and waits for its tasks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

APP = """
from fastapi import Depends, FastAPI
from otel_taskflow import TaskAdmin, TaskManager, get_task_context, task_log

done = []
task_manager = TaskManager(store="tasks.db")
app = FastAPI()
TaskAdmin(app, task_manager)

@task_manager.task(retries=2, delay=60.0)
def flaky(name: str) -> None:
    task_log("trying", name=name)
    if get_task_context().attempt < 2:
        raise ValueError(name)
    done.append(name)

@app.post("/work/{name}")
def work(name: str, tasks=Depends(task_manager.get_tasks)):
    return tasks.add_task(flaky, name)
"""

HERMETIC = """
import warnings
warnings.simplefilter("ignore")
from fastapi.testclient import TestClient
import asyncio, httpx, shop, os

def test_the_call_returns_when_its_tasks_have_ended():
    with TestClient(shop.app) as client:
        client.post("/work/one")
        assert shop.done == ["one"]
        [task] = client.get("/tasks").json()
        assert task["status"] == "success"
        assert task["retries_used"] == 2

def test_also_without_a_lifespan():
    client = TestClient(shop.app)
    client.post("/work/two")
    assert shop.done[-1] == "two"
    assert shop.task_manager.drain()

def test_httpx_is_let_in_too():
    async def ask():
        transport = httpx.ASGITransport(shop.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/tasks")

    assert asyncio.run(ask()).status_code == 200

def test_nothing_is_on_disk():
    assert not os.path.exists("tasks.db") and not os.path.exists(".otel_taskflow")
"""

WHATEVER_THE_WAY = """
import asyncio, time, pytest
import warnings
warnings.simplefilter("ignore")
from fastapi import BackgroundTasks, Response
from fastapi.testclient import TestClient
import shop

@shop.task_manager.task
async def slow(name: str) -> None:
    await asyncio.sleep(0.05)
    shop.done.append(name)

@shop.task_manager.task
def nesting(name: str) -> None:
    time.sleep(0.05)
    shop.task_manager.add_task(slow, name)

detached = shop.task_manager.task(detached=True, name="detached")(lambda: shop.task_manager.add_task(nesting, "x"))

@shop.app.post("/{kind}")
def route(kind: str, tasks=shop.Depends(shop.task_manager.get_tasks)):
    if kind == "eager":
        tasks.add_task(slow, "x", eager=True)
    elif kind == "outside":
        shop.task_manager.add_task(slow, "x")
    elif kind == "detached":
        tasks.add_task(detached)
    else:
        tasks.add_task(nesting, "x")
    return Response(background=BackgroundTasks() if kind == "own" else None)

@pytest.mark.parametrize("kind", ["eager", "outside", "detached", "own", "nesting"])
@pytest.mark.parametrize("has_lifespan", [False, True])
def test_the_call_returns_when_all_has_ended(kind, has_lifespan):
    shop.done.clear()
    client = TestClient(shop.app)
    if has_lifespan:
        with client:
            client.post(f"/{kind}")
            assert shop.done == ["x"]
    else:
        client.post(f"/{kind}")
        assert shop.done == ["x"]
"""

REAL = """
import os, pytest
from otel_taskflow import TaskManager
import shop

def stores():
    return os.path.exists("tasks.db")

def run():
    shop.task_manager.add_task(print)
    assert shop.task_manager.drain()

def test_hermetic_before():
    run()
    assert not stores()

@pytest.mark.otel_taskflow_real
def test_the_marker_gives_the_real_store_also_to_the_apps_manager():
    run()
    assert stores()

def test_hermetic_afterwards():
    run()
    os.remove("tasks.db")
    run()
    assert not stores()

kept = []

@pytest.mark.otel_taskflow_real
def test_a_manager_made_in_a_marked_test():
    kept.append(TaskManager(store="real.db", dir="state"))
    kept[0].add_task(print)
    assert kept[0].drain()
    assert os.path.exists("real.db")

def test_is_hermetic_in_another():
    before = os.stat("real.db").st_mtime_ns
    kept[0].add_task(print)
    assert kept[0].drain()
    assert not kept[0].runtime.store.is_persistent
    assert os.stat("real.db").st_mtime_ns == before
"""

REAL_LIFESPAN = """
import pytest
import warnings
warnings.simplefilter("ignore")
from fastapi.testclient import TestClient
from otel_taskflow import TaskManager
import shop

task_manager = TaskManager()
app = shop.FastAPI()
shop.TaskAdmin(app, task_manager, insecure=True)

def is_in(folder):
    return task_manager.kept_in == str(folder / ".otel_taskflow" / "tasks.db")

@pytest.mark.otel_taskflow_real
def test_with_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with TestClient(app, base_url="http://localhost") as client:
        task_manager.add_task(print)
        assert task_manager.drain()
        assert len(client.get("/tasks").json()) == 1
        assert is_in(tmp_path)

@pytest.mark.otel_taskflow_real
def test_the_same_app_without_a_lifespan_in_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    client = TestClient(app, base_url="http://localhost")
    assert client.get("/tasks").json() == []
    assert is_in(tmp_path)
    with client:
        assert is_in(tmp_path)

def test_hermetic_without_a_lifespan():
    task_manager.add_task(print)
    assert task_manager.drain()
    assert not task_manager.runtime.store.is_persistent
"""

REAL_FIXTURES = """
import asyncio, os, pytest
from otel_taskflow import TaskManager
import shop

def start_in(folder):
    manager = TaskManager(dir=str(folder))
    manager.add_task(print)
    assert manager.drain()
    return manager

@pytest.fixture(scope="module")
def shared():
    shop.task_manager.start()
    yield
    assert os.environ["OTEL_TASKFLOW_TESTING"] == "1"

def test_an_unmarked_test_that_sets_up_a_fixture_of_the_module(shared):
    assert shop.task_manager.is_hermetic

@pytest.fixture(scope="class")
def kept(tmp_path_factory):
    manager = start_in(tmp_path_factory.mktemp("kept"))
    yield manager
    assert not manager.is_hermetic
    manager.close()

async def count(manager):
    return sum((await manager.reader().count_by_status()).values())

@pytest.mark.otel_taskflow_real
class TestMarked:
    def test_what_a_fixture_of_the_class_added_is_there(self, kept, shared):
        assert not kept.is_hermetic and asyncio.run(count(kept)) == 1

    def test_is_still_there_in_the_next_test(self, kept):
        assert not kept.is_hermetic and asyncio.run(count(kept)) == 1

@pytest.fixture
def skipping(tmp_path):
    assert not start_in(tmp_path).is_hermetic
    pytest.skip("in the middle of the setup")

@pytest.mark.otel_taskflow_real
def test_that_is_skipped_in_its_setup(skipping):
    pass

def test_hermetic_afterwards():
    assert os.environ["OTEL_TASKFLOW_TESTING"] == "1"
    assert shop.task_manager.is_hermetic
"""

ANY_STORE = """
import os
from otel_taskflow import TaskManager
from otel_taskflow.stores.sqlite.store import SqliteStore
from pathlib import Path
import pytest

@pytest.mark.parametrize("store", ["sqlite:///url.db", "tasks.db", SqliteStore(Path("object.db")), "postgresql://u:p@db/tasks"])
def test_no_store_is_touched(store):
    manager = TaskManager(store=store)
    manager.add_task(print)
    assert manager.drain()
    assert [each for each in os.listdir() if each.endswith((".db", ".otel_taskflow"))] == []
"""

NOTHING_LEAVES = """
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from otel_taskflow import InMemoryLogger, TaskManager, setup_telemetry, task_log

asked = []

class Collector(BaseHTTPRequestHandler):
    def do_POST(self):
        asked.append(self.path)
        self.send_response(200)
        self.end_headers()

def test_nothing_is_exported():
    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    setup = setup_telemetry(endpoint=f"http://127.0.0.1:{server.server_port}")
    manager = TaskManager(
        tracer_provider=setup.tracer_provider,
        meter_provider=setup.meter_provider,
        logger_provider=setup.logger_provider,
    )
    manager.add_task(task_log, "hello")
    assert manager.drain()
    with setup.tracer_provider.get_tracer("app").start_as_current_span("the app's own"):
        pass
    assert setup.shutdown()
    server.shutdown()
    server.server_close()
    assert asked == []

def test_drain_waits_for_observers():
    observer = InMemoryLogger()
    manager = TaskManager(observers=[observer])
    for _ in range(200):
        manager.add_task(task_log, "hello")
    assert manager.drain()
    assert len(observer.log_events) == 200
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -p no:randomly -p no:cacheprovider\npythonpath = .\n")
    return tmp_path


def run_pytest(project: Path, *arguments: str, testing: str | None = None) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "PYTEST_", "COV_"))}
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *arguments],
        cwd=project,
        env={
            **environment,
            "PYTHONPATH": str(ROOT),
            **({"OTEL_TASKFLOW_TESTING": testing} if testing is not None else {}),
        },
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


def test_a_session_is_hermetic_by_default_whatever_the_store(project: Path) -> None:
    (project / "test_shop.py").write_text(HERMETIC)
    assert "4 passed" in run_pytest(project)


def test_a_marker_opts_out(project: Path) -> None:
    (project / "test_real.py").write_text(REAL)
    assert "5 passed" in run_pytest(project, "--strict-markers")


def test_an_app_whose_lifespan_ended_in_a_marked_test_starts_again_in_the_next_one(project: Path) -> None:
    (project / "test_lifespan.py").write_text(REAL_LIFESPAN)
    assert "3 passed" in run_pytest(project)
    assert not (project / ".otel_taskflow").exists()


def test_a_marker_holds_for_fixtures_of_every_scope(project: Path) -> None:
    (project / "test_fixtures.py").write_text(REAL_FIXTURES)
    assert "4 passed, 1 skipped" in run_pytest(project)


def test_a_request_ends_when_its_tasks_have_ended_whatever_way_they_were_added(project: Path) -> None:
    (project / "test_ways.py").write_text(WHATEVER_THE_WAY)
    assert "10 passed" in run_pytest(project)


def test_no_kind_of_store_is_touched(project: Path) -> None:
    (project / "test_stores.py").write_text(ANY_STORE)
    assert "4 passed" in run_pytest(project)


def test_nothing_is_exported_and_drain_waits_for_observers(project: Path) -> None:
    (project / "test_exports.py").write_text(NOTHING_LEAVES)
    assert "2 passed" in run_pytest(project)


def test_the_variable_set_to_0_leaves_a_session_as_it_is(project: Path) -> None:
    (project / "test_real.py").write_text(
        "import os\nfrom otel_taskflow import TaskManager\n\ndef test_the_store_is_there():\n"
        "    manager = TaskManager(store='real.db', dir='state')\n    manager.start()\n    manager.stop()\n"
        "    assert os.path.exists('real.db')\n"
    )
    assert "1 passed" in run_pytest(project, testing="0")


def test_the_plugin_imports_nothing_of_the_package_at_load(project: Path) -> None:
    (project / "test_imports.py").write_text(
        "import sys\n\ndef test_nothing_heavy():\n    assert 'otel_taskflow.manager' not in sys.modules\n"
        "    assert 'fastapi' not in sys.modules and 'opentelemetry' not in sys.modules\n"
    )
    run_pytest(project)
