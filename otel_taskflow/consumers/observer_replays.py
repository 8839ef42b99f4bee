"""What dead processes had not told the observers: told on a thread for each, so that a slow one holds up no task and no other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue

from otel_taskflow.consumers.observers import ObserverConsumer
from otel_taskflow.consumers.replay import replay_to
from otel_taskflow.consumers.slices import Decoder
from otel_taskflow.errors import JournalError
from otel_taskflow.journal.folder import Orphan


class ObserverReplay:
    """One journal on its way to one observer."""

    def __init__(self, observer: ObserverConsumer, orphan: Orphan, steps: Iterator[int]) -> None:
        self.name = observer.name
        self.done = 0
        """Sequence number of the last event that the observer was offered."""
        self.error: Exception | None = None
        """What broke it off."""
        self._observer = observer
        self._journal_id = orphan.journal_id
        self._steps = steps
        self._over = threading.Event()

    @property
    def is_over(self) -> bool:
        """Whether it reads the journal no more, having told all or being broken off."""
        return self._over.is_set()

    def wait(self) -> None:
        """Block until it is over."""
        self._over.wait()

    def run(self) -> None:
        """Tell all of it. Never raises."""
        try:
            for done in self._steps:
                self.done = done
        except Exception as error:  # noqa: BLE001 - whoever waits for this replay is told
            self.error = error
        finally:
            self._observer.precedence.settle(self._journal_id)
            self._over.set()


class ObserverReplays:
    """Tells observers the journals of dead processes, one after the other.

    Args:
        on_over: Called when one observer is through with one journal, on its thread.
    """

    def __init__(self, observers: Sequence[ObserverConsumer], decoder: Decoder, on_over: Callable[[], None]) -> None:
        self._observers = [observer for observer in observers if observer.wants_replay]
        self._decoder = decoder
        self._on_over = on_over
        self._queues: dict[str, SimpleQueue[ObserverReplay | None]] = {}
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        """Between looking whether it is stopped and queueing."""

    def expect(self, journal_id: str) -> None:
        """That journal will be told: what its own process says of those tasks from now on, an observer is told afterwards."""
        for observer in self._observers:
            observer.precedence.expect(journal_id)

    def settle(self, journal_id: str) -> None:
        """It is told no more. What was broken off comes again."""
        for observer in self._observers:
            observer.precedence.settle(journal_id)

    def begin(self, orphan: Orphan) -> Sequence[ObserverReplay]:
        """Have every observer told that wants it. After ``expect``."""
        replays = [ObserverReplay(each, orphan, self._steps(each, orphan)) for each in self._observers]
        with self._lock:
            is_stopped = self._stopped.is_set()
            if not is_stopped:
                for replay in replays:
                    self._queue_of(replay.name).put(replay)
        if is_stopped:
            for replay in replays:
                replay.run()  # which is broken off before it begins
        return replays

    def stop(self) -> None:
        """Break off, without waiting for a call that goes on; the next process will tell the rest. Idempotent."""
        with self._lock:
            self._stopped.set()
            for queue in self._queues.values():
                queue.put(None)
        for observer in self._observers:
            observer.precedence.end()

    def _steps(self, observer: ObserverConsumer, orphan: Orphan) -> Iterator[int]:
        """Raises JournalError when stopped."""
        told = replay_to(observer, orphan, self._decoder)
        while not self._stopped.is_set():
            done = next(told, None)
            if done is None:
                return
            yield done
        raise JournalError(f"{observer.name} is told the rest of the journal {orphan.journal_id} by the next process")

    def _queue_of(self, name: str) -> SimpleQueue[ObserverReplay | None]:
        if name not in self._queues:
            queue = self._queues[name] = SimpleQueue()
            thread = threading.Thread(target=self._work, args=(queue,), daemon=True)
            thread.name = f"otel_taskflow-replay-{name}"
            thread.start()
        return self._queues[name]

    def _work(self, queue: SimpleQueue[ObserverReplay | None]) -> None:
        while (replay := queue.get()) is not None:
            replay.run()
            self._on_over()


__all__ = ["ObserverReplay", "ObserverReplays"]
