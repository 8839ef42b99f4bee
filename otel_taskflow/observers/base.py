"""``TaskObserver``: what an observer may implement, and what is checked about one before anything starts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any, ClassVar, Literal

from otel_taskflow.errors import ConfigurationError
from otel_taskflow.events import LifecycleEvent, LogEvent
from otel_taskflow.model import TaskStatus
from otel_taskflow.values.levels import LEVELS, normalize_level

ObserverEvent = LogEvent | LifecycleEvent
Loop = Literal["own", "app"]

_weights = {level: weight for weight, level in enumerate(("debug", "info", "warning", "error"))}
_status_levels = {TaskStatus.FAILED: "error", TaskStatus.INTERRUPTED: "warning"}


class _Done:
    """Awaitable that is done already, so that ``await super().on_log(event)`` works beside ``super().on_log(event)``."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


DONE = _Done()


class TaskObserver:
    """Derive from this and override what you want to be told. Every method may be plain or ``async``.

    The methods are called one after the other, in the order of the events, on a thread and event loop of the observer's
    own: it may block, fail or hang without holding up a task. An exception is counted and logged once per kind. That loop
    runs when a plain method is called, too: ``asyncio.run`` raises there, so make the method ``async`` instead.

    Attributes:
        name: Tells observers apart, also over restarts; unique within a manager. Default: the name of the class.
        min_level: Lines below are not given to ``on_log``: debug, info, warning or error; None for all.
        loop: ``own``, or ``app`` to have awaitables awaited on the app's event loop, where the app's clients live.
        replay: True to be told what a process that died had left undelivered.
        reads_journal: True for an ``OTLPExporter``: nothing is told to it here, what it sends is read from the journal.
    """

    name: str = "TaskObserver"
    min_level: str | None = None
    loop: Loop = "own"
    replay: bool = True
    reads_journal: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "name" not in vars(cls):
            cls.name = cls.__name__

    def __init__(
        self,
        min_level: str | None = None,
        *,
        name: str | None = None,
        loop: Loop | None = None,
        replay: bool | None = None,
    ) -> None:
        """Set what is given; the class attributes hold for the rest. Raises ConfigurationError."""
        given = {"min_level": min_level, "name": name, "loop": loop, "replay": replay}
        for key, value in given.items():
            if value is not None:
                setattr(self, key, value)
        check_observer(self)

    def on_log(self, event: LogEvent) -> Any:
        """One line of a task."""
        return DONE

    def on_lifecycle(self, event: LifecycleEvent) -> Any:
        """A task started (its first attempt only) or ended."""
        return DONE

    def startup(self) -> Any:
        """Called once, before the first event, which waits for it; the manager's start does not."""
        return DONE

    def close(self) -> Any:
        """Called once, after the last event."""
        return DONE

    def accepts(self, level: str) -> bool:
        """Whether ``min_level`` lets a line of this level through."""
        return self.min_level is None or level_weight(level) >= level_weight(self.min_level)


class BatchObserver(TaskObserver):
    """An observer that is given several events in one call, for those to whom a call is expensive."""

    def on_batch(self, events: Sequence[ObserverEvent]) -> Any:
        """Events in order, at most a few hundred. Lines below ``min_level`` are left out already."""
        return DONE

    def on_log(self, event: LogEvent) -> Any:
        """Take a single line: a batch of one."""
        return self.on_batch((event,))

    def on_lifecycle(self, event: LifecycleEvent) -> Any:
        """Take a single change of state: a batch of one."""
        return self.on_batch((event,))


def takes_batches(observer: TaskObserver) -> bool:
    """Whether a batch may be given at once: not if a subclass has its own ``on_log`` or ``on_lifecycle``."""
    kind = type(observer)
    return (
        isinstance(observer, BatchObserver)
        and kind.on_log is BatchObserver.on_log
        and kind.on_lifecycle is BatchObserver.on_lifecycle
    )


def overrides(observer: TaskObserver, method: str) -> bool:
    """Whether the observer has a method of its own in place of one of ``TaskObserver`` that does nothing."""
    own = getattr(observer, method)
    return getattr(own, "__func__", own) is not getattr(TaskObserver, method)


def level_weight(level: str) -> int:
    """0 for debug to 3 for error; standard library names are mapped, anything unknown counts as info."""
    return _weights[normalize_level(level)[0]]


def status_level(status: TaskStatus) -> str:
    """The level at which a change of state counts: failed is an error, interrupted a warning, all others info."""
    return _status_levels.get(status, "info")


def check_level(owner: str, level: object) -> None:
    """Raise ConfigurationError unless this is a level or None."""
    if level is not None and (not isinstance(level, str) or normalize_level(level)[1] is not None):
        raise ConfigurationError(f"{owner}(min_level={level!r}): use one of {', '.join(LEVELS)}, or None for all lines")


def check_observer(observer: TaskObserver) -> None:
    """Raise ConfigurationError if its attributes cannot be used."""
    owner = type(observer).__name__
    name: object = observer.name
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError(f"{owner}: name={name!r} must be text that is not empty")
    if observer.loop not in ("own", "app"):
        raise ConfigurationError(f'{owner}: loop={observer.loop!r} is unknown; use "own" or "app"')
    if not isinstance(observer.replay, bool):
        raise ConfigurationError(f"{owner}: replay={observer.replay!r} must be True or False")
    check_level(owner, observer.min_level)


def check_observers(observers: object) -> None:
    """Raise ConfigurationError unless all are observers with names of their own.

    Names must not repeat: the place an observer has reached is kept under its name, so a number in the order of the
    list would hand one observer's place to another when the list changes.
    """
    if not isinstance(observers, Sequence) or isinstance(observers, str | bytes):
        raise ConfigurationError(f"observers={observers!r} must be a list of TaskObservers: observers=[...]")
    for each in observers:
        if not isinstance(each, TaskObserver):
            raise ConfigurationError(
                f"observers={each!r}: each must be a TaskObserver; derive your class from otel_taskflow.TaskObserver"
            )
        check_observer(each)
    names = Counter(each.name for each in observers if isinstance(each, TaskObserver))
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise ConfigurationError(
            f"observers: {twice[0]!r} is there {names[twice[0]]} times; give each a name of its own, "
            'with name="..." or by setting its attribute name'
        )


__all__ = [
    "DONE",
    "BatchObserver",
    "Loop",
    "ObserverEvent",
    "TaskObserver",
    "check_level",
    "check_observer",
    "check_observers",
    "level_weight",
    "overrides",
    "status_level",
    "takes_batches",
]
