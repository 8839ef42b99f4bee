"""No option is ignored: each is used, or refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import BackgroundTasks, FastAPI

from otel_taskflow import InMemoryLogger, ManagedBackgroundTasks, TaskAdmin
from otel_taskflow.errors import ConfigurationError, UnsupportedParameterError
from otel_taskflow.manager import TaskManager
from otel_taskflow.manager.submission import LONGEST_KEY


def work(**given: Any) -> None:
    """Takes any keyword."""


@pytest.fixture(params=[False, True], ids=["enabled", "disabled"])
def manager(request: pytest.FixtureRequest) -> Iterator[TaskManager]:
    manager = TaskManager(store="memory", disabled=request.param)
    yield manager
    manager.stop()


def test_options_beside_the_function_are_its_settings() -> None:
    manager = TaskManager()
    assert manager.task(work, retries=3) is work
    assert manager.registry.for_function(work).config.retries == 3
    with pytest.raises(ConfigurationError, match=r"task\(\) has no parameter 'bogus' \(given 1\)"):
        manager.task(work, bogus=1)


@pytest.mark.parametrize("value", [1, None])
def test_an_unknown_parameter_is_refused_whatever_its_value(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"TaskManager\(\) has no parameter 'bogus'"):
        TaskManager(bogus=value)
    with pytest.raises(ConfigurationError, match=r"task\(\) has no parameter 'bogus'"):
        TaskManager().task(bogus=value)


def test_none_for_a_parameter_of_the_reference_is_as_good_as_nothing() -> None:
    manager = TaskManager(snapshot_db=None, loggers=None, queues=None, log_file=None)
    assert manager.task(work, priority=None, queue=None, persist=None) is work


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"priority": 5}, UnsupportedParameterError, r"add_task\(priority=5\)"),
        ({"queue": "mail"}, UnsupportedParameterError, r"add_task\(queue='mail'\)"),
        ({"eager": "yes"}, ConfigurationError, r"add_task\(eager='yes'\) must be True"),
        ({"tags": {1: 2}}, ConfigurationError, r"tags=\{1: 2\}\) must be a dict of texts"),
        ({"tags": {"order": 2}}, ConfigurationError, "turn other keys and values into texts"),
        ({"idempotency_key": 3}, ConfigurationError, "idempotency_key=3"),
        (
            {"idempotency_key": "\ud800"},
            ConfigurationError,
            r"idempotency_key='\\ud800'\) has half of a surrogate pair",
        ),
        (
            {"idempotency_key": "k" * 1025},
            ConfigurationError,
            r"'k{20}'\.\.\.\) has 1,025 characters, of which 1,024 are",
        ),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_wherever_the_task_is_added(
    manager: TaskManager, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        manager.add_task(work, **options)
    with pytest.raises(error, match=words):
        ManagedBackgroundTasks(manager, BackgroundTasks()).add_task(work, **options)


@pytest.mark.parametrize("key", ["k" * LONGEST_KEY, "\U0001f9fe" * LONGEST_KEY, "a\0b\n c"])
def test_any_other_text_is_a_key(manager: TaskManager, key: str) -> None:
    added = [manager.add_task(work, idempotency_key=key) for _ in range(2)]
    assert len(set(added)) == (2 if manager.is_disabled else 1)


def test_outside_a_request_a_task_is_eager_anyhow(manager: TaskManager) -> None:
    assert manager.add_task(work, eager=True)
    assert manager.add_task(work, eager=None, priority=None)
    with pytest.raises(ConfigurationError, match="there is no response to wait for"):
        manager.add_task(work, eager=False)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"observers": InMemoryLogger()}, r"must be a list of TaskObservers: observers=\[...\]"),
        ({"loggers": 3}, "observers=3 must be a list"),
        ({"observers": "stdout"}, "observers='stdout' must be a list"),
        ({"tracer_provider": 42}, r"tracer_provider=42 must have get_tracer\(\)"),
        ({"meter_provider": "x"}, "meter_provider='x' must have"),
        ({"logger_provider": object()}, "logger_provider=.* must have"),
        ({"capture_logging": "LOUD"}, "capture_logging='LOUD'"),
        ({"capture_logging": True}, "capture_logging=True"),
    ],
)
def test_a_wrong_object_is_named_with_the_remedy(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        TaskManager(**given)


def test_capture_logging_takes_a_number_of_the_logging_module() -> None:
    assert TaskManager(capture_logging=20).settings.capture_logging == 20


def test_what_is_no_app_or_no_manager_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="TaskAdmin\\(task_manager='x'\\) must be a TaskManager"):
        TaskAdmin(FastAPI(), "x")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="TaskAdmin\\(app=3\\) must be a FastAPI app"):
        TaskAdmin(3, TaskManager())  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="init_app\\(3\\) needs a FastAPI app"):
        TaskManager().init_app(3)


def test_an_unhashable_callable_cannot_be_decorated() -> None:
    class Odd:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self) -> None: ...

    with pytest.raises(ConfigurationError, match="not hashable"):
        TaskManager().task(Odd())


@pytest.mark.anyio
async def test_a_disabled_manager_starts_nothing_whatever_is_asked_of_it(tmp_path: Path) -> None:
    manager = TaskManager(dir=str(tmp_path / "none"), disabled=True)
    refused = r"the task manager 'default' is disabled.*leave out disabled=True or OTEL_TASKFLOW_DISABLED"
    for verb in (manager.cancel, manager.retry):
        with pytest.raises(ConfigurationError, match=refused):
            await verb("some-id")
    for view in (manager.reader, manager.access_token):
        with pytest.raises(ConfigurationError, match=refused):
            view()
    assert await manager.level() == 0
    assert await manager.adrain()
    assert manager.dropped == {}
    manager.start()
    manager.close()
    assert not manager.is_started
    assert not (tmp_path / "none").exists()


def test_the_lifespan_of_an_app_with_a_disabled_manager_needs_no_asyncio() -> None:
    app = FastAPI()
    TaskManager(disabled=True).init_app(app)
    lifespan = app.router.lifespan_context(app)
    for step in (lifespan.__aenter__(), lifespan.__aexit__(None, None, None)):
        with pytest.raises(StopIteration):
            step.send(None)  # as a server does that runs it on trio
