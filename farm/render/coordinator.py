"""The coordinator: takes jobs that nobody holds and drives their sagas; one of several, each with its own name.

It keeps nothing of its own: whatever it knows it read from the journal, so another can take over at any moment.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from farm.concurrency import stop_all
from farm.domain.ids import new_token
from farm.errors import FarmError, Fenced, InfrastructureError
from farm.log import JOB
from farm.render.measure import Measure
from farm.render.metrics import Meter, NoMeter
from farm.render.record import projector
from farm.render.sagas import Sagas
from farm.render.steps.parts import Parts
from farm.render.sweep import Sweep
from farm.render.sweeper import sweep_forever
from farm.render.tasks.drill import split
from farm.saga.clock import Clock, SystemClock
from farm.saga.engine import Engine
from farm.saga.failpoint import Failpoints, parse_failpoints
from farm.saga.lease import Lease
from farm.saga.store import Store

log = logging.getLogger(__name__)

POLL_S = 1.0
"""How often to look for jobs when no doorbell rings: lapsed leases ring none."""
CLAIM_LIMIT = 64


class Coordinator:
    """Holds leases and drives sagas until it is stopped.

    Args:
        name: the shard's; each incarnation claims under a name of its own.
        concurrency: how many jobs may run at once in the whole farm; ``None`` is no bound.
        meter: is told what happens.
        ended: is told the record of each job that ended here, when it is tidied; what it raises is only logged.
    """

    def __init__(
        self,
        name: str,
        *,
        sagas: Store,
        parts: Parts,
        concurrency: int | None,
        clock: Clock | None = None,
        meter: Meter | None = None,
        ended: Callable[[Mapping[str, Any]], Awaitable[None]] | None = None,
    ) -> None:
        self.owner = f"{name}/{new_token()}"
        self.concurrency = concurrency
        self._store = sagas
        self._lease_s = parts.settings.lease_s
        self._clock: Clock = clock or SystemClock()
        self._sagas = Sagas(parts)
        self._projector = projector(parts.store.url)
        self._meter: Meter = meter or NoMeter()
        self._measure = Measure(self._meter)
        self._ended = ended
        self._engine = Engine(sagas, projector=self._projector, clock=self._clock, observe=self._measure)
        self._drives: dict[str, asyncio.Task[None]] = {}
        self._engines: dict[str, Engine] = {}
        self._awake = asyncio.Event()
        self._was_away = False
        self._sweep = Sweep(sagas=sagas, parts=parts, clock=self._clock)

    @property
    def driving(self) -> list[str]:
        """The jobs held here."""
        return list(self._drives)

    async def run(self) -> None:
        """Claim and drive, until cancelled; then jobs are given back as they stand, for the next to take up."""
        beside = [
            asyncio.create_task(self._listen()),
            asyncio.create_task(sweep_forever(self._sweep, self._store.due, self.owner)),
        ]
        try:
            while True:
                self._awake.clear()
                claimed = await self._claim()
                if claimed < CLAIM_LIMIT:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._awake.wait(), POLL_S)
        finally:
            await stop_all(*beside, *self._drives.values())

    async def _claim(self) -> int:
        try:
            if self._was_away:
                # What is driven here lapsed during the outage: to be renewed, not to be claimed anew by ourselves.
                for engine in (self._engine, *self._engines.values()):
                    await engine.renew()
            leases = await self._store.leases.claim(
                self.owner, ttl_s=self._lease_s, concurrency=self.concurrency, limit=CLAIM_LIMIT
            )
        except FarmError as error:
            self._was_away = True
            log.warning("cannot claim jobs: %s", error)
            return 0
        self._was_away = False
        for lease in leases:
            drive = asyncio.create_task(self._drive(lease), name=f"drive {lease.saga_id}")
            self._drives[lease.saga_id] = drive
            drive.add_done_callback(partial(self._forget, lease.saga_id))
        return len(leases)

    def _forget(self, job_id: str, drive: asyncio.Task[None]) -> None:
        # A job that was lost and claimed again is driven anew before its first drive has noticed.
        if self._drives.get(job_id) is drive:
            del self._drives[job_id]
            self._engines.pop(job_id, None)
        self._awake.set()  # There is room for the next.

    async def _drive(self, lease: Lease) -> None:
        job_id = lease.saga_id
        JOB.set(job_id)  # this task's alone, and of those it starts
        try:
            data = await self._input(job_id)
            engine = self._engine_for(job_id, data)
            state = await engine.drive(lease, self._sagas.of(data["request"]))
            log.info("job %s ended: %s", job_id, state.phase)
            await self._tidy(job_id)
        except Fenced:
            log.warning("job %s: another coordinator took over", job_id)
            await self._clear_behind(job_id)
        except InfrastructureError as error:
            log.warning("job %s is left until its lease lapses: %s", job_id, error)
        except asyncio.CancelledError:
            await self._store.leases.release(lease)
            raise
        except Exception as error:
            # Nothing a step does arrives here: this is a defect or a damaged journal, which no deadline ends either.
            # The audit names the job; it is tried again whenever its lease lapses, by this version or a mended one.
            log.exception("job %s: the coordinator cannot drive it", job_id)
            await self._mark_stuck(job_id, error)

    async def _mark_stuck(self, job_id: str, error: Exception) -> None:
        with contextlib.suppress(FarmError):
            await self._store.records.annotate(job_id, {"trouble": f"{type(error).__name__}: {error}"[:500]})

    async def _tidy(self, job_id: str) -> None:
        try:
            record = await self._store.records.get(job_id)
            if record is not None:
                await self._sweep.tidy(record)
                if self._ended is not None:
                    await self._ended(record)
        except FarmError as error:
            log.warning("job %s has ended, tidying it is left to the sweep: %s", job_id, error)

    async def _clear_behind(self, job_id: str) -> None:
        """What was under way here when the job was lost may have come too late for its new holder to remove."""
        try:
            record = await self._store.records.get(job_id)
            if record is not None:
                await self._sweep.clear(record)
        except FarmError as error:
            log.warning("job %s: what came too late is left to the sweep: %s", job_id, error)

    async def _input(self, job_id: str) -> dict[str, Any]:
        entries = await self._store.journal.load(job_id)
        if len(entries) > 1:
            self._meter.count("farm_leases_reaped_total")
        return dict(entries[0].data)

    def _engine_for(self, job_id: str, data: dict[str, Any]) -> Engine:
        if not data.get("failpoints"):
            return self._engine
        log.warning("job %s runs a drill: %s", job_id, data["failpoints"])
        failpoints = Failpoints(parse_failpoints(split(data["failpoints"])[0]), self._store.counters)
        engine = Engine(
            self._store, projector=self._projector, clock=self._clock, failpoints=failpoints, observe=self._measure
        )
        self._engines[job_id] = engine
        return engine

    async def _listen(self) -> None:
        while True:
            try:
                async for job_id in self._store.doorbell.listen():
                    self._engines.get(job_id, self._engine).ring(job_id)
                    self._awake.set()
            except FarmError as error:
                log.warning("the doorbell is silent, polling instead: %s", error)
            except Exception:
                log.exception("the doorbell cannot be heard, polling instead")
            await asyncio.sleep(POLL_S)
