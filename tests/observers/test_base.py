from __future__ import annotations

import re

import pytest

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.events import LogEvent
from otel_taskflow.model import TaskStatus
from otel_taskflow.observers import FileLogger, InMemoryLogger, StdoutLogger, TaskObserver, check_observers
from otel_taskflow.observers.base import level_weight, status_level, takes_batches
from tests.observers.stream import log_event


class Webhook(TaskObserver):
    """Made without calling the constructor of its base."""

    def __init__(self, url: str) -> None:
        self.url = url


def test_an_observer_is_called_like_its_class_if_nobody_says_otherwise() -> None:
    assert Webhook("http://localhost").name == "Webhook"
    assert InMemoryLogger(name="mine").name == "mine"
    assert TaskObserver("error", name="audit", loop="app", replay=False).name == "audit"


def test_class_attributes_hold_where_the_constructor_is_given_nothing() -> None:
    class Audit(TaskObserver):
        name = "audit"
        min_level = "warning"
        loop = "app"
        replay = False

    audit = Audit()
    assert (audit.name, audit.min_level, audit.loop, audit.replay) == ("audit", "warning", "app", False)


def test_only_the_shipped_loggers_without_a_file_take_no_replay() -> None:
    assert not StdoutLogger().replay
    assert not InMemoryLogger().replay
    assert FileLogger("app.log").replay
    assert Webhook("").replay


@pytest.mark.anyio
async def test_the_methods_of_the_base_may_be_called_and_awaited() -> None:
    observer = TaskObserver()
    observer.startup()
    await observer.startup()
    await observer.on_log(log_event())
    await observer.close()


def test_levels_are_compared_by_weight_in_any_spelling() -> None:
    assert [level_weight(level) for level in ("debug", "INFO", "warn", "critical", "loud")] == [0, 1, 2, 3, 1]
    assert TaskObserver().accepts("debug")
    assert not TaskObserver("warning").accepts("info")
    assert TaskObserver("WARN").accepts("error")


def test_a_failure_counts_as_an_error_and_an_interruption_as_a_warning() -> None:
    assert [status_level(status) for status in (TaskStatus.FAILED, TaskStatus.INTERRUPTED, TaskStatus.SUCCESS)] == [
        "error",
        "warning",
        "info",
    ]


def test_a_logger_with_a_method_of_its_own_is_not_given_batches() -> None:
    class Shouting(FileLogger):
        def on_log(self, event: LogEvent) -> None:
            super().on_log(event)

    assert takes_batches(FileLogger("app.log"))
    assert not takes_batches(Shouting("app.log"))
    assert not takes_batches(Webhook(""))


def test_two_observers_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=re.escape("'Webhook' is there 2 times")):
        check_observers([Webhook("a"), InMemoryLogger(), Webhook("b")])
    with pytest.raises(ConfigurationError, match="FileLogger"):
        check_observers([FileLogger("app.log"), FileLogger("./app.log")])


def test_two_files_and_two_named_ones_go_together() -> None:
    second = Webhook("b")
    second.name = "second"
    check_observers([FileLogger("a.log"), FileLogger("b.log"), Webhook("a"), second])


def test_what_is_no_observer_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="TaskObserver"):
        check_observers([print])


@pytest.mark.parametrize(
    ("attribute", "value"), [("name", ""), ("name", 5), ("loop", "main"), ("min_level", "loud"), ("replay", "x")]
)
def test_attributes_that_cannot_be_used_are_refused_by_name(attribute: str, value: object) -> None:
    observer = Webhook("")
    setattr(observer, attribute, value)
    with pytest.raises(ConfigurationError, match=re.escape(f"{attribute}={value!r}")):
        check_observers([observer])
