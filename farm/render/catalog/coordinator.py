"""The run coordinator: takes runs that nobody holds and drives them, as `farm.render.coordinator` does with jobs."""

import asyncio
import contextlib
import logging
from functools import partial

from farm.concurrency import stop_all
from farm.domain.ids import new_token
from farm.errors import FarmError, Fenced, InfrastructureError
from farm.log import JOB
from farm.render.catalog.kit import Kit
from farm.render.catalog.run import RunOrder, RunRows, run_definition, run_projection
from farm.render.catalog.service import CatalogService
from farm.render.catalog.slice import Slices
from farm.saga.clock import Clock, SystemClock
from farm.saga.engine import Engine
from farm.saga.failpoint import Failpoints, parse_failpoints
from farm.saga.lease import Lease

log = logging.getLogger(__name__)

POLL_S = 1.0
MOST_RUNS = 4
"""Runs at work at once in one coordinator; others wait in the queue."""


class RunCoordinator:
    """Holds the leases of runs and drives them until it is stopped."""

    def __init__(self, name: str, kit: Kit, service: CatalogService, clock: Clock | None = None) -> None:
        self.owner = f"{name}/{new_token()}"
        self._kit = kit
        self._service = service
        self._clock: Clock = clock or SystemClock()
        self._lease_s = kit.parts.settings.lease_s
        self._slices = Slices(kit, owner=self.owner, clock=self._clock)
        self._saga = run_definition(RunRows(self._slices, service.is_paused, service.board.post))
        self._engine = Engine(kit.runs, projector=run_projection, clock=self._clock)
        self._drives: dict[str, asyncio.Task[None]] = {}
        self._awake = asyncio.Event()
        self._was_away = False

    @property
    def driving(self) -> list[str]:
        """The runs held here."""
        return list(self._drives)

    async def run(self) -> None:
        """Claim and drive, until cancelled; then runs are given back as they stand."""
        listening = asyncio.create_task(self._listen())
        try:
            while True:
                self._awake.clear()
                await self._claim()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._awake.wait(), POLL_S)
        finally:
            await stop_all(listening, *self._drives.values())

    async def _claim(self) -> None:
        try:
            if self._was_away:
                await self._engine.renew()
            leases = await self._kit.runs.leases.claim(self.owner, ttl_s=self._lease_s, concurrency=MOST_RUNS)
        except FarmError as error:
            self._was_away = True
            log.warning("cannot claim runs: %s", error)
            return
        self._was_away = False
        for lease in leases:
            task = asyncio.create_task(self._drive(lease), name=f"drive {lease.saga_id}")
            self._drives[lease.saga_id] = task
            task.add_done_callback(partial(self._forget, lease.saga_id))

    def _forget(self, run_id: str, task: "asyncio.Task[None]") -> None:
        if self._drives.get(run_id) is task:
            del self._drives[run_id]
        self._awake.set()

    async def _drive(self, lease: Lease) -> None:
        JOB.set(lease.saga_id)
        run_id = lease.saga_id
        try:
            entries = await self._kit.runs.journal.load(run_id)
            order = RunOrder(**entries[0].data)
            engine = self._engine
            if order.failpoints:
                points = Failpoints(parse_failpoints(order.failpoints), self._kit.runs.counters)
                engine = Engine(self._kit.runs, projector=run_projection, clock=self._clock, failpoints=points)
            state = await engine.drive(lease, self._saga)
            log.info("run %s ended: %s", run_id, state.phase)
            await self._kit.runs.journal.compact(run_id)
        except Fenced:
            log.warning("run %s: another coordinator took over", run_id)
        except InfrastructureError as error:
            log.warning("run %s is left until its lease lapses: %s", run_id, error)
        except asyncio.CancelledError:
            await self._kit.runs.leases.release(lease)
            raise
        except Exception as error:
            log.exception("run %s: it cannot be driven", run_id)
            with contextlib.suppress(FarmError):
                await self._kit.runs.records.annotate(run_id, {"trouble": f"{type(error).__name__}: {error}"[:500]})

    async def _listen(self) -> None:
        while True:
            try:
                async for run_id in self._kit.runs.doorbell.listen():
                    self._engine.ring(run_id)
                    self._awake.set()
            except FarmError as error:
                log.warning("the doorbell is silent, polling instead: %s", error)
            except Exception:
                log.exception("the doorbell cannot be heard, polling instead")
            await asyncio.sleep(POLL_S)
