"""Which task has an idempotency key: this process knows its own, the store the older ones, claims those just added elsewhere."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from otel_taskflow.engine.live import LiveTask
from otel_taskflow.errors import JournalError, StoreUnavailableError
from otel_taskflow.journal.claimed_keys import ClaimedKey, ClaimedKeys
from otel_taskflow.journal.writer import JournalWriter
from otel_taskflow.model import TaskStatus
from otel_taskflow.ports import Store, StoreWriter

_HOLDING = frozenset({TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.SUCCESS})
_logger = logging.getLogger("otel_taskflow")


class Turn:
    """Somebody asks for a key, and nobody else can meanwhile. ``holder`` is the id of the task that has it, if there is one.

    ``held`` is that task, if the response of another request decides what becomes of it and now that of this one does too.
    """

    def __init__(self, holder: str | None, claimed: ClaimedKey | None = None, held: LiveTask | None = None) -> None:
        self.holder = holder
        self.held = held
        self._claimed = claimed

    def claim(self, task_id: str) -> None:
        """A task that is about to be added has the key."""
        if self._claimed is not None:
            with suppress(OSError):  # Without room on the disk it still holds here at once, and elsewhere soon.
                self._claimed.claim(task_id)


class IdempotencyKeys:
    """Makes looking a key up and adding its task one step, for all processes of a folder."""

    def __init__(self) -> None:
        self._recent = RecentKeys()
        self._was_warned = False

    def remember(self, name: str, key: str, task: LiveTask) -> None:
        """This task has the key now."""
        self._recent.remember(name, key, task)

    @contextmanager
    def turn(
        self,
        name: str,
        key: str,
        store: StoreWriter,
        journal: JournalWriter,
        claims: ClaimedKeys | None,
        *,
        holds: bool = False,
    ) -> Iterator[Turn]:
        """Whoever asks for the key next sees what was added within. Raises StoreUnavailableError if nobody can say who has it.

        ``holds``: a task of this process that is held already is held by the caller too.
        """
        with self._recent.lock:
            held = self._recent.hold(name, key) if holds else None
            if (known := self._recent.find(name, key)) is not None:
                yield Turn(known.row.task_id, held=held)
                return
            with ExitStack() as ending:
                claimed = self._claimed(ending, name, key, claims)
                turn = Turn(self._holder_elsewhere(store, name, key, claimed), claimed)
                try:
                    yield turn
                except BaseException:
                    if claimed is not None:
                        claimed.withdraw()
                    raise
                if claimed is not None:
                    claimed.keep(journal.end)

    def _claimed(self, ending: ExitStack, name: str, key: str, claims: ClaimedKeys | None) -> ClaimedKey | None:
        """None where there are no other processes, or no files to tell them by."""
        if claims is None:
            return None
        try:
            return ending.enter_context(claims.turn(name, key))
        except JournalError as error:
            raise StoreUnavailableError(f"add_task(idempotency_key={key!r}): {error}; add it again later") from error
        except OSError as error:
            if not (self._was_warned or claims.is_closed):
                self._was_warned = True
                _logger.warning("otel_taskflow: other processes learn of an idempotency key late: %s", error)
            return None

    def _holder_elsewhere(self, store: StoreWriter, name: str, key: str, claimed: ClaimedKey | None) -> str | None:
        """By the claims, then by the store: whoever claimed the key last knew what the store is still to learn."""
        try:
            claim = None if claimed is None else claimed.last_claim()
            if claim is not None and not self._recent.is_over(claim.task_id):
                task = store.load_tasks([claim.task_id]).get(claim.task_id)
                if task is None or task.status in _HOLDING:
                    return claim.task_id
            known = store.find_idempotent(name, key)
        except Exception as error:
            raise StoreUnavailableError(
                f"add_task(idempotency_key={key!r}): the store cannot say whether task {name!r} was added before: {error}; add "
                "it again when the store is back, or without a key"
            ) from error
        return None if known is None or self._recent.is_over(known) else known


def claims_for(
    root: Path | None, journal: JournalWriter, store: Store, stored: Callable[[], int]
) -> ClaimedKeys | None:
    """The claims of a process in the folder ``root``; None where there is no folder that others could see."""
    return None if root is None else ClaimedKeys(root, journal.id, store.location, stored)


class RecentKeys:
    """The last keys of this process and their tasks, bounded; a key is free again when its task did not succeed.

    ``lock`` makes looking up and adding one step.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self.lock = threading.RLock()
        self._limit = limit
        self._tasks: OrderedDict[tuple[str, str], LiveTask] = OrderedDict()
        self._over: OrderedDict[str, None] = OrderedDict()
        """Ids of tasks that gave their keys back. The store, which is behind, may call each of them unfinished."""

    def remember(self, name: str, key: str, task: LiveTask) -> None:
        """This task has the key now."""
        self._tasks[name, key] = task
        if len(self._tasks) > self._limit:
            self.find(*next(iter(self._tasks)))  # which remembers of one that gave its key back that it did
        if len(self._tasks) > self._limit:
            self._tasks.popitem(last=False)

    def find(self, name: str, key: str) -> LiveTask | None:
        """The task that has the key: unfinished, or succeeded."""
        task = self._tasks.get((name, key))
        if task is None or task.final_status in (None, TaskStatus.SUCCESS):
            return task
        del self._tasks[name, key]
        self._over[task.row.task_id] = None
        if len(self._over) > self._limit:
            self._over.popitem(last=False)
        return None

    def hold(self, name: str, key: str) -> LiveTask | None:
        """The task that had the key last, if it is held: it has the key until all who hold it have given it up."""
        task = self._tasks.get((name, key))
        return task if task is not None and task.hold() else None

    def is_over(self, task_id: str) -> bool:
        """Whether this process has seen that the task ended without success."""
        return task_id in self._over
