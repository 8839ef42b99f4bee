"""``TaskManager``: what a user makes once per app."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from otel_taskflow.engine.asyncio_tasks import running_loop
from otel_taskflow.errors import ConfigurationError, ManagerClosedError
from otel_taskflow.health import HealthReport
from otel_taskflow.manager import running, verbs, vitals
from otel_taskflow.manager.compatibility import with_missing_names
from otel_taskflow.manager.drafting import blueprint_for
from otel_taskflow.manager.durations import seconds
from otel_taskflow.manager.in_app import InApp
from otel_taskflow.manager.lifespan import Lifespan
from otel_taskflow.manager.parameters import given_once, split_settings, task_config
from otel_taskflow.manager.readers import Readers
from otel_taskflow.manager.settings import Settings
from otel_taskflow.manager.token import access_token
from otel_taskflow.manager.watching import HealthWatch
from otel_taskflow.model import TaskConfig, TaskRow
from otel_taskflow.observers import TaskObserver, check_observers
from otel_taskflow.ports import Store, StoreReader
from otel_taskflow.registry import Registry
from otel_taskflow.telemetry import quiet

if TYPE_CHECKING:
    from otel_taskflow.manager.runtime import Runtime
    from otel_taskflow.telemetry.recovered import SpanExporter

F = TypeVar("F", bound=Callable[..., Any])


@with_missing_names
class TaskManager(InApp):
    """Background tasks that can be seen.

    ``TaskManager()`` keeps everything in a SQLite file under ``.otel_taskflow/``. Making one does nothing yet: folder, journal
    and threads come with the app's start-up or the first ``add_task``.

    Args:
        store: Where tasks are kept: a path, a ``sqlite:///`` URL, ``"memory"`` or an object with the Store protocol.
        observers: Called with every log line and change of state, each on a thread of its own.
        tracer_provider: OpenTelemetry providers; default: the global ones, looked up late.
        meter_provider: As above.
        logger_provider: As above.
        recovery_exporter: Where the app's provider exports the spans of tasks: exports those of attempts whose process died.
        redact: Further redaction rules; see ``docs/reference/settings.md``.
        **settings: Any field of ``Settings``, or a parameter of fastapi-taskflow.

    Raises ConfigurationError (UnsupportedParameterError for what this release does not have).
    """

    def __init__(
        self,
        *,
        store: str | os.PathLike[str] | Store | None = None,
        observers: Sequence[TaskObserver] | None = None,
        tracer_provider: Any = None,
        meter_provider: Any = None,
        logger_provider: Any = None,
        recovery_exporter: SpanExporter | None = None,
        redact: Any = None,
        **settings: Any,
    ) -> None:
        own, mapped = split_settings(settings)
        store = given_once("store", store, mapped.pop("store", None))
        observers = given_once("observers", observers, mapped.pop("observers", None), default=())
        check_observers(observers)
        observers = [*observers]
        if (log_file := mapped.pop("log_file", None)) is not None:
            observers.append(log_file)
        self.settings = Settings.load({**own, "store": store})
        self.registry = Registry()
        self._blueprint = blueprint_for(
            self.settings,
            self.registry,
            observers,
            providers=(tracer_provider, meter_provider, logger_provider),
            redact=redact,
            recovery_exporter=recovery_exporter,
        )
        self._lifespan = Lifespan(self)
        super().__init__(self.settings, self.registry, self._blueprint.codec_for, self._lifespan)
        self._runtime: Runtime | None = None
        self._starting = threading.RLock()
        self._stopping = threading.Lock()
        self._closed = False
        self._watch = HealthWatch(self.health)
        self._readers = Readers()

    @property
    def name(self) -> str:
        """The name that tells this manager from others in the process."""
        return self.settings.name

    # Registering

    @overload
    def task(self, func: F, /, **options: Any) -> F: ...

    @overload
    def task(
        self,
        func: None = None,
        /,
        *,
        retries: int = 0,
        delay: float = 0.0,
        backoff: float = 1.0,
        max_delay: float | None = None,
        jitter: float = 0.0,
        retry_on: type[BaseException] | tuple[type[BaseException], ...] = Exception,
        timeout: float | None = None,
        name: str | None = None,
        requeue_on_interrupt: bool = False,
        eager: bool = False,
        detached: bool = False,
        executor: str | None = None,
        expires: float | None = None,
        **reference: Any,
    ) -> Callable[[F], F]: ...

    def task(self, func: Any = None, /, **options: Any) -> Any:
        """Register a function as a task; it is returned unchanged. With or without parentheses.

        Args:
            func: The function, when used without parentheses or called as ``task(function, retries=3)``.
            retries: Attempts after the first.
            delay: Seconds before retry 1.
            backoff: Factor for each further retry: ``delay * backoff ** (n - 1)`` seconds before retry n.
            max_delay: Upper bound of a wait, in seconds.
            jitter: Share of each wait, 0 to 1, drawn at random.
            retry_on: Exception type, or a tuple of them, that is retried; others fail the task at once.
            timeout: Seconds an attempt may take. A sync attempt's thread cannot be stopped: its slot and its retry
                wait until it ends.
            name: Registry name; default: the function's ``__name__``.
            requeue_on_interrupt: Run again when the process died while it ran.
            eager: Start at add_task, before the response.
            detached: The request does not wait for the first attempt.
            executor: ``async`` or ``thread``, by default by the kind of function; ``process``: a plain function runs in a worker
                process, which ``timeout=`` and a cancel end.
            expires: Seconds from ``add_task`` in which the first attempt must start; else the task is cancelled.

        Raises ConfigurationError for a value out of range, a class, a generator function, or a taken name.
        """
        config = task_config(options)
        if func is not None:
            return self._register(func, config)
        return lambda function: self._register(function, config)

    def _register(self, func: F, config: TaskConfig) -> F:
        self.registry.register(func, config)
        return func

    # Starting and stopping

    @property
    def runtime(self) -> Runtime:
        """The running half; started at the first use, and again in a forked child."""
        return self._own_runtime or self._start_lazily()

    @property
    def _own_runtime(self) -> Runtime | None:
        """None before the start, after the end, and in a forked child, whose parent's it is."""
        runtime = self._runtime
        return runtime if runtime is not None and runtime.origin.is_here else None

    def _start_lazily(self) -> Runtime:
        from otel_taskflow.engine.worker import is_worker

        if is_worker():
            raise ConfigurationError(
                f"the task manager {self.name!r} adds no task in a worker process (executor='process'): what it ran would end with "
                "the worker, at the timeout of another task; add it from the app, or from a task in a thread or on the loop"
            )
        runtime = self._start()
        if not runtime.is_hermetic:
            self._lifespan.missed()
        return runtime

    def _start(self) -> Runtime:
        if self.settings.disabled:
            raise ConfigurationError(
                f"the task manager {self.name!r} is disabled, so it keeps no tasks to look at, cancel or retry; "
                "leave out disabled=True or OTEL_TASKFLOW_DISABLED"
            )
        with self._starting:
            if self._closed:
                raise ManagerClosedError(
                    f"the task manager {self.name!r} has been shut down; start the app again before adding tasks"
                )
            if self._runtime is not None and not self._runtime.origin.is_here:
                self._runtime.abandon()
                self._runtime = None
            if self._runtime is None:
                from otel_taskflow.manager.runtime import start_runtime

                self._readers.clear()
                self._runtime = start_runtime(self._blueprint, self._lifespan.app_loop)
                self.forget_keys()
                self._watch.start()
                self._lifespan.started_lazily(self._runtime.loops)
                running.add(self)
            return self._runtime

    def start(self) -> None:
        """Start now instead of at the first ``add_task``. Idempotent. Raises StoreError, JournalError."""
        if not self.settings.disabled:
            self._closed = False
            _ = self._own_runtime or self._start()

    def stop(self, grace: float | None = None) -> None:
        """Give running tasks ``grace`` seconds (default ``shutdown_grace``), write everything, end. Idempotent.

        Not on an event loop on which tasks run (there, ``await task_manager.shutdown()``): raises ConfigurationError.
        """
        patience = self._grace(grace)
        self._lifespan.announce_stop()
        with self._stopping:
            runtime = self._own_runtime
            if runtime is None:
                return
            self._watch.stop()
            try:
                # Still ours while it stops: what running tasks add goes to it, and into its journal.
                runtime.stop(patience)
            finally:
                self._runtime = None
                self._readers.close()
                running.discard(self)

    def _grace(self, given: float | None) -> float:
        loop, runtime = running_loop(), self._own_runtime
        if loop is not None and runtime is not None and runtime.engine.runs_on(loop):
            raise ConfigurationError(
                "stop() and close() would block the event loop that tasks run on, and wait for them in vain; use "
                "`await task_manager.shutdown()` or `await asyncio.to_thread(task_manager.stop)` here"
            )
        return seconds("grace={}", self.settings.shutdown_grace if given is None else given)

    def hurry(self) -> None:
        """Cut the grace short, if one has begun. Safe in a signal handler."""
        runtime = self._own_runtime
        if runtime is not None:
            runtime.engine.hurry()

    def close(self, grace: float | None = None) -> None:
        """Stop, and let ``add_task`` raise ManagerClosedError until the app or ``start`` starts again."""
        grace = self._grace(grace)
        self._closed = not self.is_hermetic
        if self._closed:
            running.add_closed(self)
        self.stop(grace)

    def reopen(self) -> None:
        """Take ``close`` back: it starts again at its next use."""
        self._closed = False

    @property
    def is_started(self) -> bool:
        """True between start and stop; in a forked child, once it has started itself."""
        return self._own_runtime is not None

    # Health

    def health(self) -> HealthReport:
        """How journal, store, consumers, spool, destinations and observers are; see ``docs/how-to/watch-health.md``.

        Never raises, and starts nothing. Its ``state`` is that of the worst part; telemetry makes it "degraded" at most.
        """
        return vitals.health_of(self._own_runtime, is_disabled=self.is_disabled)

    @property
    def is_ready(self) -> bool:
        """True while it is started, does not begin to stop, and its store can be reached. Waits for nothing."""
        runtime = self._own_runtime
        return runtime is not None and runtime.is_ready and not self._lifespan.is_stopping

    def on_health(self, callback: Callable[[HealthReport], None]) -> Callable[[], None]:
        """Call back with a report once a second, from a thread, while it is started. Returns what takes that back."""
        return self._watch.on_look(callback)

    # Verbs and views

    def reader(self) -> StoreReader:
        """The store's reader for the running event loop."""
        return self._readers.here(self.runtime.store.reader)

    async def level(self, timeout: float = 0.25) -> int:
        """Wait until readers see all that this host's processes have acknowledged; return how many events are missing."""
        if self.settings.disabled:
            return 0
        runtime = self.runtime
        with quiet():
            limit = seconds("level({})", timeout)
            return await runtime.level(self.reader(), limit)

    async def cancel(self, task_id: str, actor: str = "anonymous") -> TaskRow:
        """Cancel a pending, running or waiting task, in whatever process. Raises TaskNotFoundError, TaskStateError."""
        return await verbs.cancel(self, task_id, actor)

    async def retry(self, task_id: str, actor: str = "anonymous") -> TaskRow:
        """Run a finished task again as a new task. Raises TaskNotFoundError, TaskStateError, TaskNotRegisteredError."""
        return await verbs.retry(self, task_id, actor)

    @property
    def dropped(self) -> Mapping[str, int]:
        """Events that this process has lost since its start, by reason; see ``docs/reference/http-api.md``. Empty if none."""
        runtime = self._own_runtime
        return {} if runtime is None else runtime.dropped

    def drain(self, timeout: float | None = 30.0) -> bool:
        """Wait until all tasks of this process have ended and store and observers have seen everything.

        For scripts and tests; not on an event loop (there, ``await adrain()``). False when ``timeout`` seconds passed first; None
        waits as long as it takes. A disabled manager knows no tasks: True at once.
        """
        if running_loop() is not None:
            raise ConfigurationError("drain() would block the event loop; use `await task_manager.adrain()` here")
        return self._drain(timeout)

    async def adrain(self, timeout: float | None = 30.0) -> bool:
        """As ``drain``, without blocking the loop."""
        return await asyncio.to_thread(self._drain, timeout)

    def _drain(self, timeout: float | None) -> bool:
        limit = threading.TIMEOUT_MAX if timeout is None else seconds("drain({})", timeout)
        runtime = self._own_runtime
        return runtime is None or runtime.drain(limit)

    def force_flush(self, timeout: float = 5.0) -> bool:
        """Send everything that tasks have said so far to the destinations of OTLPExporters, in ``timeout`` seconds.

        False if some of it was not delivered: time was too short, a destination failed, or something was lost. What was not
        delivered waits on disk; where tasks are kept in memory, it waits there and is lost with the process. True if there is
        no exporter. Not on an event loop.
        """
        if running_loop() is not None:
            raise ConfigurationError(
                "force_flush() would block the event loop; use `await asyncio.to_thread(task_manager.force_flush)` here"
            )
        limit, runtime = seconds("force_flush({})", timeout), self._own_runtime
        return runtime is None or runtime.flush_exports(limit)

    @property
    def trusted_client(self) -> bool:
        """True in hermetic tests, where the test client needs no token."""
        return self.is_hermetic

    @property
    def is_hermetic(self) -> bool:
        """True if it runs, or would start now, as in hermetic tests."""
        runtime = self._own_runtime
        return runtime.is_hermetic if runtime is not None else bool(self.settings.at_start().testing)

    @property
    def kept_in(self) -> str:
        """Where tasks are kept, for people: the folder, absolute, or the store and the folder of its journals."""
        return self.runtime.kept_in

    def access_token(self) -> str:
        """The dashboard's access token: made once, kept 0600 beside the store."""
        return access_token(self.runtime.root)

    def redacted(self, value: Any) -> Any:
        """A JSON value for people to see: what the redaction rules find in it is replaced."""
        return self._blueprint.sanitizer.redaction.value(value)
