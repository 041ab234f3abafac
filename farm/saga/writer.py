"""The writer: the one pen of a drive. Serialises its appends and outlasts an outage of the store."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from random import Random

from farm.concurrency import stop_all
from farm.errors import FailpointReached, Fenced, InfrastructureError
from farm.saga.clock import Clock, sleep
from farm.saga.failpoint import Failpoints
from farm.saga.fold import fold
from farm.saga.journal import Appended, Draft, Entry, Journal, Projection
from farm.saga.keeper import Holding, Keeper
from farm.saga.projector import Projector
from farm.saga.retry import RetryPolicy
from farm.saga.state import SagaState

log = logging.getLogger(__name__)

type Observer = Callable[[SagaState, Sequence[Entry], SagaState, float], None]
"""Hears of an append: the state before it, the entries, the state behind them, the seconds it took. Must not raise."""

OUTAGE = RetryPolicy(base_s=0.1, max_wait_s=5.0)
"""The rhythm of asking again while the store is away; without end, because a saga may not be given up for that."""


class Writer:
    """Appends for one saga under one lease.

    Args:
        observe: hears of every append that was taken.
    """

    def __init__(
        self,
        *,
        journal: Journal,
        keeper: Keeper,
        holding: Holding,
        projector: Projector,
        failpoints: Failpoints,
        clock: Clock,
        rng: Random,
        observe: Observer | None = None,
    ) -> None:
        self._observe = observe
        self._journal = journal
        self._keeper = keeper
        self._holding = holding
        self._projector = projector
        self._failpoints = failpoints
        self._clock = clock
        self._rng = rng
        self._turn = asyncio.Lock()
        self._appends = 0
        self._notes: set[asyncio.Task[Appended]] = set()
        self.state = SagaState()

    @property
    def saga_id(self) -> str:
        return self._holding.lease.saga_id

    async def load(self) -> None:
        """Fold what is there."""
        self.state = fold(await self.patiently(lambda: self._journal.load(self.saga_id)))

    def preview(self, drafts: Sequence[Draft]) -> tuple[SagaState, tuple[Entry, ...]]:
        """The state after ``drafts``, were they written now."""
        now_s, seq = self._holding.now_s(), self.state.seq
        entries = tuple(
            Entry(seq=seq + n, kind=draft.kind, step=draft.step, attempt=draft.attempt, data=draft.data, at_s=now_s)
            for n, draft in enumerate(drafts, 1)
        )
        return fold(entries, self.state), entries

    async def append(self, drafts: Sequence[Draft], *, consume: int = 0, unless_called: bool = False) -> Appended:
        """Write, waiting for the store as long as it takes.

        Raises:
            Fenced: when the lease is another's.
        """
        async with self._turn:
            self._appends += 1
            number = self._appends
            state, entries = self.preview(drafts)
            projection = self._projector(self.saga_id, state, entries)

            async def write() -> Appended:
                if self._failpoints.armed:
                    await self._failpoints.reach(self.saga_id, f"journal.{number}.before")
                appended = await self._write(drafts, projection, consume, unless_called)
                if self._failpoints.armed:
                    await self._failpoints.reach(self.saga_id, f"journal.{number}.after")
                return appended

            began_s = self._clock.monotonic_s()
            appended = await self.patiently(write)
            if appended.entries:
                before, self.state = self.state, fold(appended.entries, self.state)
                if self._observe is not None:
                    self._observe(before, appended.entries, self.state, self._clock.monotonic_s() - began_s)
            return appended

    async def note(self, draft: Draft) -> Appended:
        """Append on behalf of a step, to the end even if the step's task is cancelled meanwhile.

        An append given up half way may have been written all the same, and the next would then look like a stranger's.
        """
        task = asyncio.create_task(self.append((draft,)))
        self._notes.add(task)
        task.add_done_callback(self._noted)
        return await asyncio.shield(task)

    def _noted(self, task: asyncio.Task[Appended]) -> None:
        self._notes.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.info("saga %s: a note was not taken: %r", self.saga_id, error)

    async def close(self) -> None:
        """Let go of notes that still wait for the store."""
        await stop_all(*self._notes)

    async def _write(
        self, drafts: Sequence[Draft], projection: Projection, consume: int, unless_called: bool
    ) -> Appended:
        for last_try in (False, True):
            try:
                return await self._journal.append(
                    self._holding.lease,
                    self.state.seq,
                    drafts,
                    projection,
                    consume=consume,
                    unless_called=unless_called,
                )
            except Fenced:
                # After an outage the lease has lapsed, but as long as nobody else took the saga it can be had again.
                if last_try or not await self._keeper.renew(self._holding):
                    raise
        raise AssertionError("unreachable")

    async def patiently[T](self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the store until it answers."""
        failures = 0
        while True:
            try:
                return await ask()
            except (InfrastructureError, FailpointReached) as error:
                failures += 1
                wait_s = OUTAGE.bound_s(failures) * self._rng.uniform(0.5, 1.0)
                log.warning("saga %s pauses for %.1f s: %s", self.saga_id, wait_s, error)
                await sleep(self._clock, wait_s)
