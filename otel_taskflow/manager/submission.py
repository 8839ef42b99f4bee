"""add_task, wherever it is called: in a request, outside one, from a thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from otel_taskflow.background.family import Member, current_family
from otel_taskflow.background.ports import HeldTask
from otel_taskflow.engine.asyncio_tasks import running_loop
from otel_taskflow.engine.live import LiveTask, Phase
from otel_taskflow.engine.new_task import NewTask
from otel_taskflow.errors import ConfigurationError, TaskArgumentError, TaskStateError
from otel_taskflow.lifecycle.decide import SECOND
from otel_taskflow.manager.compatibility import refuse_task_parameters
from otel_taskflow.manager.idempotency import IdempotencyKeys, Turn
from otel_taskflow.manager.plain import run_plainly
from otel_taskflow.manager.settings import Settings
from otel_taskflow.model import TaskDefinition, TaskRow
from otel_taskflow.registry import Registry, check_expires
from otel_taskflow.serialize import ArgumentCodec, CallChecks, identity_of, with_function
from otel_taskflow.values.entropy import new_task_id
from otel_taskflow.values.text import well_formed

if TYPE_CHECKING:
    from otel_taskflow.manager.runtime import Runtime

LONGEST_KEY = 1024
"""Characters of an idempotency key."""

_logger = logging.getLogger("otel_taskflow")
_OURS = frozenset({"tags", "eager", "idempotency_key", "expires"})
_NOT_OUTSIDE = ("eager", "priority", "queue")
"""What a request's ``add_task`` takes, and so no function gets from it."""
_NOT_FOUND_AGAIN = (
    "is a closure, a lambda, a partial, a callable object or a method of one, which no other process finds by its name; "
    "use a function of a module, or register it with @task_manager.task"
)


class Held:
    """A journalled task that has not been started."""

    __slots__ = ("_loop", "_runtime", "is_detached", "task")

    def __init__(
        self, runtime: Runtime, task: LiveTask, is_detached: bool, loop: asyncio.AbstractEventLoop | None
    ) -> None:
        self._runtime = runtime
        self._loop = loop
        self.task = task
        self.is_detached = is_detached

    @property
    def task_id(self) -> str:
        """Id of the task."""
        return self.task.row.task_id

    def start(self, on_first_attempt: Callable[[], None] | None) -> None:
        """Start it; in hermetic tests the callback comes after the last attempt instead of the first."""
        engine = self._runtime.engine
        if on_first_attempt is None:
            engine.start(self.task)  # The request does not wait, and its loop may end with it.
        elif self._runtime.is_hermetic:
            engine.when_done(self.task, on_first_attempt)
            engine.start(self.task, loop=self._loop)
        else:
            engine.start(self.task, on_first_attempt, self._loop)


class Submission:
    """The half of the TaskManager that takes tasks in."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        codec_for: Callable[[Callable[..., object]], ArgumentCodec],
    ) -> None:
        self._registry = registry
        self._codec_for = codec_for
        self._checks = CallChecks()
        self._strict_args = settings.strict_args
        self._detached = settings.detached
        self._disabled = settings.disabled
        self._keys = IdempotencyKeys()
        self._warned: set[str] = set()

    @property
    def is_disabled(self) -> bool:
        """True if tasks are plain background tasks (``OTEL_TASKFLOW_DISABLED=1``)."""
        return self._disabled

    @property
    def runtime(self) -> Runtime:
        """The running half of the manager."""
        raise NotImplementedError

    @property
    def is_hermetic(self) -> bool:
        """True in hermetic tests."""
        raise NotImplementedError

    @property
    def is_in_app(self) -> bool:
        """True if an app was given to the manager."""
        raise NotImplementedError

    def add_task(
        self,
        func: Callable[..., Any],
        /,
        *args: Any,
        tags: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        expires: float | None = None,
        **kwargs: Any,
    ) -> str:
        """Add a task outside a request, from any thread; it starts at once and is durable when this returns.

        If it has not started within ``expires`` seconds (default: the decorator's), it is cancelled and never runs.
        Returns the task's id, or the id of the task that already has this ``idempotency_key``.
        """
        given = {name: kwargs.pop(name) for name in _NOT_OUTSIDE if name in kwargs} if kwargs else {}
        options: dict[str, Any] = {"tags": tags, "idempotency_key": idempotency_key, "expires": expires}
        options = {**given, **{name: value for name, value in options.items() if value is not None}}
        if options:
            self.check_options(options)
        if given.get("eager") is False:
            raise ConfigurationError(
                "add_task(eager=False): outside a request there is no response to wait for: the task starts at once; leave it out"
            )
        if self._disabled:
            run_plainly(func, args, kwargs)
            return new_task_id()
        options["eager"] = True
        definition = self._registry.for_function(func)
        task_id, _ = self._take(definition, (args, kwargs), options, self._callers_loop())
        return task_id

    def submit(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        options: Mapping[str, Any],
        loop: asyncio.AbstractEventLoop | None,
    ) -> tuple[str, HeldTask | None]:
        """Check, journal, and start if it is eager. See ``ManagedBackgroundTasks.add_task``."""
        if options:
            self.check_options(options)
        definition = self._registry.for_function(func)
        # A request does not wait for an eager task: its loop may end first, as under a TestClient without `with`.
        return self._take(definition, (args, dict(kwargs)), options, None if _is_eager(definition, options) else loop)

    @staticmethod
    def check_options(options: Mapping[str, Any]) -> None:
        """Raise ConfigurationError for an option of ``add_task`` that is not there, or a value that cannot be used."""
        refuse_task_parameters({name: value for name, value in options.items() if name not in _OURS}, "add_task")
        eager = options.get("eager")
        if eager is not None and not isinstance(eager, bool):
            raise ConfigurationError(f"add_task(eager={eager!r}) must be True, False or None")
        _check_key(options.get("idempotency_key"))
        check_expires(options.get("expires"), "add_task(expires={})")
        _check_tags(options.get("tags"))

    def _callers_loop(self) -> asyncio.AbstractEventLoop | None:
        """A script's loop is the script's business; with an app the caller may be a request, whose loop may end with it."""
        return None if self.is_in_app else running_loop()

    def _take(
        self,
        definition: TaskDefinition,
        call: tuple[tuple[Any, ...], dict[str, Any]],
        options: Mapping[str, Any],
        loop: asyncio.AbstractEventLoop | None,
    ) -> tuple[str, HeldTask | None]:
        key = options.get("idempotency_key")
        if key is None:
            return self._submit(definition, call, options, loop)
        if definition.function:
            options = {**options, "idempotency_key": (key := f"{definition.function}:{key}")}
        with self._turn(definition.name, key, holds=True) as turn:
            if turn.holder is None:
                return self._submit(definition, call, options, loop, turn=turn)
            return turn.holder, None if turn.held is None else self._share(turn.held, definition, options, loop)

    def _share(
        self,
        task: LiveTask,
        definition: TaskDefinition,
        options: Mapping[str, Any],
        loop: asyncio.AbstractEventLoop | None,
    ) -> HeldTask | None:
        """A task that waits for the response of another request will run if that one fails and this caller does not."""
        runtime = self.runtime
        if runtime.is_hermetic:
            _join_family(runtime, task)
        if not _is_eager(definition, options):
            return Held(runtime, task, definition.config.detached or self._detached, loop)
        runtime.engine.release([task])
        runtime.engine.start(task, loop=loop)
        return None

    def _submit(
        self,
        definition: TaskDefinition,
        call: tuple[tuple[Any, ...], dict[str, Any]],
        options: Mapping[str, Any],
        loop: asyncio.AbstractEventLoop | None,
        *,
        turn: Turn | None = None,
        retry_of: str | None = None,
    ) -> tuple[str, HeldTask | None]:
        eager = _is_eager(definition, options)
        tags, expires = options.get("tags"), options.get("expires")
        runtime = self.runtime
        runtime.check_store(definition.name)
        new = NewTask(
            task_id=new_task_id(),
            definition=definition,
            args=call[0],
            kwargs=call[1],
            kept_args=self._keep(definition, call),
            tags=runtime.parts.sanitizer.tags(tags) if tags else {},
            idempotency_key=options.get("idempotency_key"),
            held=not eager,
            retry_of=retry_of,
            expires=definition.config.expires if expires is None else expires,
        )
        if turn is not None:
            turn.claim(new.task_id)
        task = runtime.engine.add(new)
        if runtime.is_hermetic:
            _join_family(runtime, task)
        if task.row.idempotency_key is not None:
            self._keys.remember(definition.name, task.row.idempotency_key, task)
        if eager:
            runtime.engine.start(task, loop=loop)
            return task.row.task_id, None
        return task.row.task_id, Held(runtime, task, definition.config.detached or self._detached, loop)

    def submit_again(self, task: TaskRow) -> str:
        """Add a finished task's call as a new task that starts at once; returns the new id."""
        if task.args is None:
            raise TaskStateError(
                f"task {task.task_id} cannot be retried: its arguments could not be kept as JSON, or its function cannot be "
                "found by name; annotate the parameters, use a function of a module, or add the task again"
            )
        definition = self._registry.find(identity_of(task))
        call = self._codec_for(definition.func).load(task.args)
        expires = None if task.expires_at is None else (task.expires_at - task.created_at) / SECOND
        key = task.idempotency_key
        options = {"tags": dict(task.tags), "eager": True, "expires": expires, "idempotency_key": key}
        with nullcontext() if key is None else self._turn(definition.name, key) as turn:
            if turn is not None and turn.holder is not None:
                raise TaskStateError(
                    f"task {task.task_id} cannot be retried: task {turn.holder} has its idempotency key {key!r}, and "
                    "is unfinished or has succeeded; look at that one"
                )
            return self._submit(definition, call, options, self._callers_loop(), turn=turn, retry_of=task.task_id)[0]

    def release(self, tasks: Sequence[HeldTask]) -> None:
        """The response of their request is about to leave."""
        self.runtime.engine.release([each.task for each in tasks if isinstance(each, Held)])

    def cancel_held(self, tasks: Sequence[HeldTask], reason: str) -> None:
        """Their request failed."""
        self.runtime.engine.give_up([each.task for each in tasks if isinstance(each, Held)], reason)

    def _keep(self, definition: TaskDefinition, call: tuple[tuple[Any, ...], dict[str, Any]]) -> str | None:
        if not definition.is_recoverable:
            self._checks.check(definition.func, *call)
            self._report_unkept(definition, f"{definition.code_name} {_NOT_FOUND_AGAIN}")
            return None
        codec = self._codec_for(definition.func)
        codec.check(*call)
        kept = codec.dump(*call)
        if kept.text is None:
            self._report_unkept(definition, str(kept.problem))
            return None
        return with_function(kept.text, definition.function)

    def _report_unkept(self, definition: TaskDefinition, problem: str) -> None:
        if self._strict_args:
            raise TaskArgumentError(f"task {definition.name!r}: {problem}")
        if definition.code_name not in self._warned:
            self._warned.add(definition.code_name)
            _logger.warning("otel_taskflow: task %r can be neither recovered nor retried: %s", definition.name, problem)

    def forget_keys(self) -> None:
        """At a start: what this process remembers of idempotency keys is of the store before. In a forked child another thread
        of the parent may have had a turn, which will not end here.
        """
        self._keys = IdempotencyKeys()

    def _turn(self, name: str, key: str, *, holds: bool = False) -> AbstractContextManager[Turn]:
        runtime = self.runtime  # a start forgets the keys of the one before
        return self._keys.turn(name, key, runtime.store.writer, runtime.writer, runtime.claimed_keys, holds=holds)


def _join_family(runtime: Runtime, task: LiveTask) -> None:
    family = current_family()
    if family is not None:
        engine, task_id = runtime.engine, task.row.task_id
        family.add(
            Member(
                task_id,
                is_unfinished=lambda: engine.get(task_id) is not None and task.phase is not Phase.HELD,
                when_done=partial(engine.when_done, task),
            )
        )


def _is_eager(definition: TaskDefinition, options: Mapping[str, Any]) -> bool:
    eager: bool | None = options.get("eager")
    return definition.config.eager if eager is None else eager


def _check_key(key: object) -> None:
    if key is None:
        return
    if not isinstance(key, str) or not key:
        raise ConfigurationError(f"add_task(idempotency_key={key!r}) must be a text that is not empty")
    if len(key) > LONGEST_KEY:
        raise ConfigurationError(
            f"add_task(idempotency_key={key[:20]!r}...) has {len(key):,} characters, of which {LONGEST_KEY:,} are allowed; take a "
            "digest of what it is made of"
        )
    if well_formed(key) is not key:
        raise ConfigurationError(
            f"add_task(idempotency_key={key!r}) has half of a surrogate pair, which no store can keep; take another"
        )


def _check_tags(tags: object) -> None:
    if tags is None:
        return
    if not isinstance(tags, Mapping) or not all(isinstance(each, str) for pair in tags.items() for each in pair):
        raise ConfigurationError(
            f"add_task(tags={tags!r}) must be a dict of texts; turn other keys and values into texts"
        )
