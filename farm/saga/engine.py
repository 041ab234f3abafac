"""The engine: drives sagas to their end, any number at once, for one coordinator."""

from contextlib import suppress
from random import Random

from farm.errors import Conflict, InfrastructureError
from farm.saga.clock import Clock, SystemClock
from farm.saga.decide import FAILED
from farm.saga.drive import Drive
from farm.saga.failpoint import Failpoints
from farm.saga.fold import fold
from farm.saga.inbox import COMPENSATE
from farm.saga.journal import Draft, EntryKind
from farm.saga.keeper import Holding, Keeper
from farm.saga.lease import Lease
from farm.saga.projector import Projector
from farm.saga.state import SagaPhase, SagaState
from farm.saga.step import SagaDefinition
from farm.saga.store import Store
from farm.saga.writer import Observer, Writer


class Engine:
    """One per coordinator.

    What it promises: every append goes out before what follows from it; the end of one step and the start of the next
    are one append; a cancel that came before the pivot wins; steps are undone in the strict reverse of their start, the
    one in doubt included; nothing is given up because the store is away.
    """

    def __init__(
        self,
        store: Store,
        *,
        projector: Projector,
        clock: Clock | None = None,
        failpoints: Failpoints | None = None,
        rng: Random | None = None,
        observe: Observer | None = None,
    ) -> None:
        self._store = store
        self._observe = observe
        self._projector = projector
        self._clock: Clock = clock or SystemClock()
        self._failpoints = failpoints or Failpoints({}, store.counters)
        self._rng = rng or Random()
        self._keeper = Keeper(store.leases, self._clock)

    async def drive(self, lease: Lease, saga: SagaDefinition) -> SagaState:
        """Drive from wherever it stands to its end; the first run and a resume are the same.

        A saga that had ended with its compensation pending is undone further where a message asks for it
        (`COMPENSATE`).

        When the calling task is cancelled the running step is stopped, nothing is undone, and the saga stays as it is
        for whoever leases it next (`Leases.release` makes that at once).

        Raises:
            Fenced: when the lease is lost; nothing was undone.
            SagaError: when the journal does not fit the definition.
        """
        return await self._drive(lease, saga, [])

    async def resume_compensation(self, saga_id: str, saga: SagaDefinition, *, owner: str, ttl_s: float) -> SagaState:
        """Take up the compensation of a saga that ended as failed with it pending, and see it through.

        Raises:
            NotFound: when there is no such saga.
            Conflict: when another coordinator holds it, or no compensation is pending.
        """
        lease = await self._store.leases.acquire(saga_id, owner, ttl_s)
        if lease is None:
            raise Conflict(reason=f"another coordinator is at work on {saga_id}")
        try:
            state = fold(await self._store.journal.load(saga_id))
            if state.phase is SagaPhase.COMPENSATING:
                return await self._drive(lease, saga, [])
            if not state.compensation_pending:
                raise Conflict(reason=f"no compensation of {saga_id} is pending")
            return await self._drive(lease, saga, [_taken_up(state)])
        finally:
            with suppress(InfrastructureError):  # then it lapses by itself
                await self._store.leases.release(lease)

    async def _is_asked(self, saga_id: str) -> bool:
        """Whether somebody left word that a pending compensation shall be taken up."""
        return any(message.get("kind") == COMPENSATE for message in await self._store.inbox.read(saga_id))

    async def renew(self) -> None:
        """Renew the leases of all that is driven here, now and not only at the next round.

        Raises:
            StoreUnavailable: when the store does not answer.
        """
        await self._keeper.renew_all()

    def ring(self, saga_id: str) -> None:
        """Look into that saga's inbox now, if it is driven here (see `Doorbell`)."""
        self._keeper.ring(saga_id)

    async def _drive(self, lease: Lease, saga: SagaDefinition, drafts: list[Draft]) -> SagaState:
        holding = Holding(lease, self._clock, on_lost=lambda: drive.lose(), on_called=lambda: drive.call())
        writer = Writer(
            journal=self._store.journal,
            keeper=self._keeper,
            holding=holding,
            projector=self._projector,
            failpoints=self._failpoints,
            clock=self._clock,
            rng=self._rng,
            observe=self._observe,
        )
        drive = Drive(
            saga,
            holding=holding,
            writer=writer,
            inbox=self._store.inbox,
            failpoints=self._failpoints,
            clock=self._clock,
            rng=self._rng,
        )
        self._keeper.keep(holding)
        try:
            await writer.load()
            if writer.state.compensation_pending and not drafts and await self._is_asked(lease.saga_id):
                drafts = [_taken_up(writer.state)]
            return await drive.run(drafts)
        finally:
            self._keeper.drop(holding)


def _taken_up(state: SagaState) -> Draft:
    """The entry by which a pending compensation goes on."""
    return Draft(kind=EntryKind.COMPENSATING, data={"reason": state.reason or FAILED, "error": state.error})
