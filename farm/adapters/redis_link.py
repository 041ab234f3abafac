"""The link to Redis: scripts from many sagas at once, gathered into few round trips, on disk when answered.

Whatever is asked while a round trip is under way goes out together with the next one. So a thousand sagas share a
connection, and Redis writes their appends to disk in one go. What only reads never waits for others' writes.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redis.exceptions import NoScriptError, ReadOnlyError, RedisError

from farm.adapters.redis_connections import Connections
from farm.adapters.redis_errors import fault_of
from farm.adapters.redis_errors import translated as translated
from farm.adapters.redis_scripts import Script
from farm.errors import FarmError, InvalidRequest, StoreUnavailable

LANES = 2
"""Round trips of a kind under way at once: while one waits for the disk, the other's answers are worked on."""
BATCH = 256
SLICE_S = 2.0
"""A blocking read is repeated in slices shorter than the timeout by which a dead server is noticed."""
_DISK_TIMEOUT_MS = 4000
_PROBE_MS = 60_000


@dataclass(slots=True)
class _Asked:
    script: Script
    arguments: tuple[bytes, ...]
    durable: bool
    answer: asyncio.Future[Any]


class RedisLink:
    """One for each namespace, process and event loop; those of one process share its connections.

    Raises:
        InvalidSettings: when ``url`` is no address of a Redis.
    """

    def __init__(self, url: str, *, namespace: str = "farm") -> None:
        self._over(Connections(url), namespace, owner=True)

    def beside(self, namespace: str) -> "RedisLink":
        """A link for other keys over the same connections; to be closed before this one."""
        link = object.__new__(RedisLink)
        link._over(self.connections, namespace, owner=False)
        return link

    def _over(self, connections: Connections, namespace: str, *, owner: bool) -> None:
        self.namespace = namespace
        self.connections = connections
        self.client = connections.client
        self.followers = connections.followers
        self._owner = owner
        # By whether it must be on disk when it is answered.
        self._waiting: dict[bool, deque[_Asked]] = {durable: deque() for durable in (False, True)}
        self._lanes: dict[bool, set[asyncio.Task[None]]] = {durable: set() for durable in (False, True)}

    def key(self, *parts: str) -> str:
        return ":".join((self.namespace, *parts))

    async def call(self, script: Script, *arguments: object, durable: bool = False) -> Any:
        """Run a script; with ``durable`` its writes are on disk when this returns.

        Raises:
            InvalidRequest: when an argument is no Unicode text (it holds half of a surrogate pair).
            StoreUnavailable: when there is no answer; the script may have run or not.
            SagaError: when Redis refuses the script for good.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            # Here and not in the client: one caller's bad text must not fail all who share the round trip.
            texts = tuple(str(argument).encode() for argument in (self.namespace, *arguments))
        except UnicodeEncodeError as error:
            raise InvalidRequest(reason="a text is not valid Unicode") from error
        self._waiting[durable].append(_Asked(script, texts, durable, answer))
        if len(self._lanes[durable]) < LANES:
            lane = asyncio.create_task(self._run_lane(durable), name="redis-lane")
            self._lanes[durable].add(lane)
        return await answer

    async def _run_lane(self, durable: bool) -> None:
        try:
            await self._empty_queue(self._waiting[durable])
        finally:
            # At once and not by a callback of the task, which comes a moment later: whoever asks in between would wait
            # for a lane that runs no more.
            if (this := asyncio.current_task()) is not None:
                self._lanes[durable].discard(this)

    async def _empty_queue(self, waiting: deque[_Asked]) -> None:
        while waiting:
            batch = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
            try:
                with translated():
                    await self._send(batch)
            except asyncio.CancelledError:
                _refuse(batch, StoreUnavailable(reason="the link was closed"))
                raise
            except Exception as error:  # whatever it is, those who wait must hear of it
                _refuse(batch, error)

    async def _send(self, batch: list[_Asked], *, load: bool = False, again: bool = True) -> None:
        async with self.connections.pipe() as (pipe, connection):
            if any(asked.durable for asked in batch):
                if connection.standing.trouble is not None:
                    await connection.look()  # it may have been mended
                if (trouble := connection.standing.trouble) is not None:
                    _refuse((asked for asked in batch if asked.durable), trouble)
                    batch = [asked for asked in batch if not asked.durable]
            if not batch:
                return
            for asked in batch:
                if load:
                    pipe.execute_command("EVAL", asked.script.text, 0, *asked.arguments)
                else:
                    pipe.execute_command("EVALSHA", asked.script.sha, 0, *asked.arguments)
            wait = connection.standing.confirms and any(asked.durable for asked in batch)
            if wait:
                # On this very connection, right behind the writes: on another it would answer at once, proving nothing.
                # Also where each write is synced before it is answered: that may have been changed a moment ago.
                pipe.execute_command("WAITAOF", 1, 0, _DISK_TIMEOUT_MS)
            answers: list[Any] = await pipe.execute(raise_on_error=False)
        doubt = _doubt(answers[-1]) if wait else None
        unknown: list[_Asked] = []
        elsewhere: list[_Asked] = []
        for asked, answer in zip(batch, answers, strict=False):
            if asked.answer.done():  # nobody waits any more
                continue
            if isinstance(answer, NoScriptError):
                unknown.append(asked)
            elif again and isinstance(answer, ReadOnlyError):
                elsewhere.append(asked)  # a replica has done nothing of it
            elif isinstance(answer, RedisError):
                asked.answer.set_exception(fault_of(answer))
            elif asked.durable and doubt is not None:
                asked.answer.set_exception(doubt)
            else:
                asked.answer.set_result(answer)
        if unknown:
            await self._send(unknown, load=True, again=again)
        if elsewhere:
            await self._send(elsewhere, load=True, again=False)

    async def check(self) -> None:
        """Do what a job's acceptance would need: ask the server anew who it is, write, and have it on disk.

        Raises:
            StoreUnavailable: saying by its kind what an acceptance would meet.
        """
        with translated():
            try:
                await self._try()
            except ReadOnlyError:
                await self._try()  # over a new connection: the server may only have changed its role

    async def _try(self) -> None:
        async with self.connections.pipe() as (pipe, connection):
            await connection.look()
            if (trouble := connection.standing.trouble) is not None:
                raise trouble
            confirms = connection.standing.confirms
            pipe.set(self.key("probe"), 1, px=_PROBE_MS)
            pipe.delete(self.key("probe"))  # an empty store stays one, as a restore wants it
            if confirms:
                pipe.execute_command("WAITAOF", 1, 0, _DISK_TIMEOUT_MS)
            answers: list[Any] = await pipe.execute()  # the first refusal raises
        if confirms and (doubt := _doubt(answers[-1])) is not None:
            raise doubt

    async def close(self) -> None:
        lanes = [lane for kind in self._lanes.values() for lane in kind]
        for lane in lanes:
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
        for waiting in self._waiting.values():
            _refuse(waiting, StoreUnavailable(reason="the link was closed"))
            waiting.clear()
        if self._owner:
            await self.connections.aclose()


def _refuse(asked: Iterable[_Asked], error: Exception) -> None:
    for one in asked:
        if not one.answer.done():
            one.answer.set_exception(error)


def _doubt(answer: Any) -> FarmError | None:
    """What a wait for the disk leaves to be desired."""
    if isinstance(answer, RedisError):
        return fault_of(answer)
    local: Sequence[int] = answer
    return None if local[0] >= 1 else StoreUnavailable(reason="the write is not on disk yet")
