"""The heart of a running attempt: a thread that beats while Blender renders, and ends the process when it must."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from farm.errors import AttemptOvertaken, SagaError, StoreUnavailable
from farm.render.tasks.heartbeat import Beat, Grant, ProcessId, Progress, Pulse

INTERVAL_S = 0.5
"""Between beats; progress shows at this pace too."""
BUSY_CORES = 0.2
"""A process that keeps so much of a core busy is at work. Cycles reports its samples up to half a minute apart (longer
where others use the same cores), so a stall is told by both: no report, and no work either."""


class Heart:
    """Beats for one attempt, from its ``with`` to its end.

    Blender releases Python's global lock while it renders, so the thread runs on beside it. Nothing inside a process
    can stop a render but the end of the process: so when the lease is gone, or the store has been silent for so long
    that nobody may still count on this attempt, ``end`` is called, and it must not return.

    Args:
        ttl_s: how long one beat keeps the lease.
        patience_s: how long the store may be silent.
        end: told why.
    """

    def __init__(
        self,
        pulse: Pulse,
        grant: Grant,
        process: ProcessId,
        *,
        ttl_s: float,
        patience_s: float,
        end: Callable[[str], None],
        interval_s: float = INTERVAL_S,
    ) -> None:
        self.progress = Progress()
        self._pulse = pulse
        self._grant = grant
        self._process = process
        self._ttl_s = ttl_s
        self._patience_s = patience_s
        self._end = end
        self._interval_s = interval_s
        self._stop = threading.Event()
        self._beating = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=f"heart of {grant.name}", daemon=True)

    def __enter__(self) -> Self:
        """The first beat, before any work.

        Raises:
            AttemptOvertaken: when the attempt was overtaken while it waited in the queue.
            StoreUnavailable: when the store does not answer.
        """
        self.check()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """Beat once, here and now.

        Raises:
            AttemptOvertaken: when the lease is gone.
            StoreUnavailable: when the store does not answer.
        """
        if not self._beat():
            raise AttemptOvertaken(view=self._grant.name)

    def confirm(self) -> None:
        """`check` before something is stored, waiting for a silent store: what was rendered is not thrown away for it.

        Not for ever: the heart ends the process when its patience is spent.

        Raises:
            AttemptOvertaken: when the lease is gone.
        """
        while True:
            try:
                return self.check()
            except StoreUnavailable:
                time.sleep(self._interval_s)

    def _beat(self) -> bool:
        progress = self.progress
        beat = Beat(process=self._process, fraction=progress.fraction, ticks=progress.ticks, phase=progress.phase)
        with self._beating:  # one connection, two threads
            return self._pulse.beat(self._grant, beat, ttl_s=self._ttl_s)

    def _run(self) -> None:
        answered_s = looked_s = time.monotonic()
        worked_s = time.process_time()
        while not self._stop.wait(self._interval_s):
            now_s, cpu_s = time.monotonic(), time.process_time()
            if cpu_s - worked_s > BUSY_CORES * (now_s - looked_s):
                self.progress.ticks += 1
            looked_s, worked_s = now_s, cpu_s
            try:
                held = self._beat()
            except StoreUnavailable:
                if time.monotonic() - answered_s > self._patience_s and not self._stop.is_set():
                    self._end(f"the store did not answer for {self._patience_s:g} s")
                continue
            except SagaError as error:
                self._end(f"its heartbeat is refused: {error.reason}")
                return
            answered_s = time.monotonic()
            if not held and not self._stop.is_set():
                self._end("its lease is gone: it was cancelled, or another attempt has taken its place")
