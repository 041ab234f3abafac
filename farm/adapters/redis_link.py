"""The link to Redis: scripts from many sagas at once, gathered into few round trips, on disk when answered.

Whatever is asked while a round trip is under way goes out together with the next one. So a thousand sagas share a
connection, and Redis writes their appends to disk in one go.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from farm.adapters.redis_scripts import Script
from farm.errors import FarmError, InvalidRequest, InvalidSettings, SagaError, StoreUnavailable

log = logging.getLogger(__name__)

LANES = 2
"""Round trips under way at once: while one waits for the disk, the other's answers are worked on."""
BATCH = 256
FOLLOWERS = 5000
"""The most connections that wait for events; whoever lets followers in bounds them long before."""
TIMEOUT_S = 5.0
SLICE_S = 2.0
"""A blocking read is repeated in slices shorter than the timeout by which a dead server is noticed."""
_DISK_TIMEOUT_MS = 4000
_PASSING = (OutOfMemoryError, ReadOnlyError, TryAgainError, MasterDownError, ClusterDownError)
_PASSING_WORDS = ("MISCONF", "LOADING", "BUSY", "NOREPLICAS", "READONLY", "OOM")
"""Answers of a server that may well do better later: by the client's classes, and those it has none for."""


@dataclass(slots=True)
class _Asked:
    script: Script
    arguments: tuple[bytes, ...]
    durable: bool
    answer: asyncio.Future[Any]


class RedisLink:
    """One per process and event loop.

    Raises:
        InvalidSettings: when ``url`` is no address of a Redis.
    """

    def __init__(self, url: str, *, namespace: str = "farm") -> None:
        self.namespace = namespace
        self.client = _client(url, max_connections=64)
        # Whoever follows events blocks a connection; however many they are, the journal keeps its own.
        self.followers = _client(url, max_connections=FOLLOWERS)
        self._waiting: deque[_Asked] = deque()
        self._lanes: set[asyncio.Task[None]] = set()
        self._always: bool | None = None

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
        self._waiting.append(_Asked(script, texts, durable, answer))
        if len(self._lanes) < LANES:
            lane = asyncio.create_task(self._run_lane(), name="redis-lane")
            self._lanes.add(lane)
        return await answer

    async def _run_lane(self) -> None:
        try:
            await self._empty_queue()
        finally:
            # At once and not by a callback of the task, which comes a moment later: whoever asks in between would wait
            # for a lane that runs no more.
            if (this := asyncio.current_task()) is not None:
                self._lanes.discard(this)

    async def _empty_queue(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            try:
                with translated():
                    await self._send(batch)
            except asyncio.CancelledError:
                _refuse(batch, StoreUnavailable(reason="the link was closed"))
                raise
            except Exception as error:  # whatever it is, those who wait must hear of it
                _refuse(batch, error)

    async def _send(self, batch: list[_Asked], *, load: bool = False) -> None:
        if self._always is None:
            await self.check_durability()
        wait = not self._always and any(asked.durable for asked in batch)
        async with self.client.pipeline(transaction=False) as pipe:
            for asked in batch:
                if load:
                    pipe.execute_command("EVAL", asked.script.text, 0, *asked.arguments)
                else:
                    pipe.execute_command("EVALSHA", asked.script.sha, 0, *asked.arguments)
            if wait:
                # On this very connection, right behind the writes: on another it would answer at once, proving nothing.
                pipe.execute_command("WAITAOF", 1, 0, _DISK_TIMEOUT_MS)
            answers: list[Any] = await pipe.execute(raise_on_error=False)
        on_disk = not wait or _on_disk(answers[-1])
        unknown: list[_Asked] = []
        for asked, answer in zip(batch, answers, strict=False):
            if asked.answer.done():  # nobody waits any more
                continue
            if isinstance(answer, NoScriptError):
                unknown.append(asked)
            elif isinstance(answer, RedisError):
                asked.answer.set_exception(_translate(answer))
            elif asked.durable and not on_disk:
                asked.answer.set_exception(StoreUnavailable(reason="the write is not on disk yet"))
            else:
                asked.answer.set_result(answer)
        if unknown:
            await self._send(unknown, load=True)

    async def check_durability(self) -> None:
        """Find out how to have writes on disk: by itself with ``appendfsync always``, else by asking each time.

        Raises:
            InvalidSettings: when the server keeps nothing on disk.
        """
        with translated():
            try:
                found: Mapping[Any, Any] = await self.client.config_get("append*")
            except NoPermissionError:
                found = {}
            except ResponseError as error:
                if "unknown command" not in str(error):  # hosted servers hide CONFIG
                    raise
                found = {}
        if found.get("appendonly") == "no":
            reason = "the server keeps nothing on disk, so no job would be safe; set appendonly yes"
            raise InvalidSettings(variable="FARM_REDIS_URL", value="(hidden)", reason=reason)
        self._always = found.get("appendonly") == "yes" and found.get("appendfsync") == "always"
        if not self._always:
            log.info("the store writes to disk with a delay; every append waits for it (WAITAOF)")

    async def close(self) -> None:
        for lane in list(self._lanes):
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)
        _refuse(self._waiting, StoreUnavailable(reason="the link was closed"))
        self._waiting.clear()
        await self.client.aclose()
        await self.followers.aclose()


def _client(url: str, *, max_connections: int) -> Redis:
    # The farm repeats by itself what is safe to repeat; the client must not do so behind its back.
    with valid_address():
        return Redis.from_url(
            url,
            decode_responses=True,
            protocol=2,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            max_connections=max_connections,
            retry=Retry(NoBackoff(), 0),
            **({} if url.startswith("unix:") else {"socket_keepalive": True}),
        )


@contextmanager
def valid_address() -> Iterator[None]:
    """Around every client that is made from an address.

    Raises:
        InvalidSettings: when it is none; what is wrong with it in detail is not told, it may be the password.
    """
    try:
        yield
    except ValueError:
        reason = (
            "it must be redis://[user:password@]host[:port][/database], rediss://… or unix:///path, "
            "with / @ : # ? and % of a password written as %2F %40 %3A %23 %3F and %25"
        )
        raise InvalidSettings(variable="FARM_REDIS_URL", value="(hidden)", reason=reason) from None


def _refuse(asked: Iterable[_Asked], error: Exception) -> None:
    for one in asked:
        if not one.answer.done():
            one.answer.set_exception(error)


@contextmanager
def translated() -> Iterator[None]:
    """Driver errors become the farm's."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise _translate(error) from error


def _translate(error: Exception) -> FarmError:
    text = str(error) or type(error).__name__
    if isinstance(error, ResponseError) and not isinstance(error, _PASSING) and not text.startswith(_PASSING_WORDS):
        refused: FarmError = SagaError(reason=f"Redis refused: {text[:300]}")
    else:
        refused = StoreUnavailable(reason=text[:300])
    refused.__cause__ = error
    return refused


def _on_disk(answer: Any) -> bool:
    if isinstance(answer, RedisError):
        raise answer
    local: Sequence[int] = answer
    return bool(local[0] >= 1)
