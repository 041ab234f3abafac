"""Attempts in flight: submitted to Ray, watched by their heartbeats, put down when they must be, seen dead."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ray
from ray import exceptions
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from farm.actors import options
from farm.actors.failures import blames_node, translated
from farm.actors.tasks import PostMortem, see_dead_here
from farm.concurrency import to_the_end
from farm.errors import FarmError, RenderError, SagaError, StoreUnavailable
from farm.render.tasks.health import Blocklist
from farm.render.tasks.heartbeat import Beat, Beats, Grant
from farm.render.tasks.watch import Limits, Watch
from farm.saga.clock import Clock
from farm.settings import Settings

log = logging.getLogger(__name__)

LOOK_S = 0.5
"""Between looks at the heartbeats; the owner of `Attempts` calls `Attempts.look`."""
PROBE_S = 5.0
"""How long looking for a dead process on another node may take; then its lease must lapse."""
CANCEL_S = 15.0
"""How long Ray may take to answer for a task it was told to kill."""
BLIND = (StoreUnavailable, SagaError)
"""The store does not answer, or refuses: neither keeps anybody from being killed and seen dead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    """An attempt between its submission and its end."""

    grant: Grant
    token: str
    ref: Any
    result: asyncio.Future[Any]
    watch: Watch
    condemned: asyncio.Future[RenderError] = field(repr=False)


class Attempts:
    """The attempts of one coordinator; of one event loop.

    One attempt's path: be granted an epoch, be submitted, be watched, be awaited. However it ends, the epoch is
    revoked, and unless it ended well its process is seen dead before anybody is told.
    """

    def __init__(self, settings: Settings, beats: Beats, blocklist: Blocklist, clock: Clock) -> None:
        self._settings = settings
        self._beats = beats
        self._blocklist = blocklist
        self._clock = clock
        self._running: dict[Grant, _Running] = {}
        self._looked_s = clock.monotonic_s()
        self._node_id = ray.get_runtime_context().get_node_id()
        self._see_dead: Any = ray.remote(**options.probe())(see_dead_here)

    def shown(self) -> list[dict[str, Any]]:
        """The attempts in flight, for dashboards."""
        return [_shown(one.grant, one.watch.last) for one in self._running.values()]

    async def run(
        self,
        job_id: str,
        name: str,
        token: str,
        deadline_s: float,
        submit: Callable[[Grant], Any],
    ) -> Any:
        """Run one attempt to its end, whichever it is.

        Cancelled, it returns when the attempt's process is dead, or its lease has lapsed.

        Args:
            name: what is worked on, unique within the job.
            token: of the attempt.
            submit: hands the task to Ray, under that grant; returns the reference.

        Returns:
            What the task returned.

        Raises:
            FarmError: what became of it instead.
        """
        grant = await self._beats.grant(job_id, name)
        loop = asyncio.get_running_loop()
        limits = Limits(deadline_s=deadline_s, stall_s=self._settings.view_stall_s, lease_s=3 * self._settings.lease_s)
        try:
            ref = submit(grant)
        except exceptions.RayError as error:
            raise translated(error, name) from error
        running = _Running(
            grant=grant,
            token=token,
            ref=ref,
            result=asyncio.wrap_future(ref.future()),
            watch=Watch(name, limits),
            condemned=loop.create_future(),
        )
        self._running[grant] = running
        try:
            await asyncio.wait({running.result, running.condemned}, return_when=asyncio.FIRST_COMPLETED)
            if running.condemned.done():
                if not await self._put_down(running):
                    return running.result.result()  # it finished at the very last moment
                condemned = running.condemned.result()
                await self._blame(running, condemned)
                raise condemned
            try:
                return running.result.result()
            except Exception as error:
                raise await self._failure(running, error) from error
        except asyncio.CancelledError:
            await to_the_end(self._put_down(running))  # what is being killed must be seen dead first
            raise
        finally:
            del self._running[grant]
            running.condemned.cancel()
            await to_the_end(self._revoke(grant))

    async def _put_down(self, running: _Running) -> bool:
        """Kill the attempt and see it dead; ``False`` when it had finished well before it could be killed."""
        await self._revoke(running.grant)
        ray.cancel(running.ref, force=True)
        await asyncio.wait({running.result}, timeout=CANCEL_S)
        if running.result.done() and running.result.exception() is None:
            return False
        await self._post_mortem(running)
        return True

    async def _failure(self, running: _Running, error: Exception) -> FarmError:
        """What a failed task means, its process seen dead where it died."""
        node_id = running.watch.last.process.node_id if running.watch.last else ""
        words = ""
        if not isinstance(error, exceptions.RayTaskError):
            await self._revoke(running.grant)
            found = await self._post_mortem(running)
            words = found.last_words
            node_id = running.watch.last.process.node_id if running.watch.last else ""
        failure = translated(error, running.grant.name, node_id=node_id, last_words=words)
        await self._blame(running, failure)
        return failure

    async def _blame(self, running: _Running, failure: FarmError) -> None:
        """Hold a failure against the node it happened on; an attempt that never beat ran nowhere."""
        if running.watch.last is not None and blames_node(failure):
            node_id = running.watch.last.process.node_id
            await self._blocklist.failed(node_id, job_id=running.grant.job_id, code=failure.code)

    async def _post_mortem(self, running: _Running) -> PostMortem:
        """See the attempt's process dead, on its node; where that cannot be, wait until its lease has lapsed.

        A process that never beat never began: its first beat would have been refused.
        """
        await self._last_look(running)
        beat = running.watch.last
        if beat is None:
            return PostMortem(dead=True)
        process, grant = beat.process, running.grant
        args = (self._settings, process.identity, grant.job_id, running.token, grant.name)
        if process.node_id == self._node_id:
            found = await asyncio.to_thread(see_dead_here, *args)
        else:
            found = await self._probe(process.node_id, args)
        if not found.dead:
            log.warning("%s of %s: cannot see %s dead, waiting for its lease", grant.name, grant.job_id, process)
            await self._lapsed(running)
        return found

    async def _probe(self, node_id: str, args: tuple[Any, ...]) -> PostMortem:
        """Look after a process on another node."""
        pinned = NodeAffinitySchedulingStrategy(node_id, soft=False)
        ref = self._see_dead.options(scheduling_strategy=pinned).remote(*args)
        try:
            found: PostMortem = await asyncio.wait_for(asyncio.wrap_future(ref.future()), PROBE_S)
        except (TimeoutError, exceptions.RayError) as error:
            log.warning("node %s cannot be looked at: %s", node_id, type(error).__name__)
            ray.cancel(ref, force=True)
            return PostMortem(dead=False)
        return found

    async def _lapsed(self, running: _Running) -> None:
        """Wait until a revoked attempt's last beat has lapsed: nobody could renew it."""
        until_s = self._clock.monotonic_s() + 3 * self._settings.lease_s + LOOK_S
        while self._clock.monotonic_s() < until_s:
            with contextlib.suppress(*BLIND):
                if (await self._beats.read([running.grant]))[0] is None:
                    return
            await asyncio.sleep(LOOK_S)

    async def _revoke(self, grant: Grant) -> None:
        """A store that does not answer does not keep anybody from being killed; the next grant fences as well."""
        try:
            await self._beats.revoke(grant)
        except BLIND as error:
            log.warning("cannot revoke %s of %s: %s", grant.name, grant.job_id, error)

    # --- watching -------------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Read everybody's heartbeat: condemn who stalls or is late."""
        now_s = self._clock.monotonic_s()
        try:
            await self._round(now_s)
        except BLIND as error:
            log.warning("the heartbeats cannot be read: %s", error)
            for one in self._running.values():
                one.watch.blind(self._clock.monotonic_s() - self._looked_s)
        self._looked_s = self._clock.monotonic_s()

    async def _round(self, now_s: float) -> None:
        running = list(self._running.values())
        beats = await self._beats.read([one.grant for one in running])
        for one, beat in zip(running, beats, strict=True):
            verdict = one.watch.observe(beat, now_s)
            if verdict is not None and not one.condemned.done():
                one.condemned.set_result(verdict)

    async def _last_look(self, running: _Running) -> None:
        """One last look at an attempt's beats: it may have begun since the last round."""
        with contextlib.suppress(*BLIND):
            beat = (await self._beats.read([running.grant]))[0]
            running.watch.observe(beat, self._clock.monotonic_s())


def _shown(grant: Grant, beat: Beat | None) -> dict[str, Any]:
    """A running attempt for the dashboard; without a beat it still waits in Ray's queue."""
    shown: dict[str, Any] = {"job_id": grant.job_id, "name": grant.name, "phase": "queued"}
    if beat is not None:
        shown |= {
            "phase": beat.phase,
            "fraction": beat.fraction,
            "node": beat.process.node_id,
            "process": beat.process.identity,
        }
    return shown
