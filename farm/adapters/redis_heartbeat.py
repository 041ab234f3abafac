"""Heartbeats and progress in Redis: short-lived keys beside the journal, never part of it.

farm:beat:epochs            counter of all grants ever given; it never starts again
farm:beat:fence:<job>:<name>  the epoch that may beat now; gone: none may
farm:beat:last:<job>:<name>   the last beat, JSON, expires with the worker's lease
farm:progress:<job>         hash of view -> share done, and of ^view -> the most of any attempt; expires an hour after
                            the last report
"""

import json
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

import redis.asyncio

from farm.adapters.redis_blocking import open_blocking, standing_of
from farm.adapters.redis_link import translated
from farm.adapters.store_keys import KEYS
from farm.errors import StoreNotWritable
from farm.render.tasks.heartbeat import FARTHEST, Beat, Beats, Board, Grant, ProcessId, Pulse, Shares

_EPOCHS = KEYS.of("beat", "epochs")
_FENCE_MS = 7 * 24 * 3600 * 1000
_PROGRESS_MS = 3600 * 1000

_GRANT = """
local epoch = redis.call('INCR', KEYS[1])
redis.call('SET', KEYS[2], epoch, 'PX', ARGV[1])
redis.call('DEL', KEYS[3])
redis.call('HDEL', KEYS[4], ARGV[2])
return epoch
"""

_BEAT = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.call('HSET', KEYS[3], ARGV[4], ARGV[5])
local farthest = redis.call('HGET', KEYS[3], ARGV[7])
if not farthest or tonumber(farthest) < tonumber(ARGV[5]) then redis.call('HSET', KEYS[3], ARGV[7], ARGV[5]) end
redis.call('PEXPIRE', KEYS[3], ARGV[6])
return 1
"""

_REVOKE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HDEL', KEYS[2], ARGV[2])
return 1
"""


class RedisPulse:
    """A worker's heartbeat. Blocking; one connection, which must be this thread's alone."""

    def __init__(self, url: str, *, timeout_s: float = 5.0) -> None:
        # A connection that went stale is opened anew; the rest is the heart's patience.
        self._client = open_blocking(url, timeout_s=timeout_s, retries=1, decode_responses=True)
        self._script = self._client.register_script(_BEAT)

    def beat(self, grant: Grant, beat: Beat, *, ttl_s: float) -> bool:
        keys = [_fence(grant), _last(grant), _progress(grant.job_id)]
        ttl_ms = round(ttl_s * 1000)
        args: list[str | int] = [
            grant.epoch,
            _dump(grant, beat),
            ttl_ms,
            grant.name,
            f"{beat.fraction:.4f}",
            _PROGRESS_MS,
            FARTHEST + grant.name,
        ]
        with translated():
            return bool(self._script(keys=keys, args=args))

    def close(self) -> None:
        self._client.close()


def ping(url: str, *, timeout_s: float = 5.0) -> None:
    """Ask the store for a sign of life, as a worker's heartbeat would reach it. Blocks.

    Raises:
        StoreUnavailable: when there is none, or it takes no heartbeats.
    """
    with translated(), open_blocking(url, timeout_s=timeout_s) as client:
        if (standing := standing_of(client)).replica:
            raise StoreNotWritable(reason=f"{standing.name} is a replica")


class RedisBeats:
    """The coordinator's view of its workers' heartbeats."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self._client = client
        self._grant = client.register_script(_GRANT)
        self._revoke = client.register_script(_REVOKE)

    async def grant(self, job_id: str, name: str) -> Grant:
        wanted = Grant(job_id=job_id, name=name, epoch=0)
        keys = [_EPOCHS, _fence(wanted), _last(wanted), _progress(job_id)]
        with translated():
            epoch = await cast("Awaitable[int]", self._grant(keys=keys, args=[_FENCE_MS, name]))
        return Grant(job_id=job_id, name=name, epoch=int(epoch))

    async def read(self, grants: Sequence[Grant]) -> Sequence[Beat | None]:
        if not grants:
            return ()
        with translated():
            texts = await self._client.mget([_last(grant) for grant in grants])
        return [_parse(grant, text) for grant, text in zip(grants, texts, strict=True)]

    async def revoke(self, grant: Grant) -> None:
        with translated():
            keys = [_fence(grant), _progress(grant.job_id)]
            await cast("Awaitable[int]", self._revoke(keys=keys, args=[grant.epoch, grant.name]))


class RedisProgressBoard:
    """Each view's progress, for the job's page and event stream."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self._client = client

    async def report(self, job_id: str, view: str, fraction: float) -> None:
        with translated():
            async with self._client.pipeline() as pipeline:
                pipeline.hset(_progress(job_id), view, f"{fraction:.4f}")
                pipeline.pexpire(_progress(job_id), _PROGRESS_MS)
                await pipeline.execute()

    async def read(self, job_id: str) -> Mapping[str, float]:
        return (await self.shares(job_id)).now

    async def shares(self, job_id: str) -> Shares:
        return (await self.shares_each([job_id]))[0]

    async def shares_each(self, job_ids: Sequence[str]) -> Sequence[Shares]:
        if not job_ids:
            return ()
        with translated():
            async with self._client.pipeline(transaction=False) as pipeline:
                for job_id in job_ids:
                    pipeline.hgetall(_progress(job_id))
                answers = await pipeline.execute()
        return [Shares.parted({_text(view): float(part) for view, part in found.items()}) for found in answers]

    async def clear(self, job_id: str) -> None:
        with translated():
            await self._client.delete(_progress(job_id))


def _fence(grant: Grant) -> str:
    return KEYS.of("beat", "fence", grant.job_id, grant.name)


def _last(grant: Grant) -> str:
    return KEYS.of("beat", "last", grant.job_id, grant.name)


def _progress(job_id: str) -> str:
    return KEYS.of("progress", job_id)


def _dump(grant: Grant, beat: Beat) -> str:
    return json.dumps(
        {
            "epoch": grant.epoch,
            "process": str(beat.process),
            "fraction": beat.fraction,
            "ticks": beat.ticks,
            "phase": beat.phase,
        }
    )


def _parse(grant: Grant, text: str | bytes | None) -> Beat | None:
    data = json.loads(text) if text else {}
    if data.get("epoch") != grant.epoch:
        return None
    return Beat(
        process=ProcessId.parse(data["process"]),
        fraction=data["fraction"],
        ticks=data["ticks"],
        phase=data["phase"],
    )


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


if TYPE_CHECKING:
    _pulse: type[Pulse] = RedisPulse
    _beats: type[Beats] = RedisBeats
    _board: type[Board] = RedisProgressBoard
