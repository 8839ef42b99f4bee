"""What processes that are gone have left: their journals are replayed, their tasks settled or run on."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from otel_taskflow.consumers.observer_replays import ObserverReplay, ObserverReplays
from otel_taskflow.consumers.observers import ObserverConsumer, ObserverOffsets
from otel_taskflow.consumers.replay import (
    check_written,
    forget,
    missing,
    replay_lines,
    replay_states,
    replay_to,
    written,
)
from otel_taskflow.consumers.slices import Decoder
from otel_taskflow.engine.recovery import Recovery
from otel_taskflow.engine.relay import rest_of
from otel_taskflow.errors import SpoolError
from otel_taskflow.health import OK, PartHealth
from otel_taskflow.journal.folder import Orphan, all_journals, employer_of, is_in_namespace, is_neighbour, orphans
from otel_taskflow.journal.left import left_journals, place_of_mark, unmark_left
from otel_taskflow.ports import JournalHeader, StoreWriter

if TYPE_CHECKING:
    from otel_taskflow.consumers.outbox import Outbox
    from otel_taskflow.manager.recovered import RecoveredSpans

_logger = logging.getLogger("otel_taskflow")

PERIOD = 0.5
"""Seconds between two looks for the dead; a dead process is noticed within that time."""
LOG_EVERY = 5.0
"""Seconds between two words about a takeover that goes on."""
MOST = 16
"""Journals that are written at once; others wait, or another process takes them."""


class TakeoverProgress(NamedTuple):
    """How far the takeover of one journal is. Every step reads all that is to be read for it, from ``done`` to ``total``."""

    journal_id: str
    done: int
    """Sequence number of the last event that this step is done with."""
    total: int
    """That of the journal's last event."""
    step: str
    """``states``, ``lines`` or ``observer:NAME``, in this order."""


class _Job:
    """One journal of a dead process while it is taken over."""

    def __init__(self, orphan: Orphan) -> None:
        self.orphan = orphan
        self.next_word = monotonic() + LOG_EVERY
        self.steps: Iterator[None] = iter(())
        self.replays: Sequence[ObserverReplay] = ()
        """What observers are told of it, beside the steps."""
        self._progress = TakeoverProgress(orphan.journal_id, 0, orphan.end, "states")

    @property
    def progress(self) -> TakeoverProgress:
        """How far it is; where observers are told, how far the last of them."""
        telling = [replay for replay in self.replays if not replay.is_over]
        if not telling:
            return self._progress
        last = min(telling, key=lambda replay: replay.done)
        return self._progress._replace(step=last.name, done=last.done)

    @property
    def is_telling(self) -> bool:
        """Whether an observer still reads it, and it has to stay."""
        return any(not replay.is_over for replay in self.replays)

    @property
    def urgency(self) -> tuple[bool, int]:
        """Smaller is more urgent: first what decides about tasks, then what is over soonest."""
        return self._progress.step != "states", self._progress.total - self._progress.done

    def follow(self, step: str, replayed: Iterator[int]) -> Iterator[None]:
        """Go through a step, piece by piece."""
        self._progress = self._progress._replace(step=step, done=0)
        for done in replayed:
            self._progress = self._progress._replace(done=done)
            yield

    def speak(self) -> None:
        """Say now and then how far it is."""
        if monotonic() >= self.next_word:
            self.next_word = monotonic() + LOG_EVERY
            journal_id, done, total, step = self.progress
            _logger.info("otel_taskflow: taking over process %s: %d of %d events (%s)", journal_id, done, total, step)


class Takeover:
    """Looks for the dead in one folder, on a thread of its own.

    Several journals are taken over piece by piece, so that a long one holds up no other. A task waits for the store, and
    for no observer.
    """

    def __init__(
        self,
        root: Path,
        own: JournalHeader,
        store: StoreWriter,
        recovery: Recovery,
        *,
        decoder: Decoder,
        quarantined: Counter[str],
        observers: Sequence[ObserverConsumer],
        offsets: ObserverOffsets,
        outbox: Outbox | None = None,
        recovered: RecoveredSpans | None = None,
    ) -> None:
        self._root = root
        self._own = own
        self._store = store
        self._recovery = recovery
        self._decoder = decoder
        self._quarantined = quarantined
        self._woken = threading.Event()
        """Set when there may be something to do."""
        self._replays = ObserverReplays(observers, decoder, self._woken.set)
        self._offsets = offsets
        self._outbox = outbox
        self._recovered = recovered
        self._reported: set[str] = set()
        self._unaccounted: set[str] = set()
        self._torn: dict[str, int] = {}
        self._missing: dict[str, int] = {}
        self._jobs: list[_Job] = []
        self._next_look = 0.0
        self._stopped = threading.Event()
        self._has_ended = threading.Event()
        """Set when it will not touch the store any more."""
        self._thread = threading.Thread(target=self._work, name="otel_taskflow-takeover", daemon=True)

    def start(self) -> None:
        """Begin; the first look is at once."""
        self._thread.start()

    @property
    def torn(self) -> int:
        """Records of dead journals that were damaged or missing."""
        return sum(self._torn.values())

    @property
    def missing(self) -> int:
        """Events of dead processes that the store had and has lost."""
        return sum(self._missing.values())

    def stop(self) -> None:
        """End as soon as may be; another process will go on with what is not finished. Idempotent."""
        self._stopped.set()
        self._replays.stop()
        self._woken.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._has_ended.wait(5.0)

    def progress(self) -> Sequence[TakeoverProgress]:
        """How far the takeovers are that go on."""
        return [job.progress for job in list(self._jobs)]

    def health(self) -> PartHealth:
        """How far the takeovers are that go on: none is a reason to worry."""
        jobs = self.progress()
        done, total = sum(job.done for job in jobs), sum(job.total for job in jobs)
        figures = {"journals": len(jobs), "done": done, "total": total, "torn": self.torn}
        why = f"takes over what {len(jobs)} ended process(es) left: {done} of {total} events" if jobs else ""
        return PartHealth("takeover", OK, why, figures=figures)

    def _work(self) -> None:
        while not self._stopped.is_set():
            if monotonic() >= self._next_look:
                self._next_look = monotonic() + PERIOD
                self._look()
            if ready := self._ready:
                self._advance(min(ready, key=lambda job: job.urgency))
            else:
                self._rest()
        self._replays.stop()
        self._has_ended.set()
        for job in list(self._jobs):
            for replay in job.replays:
                replay.wait()
            self._close(job)

    @property
    def _ready(self) -> list[_Job]:
        """What can go on now."""
        return [job for job in self._jobs if not job.is_telling]

    def _rest(self) -> None:
        """Wait for the next look, or for an observer that has been told all."""
        for job in self._jobs:
            job.speak()
        self._woken.wait(max(0.0, self._next_look - monotonic()))
        self._woken.clear()

    # Who is dead

    def _look(self) -> None:
        try:
            for orphan in orphans(self._root, self._own.namespace, self._report):
                self._begin(orphan)
                if len(self._ready) >= MOST:
                    break
            self._take_over_leftovers()
        except Exception as error:  # noqa: BLE001 - the thread goes on, and will look again
            self._report_once("", "otel_taskflow: looking for ended processes failed, will try again: %s", error)

    def _begin(self, orphan: Orphan) -> None:
        if employer_of(orphan.journal_id) is not None:
            self._recovery.adopt_lines(rest_of(orphan.folder, orphan.reader))
            orphan.remove()
            return
        job = _Job(orphan)
        job.steps = self._take_over(job)
        self._jobs.append(job)

    def _take_over_leftovers(self) -> None:
        """Tasks of processes that ended in good order and left some for the next: there is no journal of theirs any more.

        Only of those that are known to have ended. The others may live, though their ids name this folder: in a copy of it,
        and their journals are not to be seen from here.
        """
        own = self._own
        owners = [owner for owner in self._store.owners() if is_in_namespace(owner, own.namespace)]
        strangers = {owner for owner in owners if owner != own.journal_id}
        gone = strangers.difference(all_journals(self._root)) if strangers else strangers
        left = left_journals(self._root) if gone else gone
        for owner in gone & left:
            self._recovery.take_over(owner, own.journal_id)
            self._recovery.forget(owner)
            unmark_left(self._root, owner)
        self._report_unaccounted({owner for owner in gone - left if is_neighbour(owner, own.journal_id)})

    def _report_unaccounted(self, owners: set[str]) -> None:
        """Those that were so at the last look, too: one that has just ended is no case for people."""
        for owner in owners & self._unaccounted:
            self._report_once(
                owner,
                "otel_taskflow: tasks of process %s are left alone: its journal is not in the folder %s, so it may run in "
                "a copy of that; if it has ended, make the empty file %s, and they are taken over",
                owner,
                self._root,
                place_of_mark(self._root, owner),
            )
        self._unaccounted = owners

    # One journal

    def _advance(self, job: _Job) -> None:
        """Do the next piece. A journal that cannot be taken over is left as it is for a later look, and holds up no other."""
        try:
            next(job.steps)
            job.speak()
        except StopIteration:
            self._close(job)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one journal, the others have nothing to do with it
            self._report(job.orphan.journal_id, error)
            job.steps = iter(())  # it is closed when no observer reads it any more

    def _take_over(self, job: _Job) -> Iterator[None]:
        """The steps. What is half done may be done again.

        An attempt that was running ends when all its lines are written, so that nothing comes after its end. Observers are told
        beside that, each in this order too, and the journal stays until they have been.
        """
        orphan, journal_id, own_id = job.orphan, job.orphan.journal_id, self._own.journal_id
        self._count_missing(orphan)
        yield from job.follow("states", replay_states(orphan, self._store, self._decoder, self._quarantined))
        states = written(orphan, self._store)
        self._replays.expect(journal_id)
        self._recovery.take_over(journal_id, own_id, idle_only=True)
        yield from job.follow("lines", replay_lines(orphan, self._store, self._decoder, self._quarantined))
        is_exported = yield from self._fill_outbox(job)
        self._count_torn(orphan)
        if self._recovered is not None:
            self._recovered.take(orphan.header)
        job.replays = self._replays.begin(orphan)
        self._recovery.take_over(journal_id, own_id)
        check_written(orphan, self._store, states)
        yield  # it goes on when no observer reads the journal any more
        _check_told(job.replays)
        if not is_exported:
            return
        # The files first: a journal whose offset is forgotten would be replayed from its beginning.
        orphan.remove()
        unmark_left(self._root, journal_id)
        forget(orphan, self._store)
        self._recovery.forget(journal_id)
        self._offsets.forget(journal_id)
        if self._outbox is not None:
            self._outbox.forget(journal_id)

    def _count_missing(self, orphan: Orphan) -> None:
        """SQLite does not tell of a write-ahead log that was cut off: the journal shows that something is missing."""
        count = missing(orphan, self._store)
        if count and orphan.journal_id not in self._missing:
            self._missing[orphan.journal_id] = count
            _logger.warning(
                "otel_taskflow: the store has lost %d event(s) of process %s, whose journal does not have them any more",
                count,
                orphan.journal_id,
            )

    def _count_torn(self, orphan: Orphan) -> None:
        if orphan.reader.torn and orphan.journal_id not in self._torn:
            self._torn[orphan.journal_id] = orphan.reader.torn
            _logger.warning(
                "otel_taskflow: %d record(s) of process %s are damaged", orphan.reader.torn, orphan.journal_id
            )

    def _fill_outbox(self, job: _Job) -> Generator[None, None, bool]:
        """What is to be exported, before the ends of attempts are. A spool that is not to be had holds up no task: the
        journal stays for a later look."""
        if self._outbox is None:
            return True
        try:
            yield from job.follow(self._outbox.name, replay_to(self._outbox, job.orphan, self._decoder))
        except SpoolError as error:
            self._report(job.orphan.journal_id, error)
            return False
        return True

    def _close(self, job: _Job) -> None:
        self._jobs.remove(job)
        self._replays.settle(job.orphan.journal_id)
        job.orphan.close()

    def _report(self, journal_id: str, error: Exception) -> None:
        self._report_once(journal_id, "otel_taskflow: what process %s left is not taken over: %s", journal_id, error)

    def _report_once(self, about: str, message: str, *values: object) -> None:
        if about not in self._reported:
            self._reported.add(about)
            _logger.warning(message, *values)


def _check_told(replays: Sequence[ObserverReplay]) -> None:
    """Raise what broke one of them off, if anything did."""
    for replay in replays:
        if replay.error is not None:
            raise replay.error
