"""The brief records of a batch's jobs in Redis, written in one atomic act; and the book of known designs."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from farm.adapters.redis_journal import dumps
from farm.adapters.redis_link import RedisLink, translated
from farm.adapters.redis_records import index_name
from farm.adapters.redis_scripts import script
from farm.errors import Fenced
from farm.render.catalog.ports import DesignBook, KnownDesign, RowRecord, RowRecords
from farm.saga.lease import Lease

# The batch's lease is fenced in the batches' own namespace; the records stand among all other jobs' (see
# `farm.adapters.redis_scripts`), without journal, events or lease of their own. `done` marks an end, which is final.
_WRITE_ROWS = script("""
local batch = ARGV[2] .. ':s:' .. ARGV[3]
local is = redis.call('HMGET', batch, 'epoch', 'exp')
if is[1] ~= ARGV[4] or tonumber(is[2]) <= now then return 'lease' end
for n = 5, #ARGV, 5 do
  local id, score, rec, ix, done = ARGV[n], ARGV[n + 1], ARGV[n + 2], ARGV[n + 3], ARGV[n + 4]
  local saga = key('s', id)
  local was = redis.call('HMGET', saga, 'ix', 'done')
  if was[2] ~= '1' then
    redis.call('HSET', saga, 'rec', rec, 'ix', ix, 'live', 0, 'exp', 0)
    if done == '1' then
      redis.call('HSET', saga, 'done', 1)
      redis.call('ZADD', ns .. ':due', at, id)
    end
    redis.call('ZADD', ns .. ':all', score, id)
    local stays = {}
    for _, name in ipairs(cjson.decode(ix)) do
      stays[name] = true
      redis.call('ZADD', ns .. ':ix:' .. name, score, id)
    end
    if was[1] then
      for _, name in ipairs(cjson.decode(was[1])) do
        if not stays[name] then redis.call('ZREM', ns .. ':ix:' .. name, id) end
      end
    end
  end
end
return 'ok'
""")


class RedisRowRecords:
    """See `farm.render.catalog.ports.RowRecords`.

    Args:
        link: in the namespace of the jobs.
        batches: the namespace of the batches, on the same server.
    """

    def __init__(self, link: RedisLink, batches: str) -> None:
        self._link = link
        self._batches = batches

    async def write(self, lease: Lease, rows: Sequence[RowRecord]) -> None:
        if not rows:
            return
        parts = (
            part
            for row in rows
            for part in (
                row.job_id,
                repr(float(row.created_at_s)),
                dumps(row.record),
                json.dumps(sorted(index_name(name, value) for name, value in row.index.items())),
                int(row.ended),
            )
        )
        answer = await self._link.call(_WRITE_ROWS, self._batches, lease.saga_id, lease.epoch, *parts, durable=True)
        if answer != "ok":
            raise Fenced(f"the lease of batch {lease.saga_id} is not valid any more")


class RedisDesignBook:
    """See `farm.render.catalog.ports.DesignBook`. One short string per identity, gone after ``keep_s``."""

    def __init__(self, link: RedisLink, *, keep_s: float) -> None:
        self._link = link
        self._keep_s = keep_s

    async def look_up(self, tenant: str, identities: Sequence[str]) -> Sequence[KnownDesign | None]:
        if not identities:
            return []
        keys = [self._key(tenant, identity) for identity in identities]
        with translated():
            found = await self._link.client.mget(keys)
        return [None if text is None else _known(text) for text in found]

    async def remember(self, tenant: str, found: Mapping[str, KnownDesign]) -> None:
        if not found:
            return
        with translated():
            async with self._link.client.pipeline(transaction=False) as pipe:
                for identity, known in found.items():
                    text = f"{known.sha256} {known.width_px} {known.height_px}"
                    pipe.set(self._key(tenant, identity), text, ex=round(self._keep_s))
                await pipe.execute()

    def _key(self, tenant: str, identity: str) -> str:
        return self._link.key("d", tenant, hashlib.sha256(identity.encode()).hexdigest()[:32])


def _known(text: str | bytes) -> KnownDesign:
    sha256, width_px, height_px = str(text).split(" ")
    return KnownDesign(sha256=sha256, width_px=int(width_px), height_px=int(height_px))


if TYPE_CHECKING:
    _records: type[RowRecords] = RedisRowRecords
    _book: type[DesignBook] = RedisDesignBook
