"""The due book in Redis: a sorted set beside the sagas, written by their own scripts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from farm.adapters.redis_link import RedisLink
from farm.adapters.redis_scripts import script
from farm.saga.due import DueBook, DueItem

_DUE = script("return redis.call('ZRANGEBYSCORE', ns .. ':due', '-inf', ARGV[2], 'WITHSCORES', 'LIMIT', 0, ARGV[3])")

_SETTLE = script("""
local due = ns .. ':due'
for n = 2, #ARGV, 3 do
  local id, was, following = ARGV[n], ARGV[n + 1], ARGV[n + 2]
  local is = redis.call('ZSCORE', due, id)
  if is and tonumber(is) == tonumber(was) then
    if following == '' then redis.call('ZREM', due, id) else redis.call('ZADD', due, following, id) end
  end
end
return 1
""")

# By rank and not by score: any number of sagas may have been created at the same moment. The last one's rank is looked
# up again, since new ones have come before it; had it been deleted, those of its moment are entered once more.
_ADOPT = script("""
local mark, moment, limit = ARGV[2], ARGV[3], tonumber(ARGV[4])
local walk, due, all = ns .. ':due:walk', ns .. ':due', ns .. ':all'
local is = redis.call('HMGET', walk, 'mark', 'id', 'score')
if is[1] ~= mark then
  redis.call('HSET', walk, 'mark', mark, 'id', '', 'score', '+inf')
  for n = 5, #ARGV do redis.call('ZADD', due, 'LT', moment, ARGV[n]) end
  is = {mark, '', '+inf'}
end
if is[3] == 'end' then return 0 end
local rank = is[2] ~= '' and redis.call('ZREVRANK', all, is[2])
local part
if rank then
  part = redis.call('ZREVRANGE', all, rank + 1, rank + limit, 'WITHSCORES')
else
  part = redis.call('ZREVRANGEBYSCORE', all, is[3], '-inf', 'WITHSCORES', 'LIMIT', 0, limit)
end
if #part == 0 then
  redis.call('HSET', walk, 'score', 'end')
  return 0
end
for n = 1, #part, 2 do redis.call('ZADD', due, 'LT', moment, part[n]) end
redis.call('HSET', walk, 'id', part[#part - 1], 'score', part[#part])
return #part / 2
""")

_HOLD = script("""
local holder, ttl = ns .. ':due:holder', tonumber(ARGV[3])
local is = redis.call('GET', holder)
if is and is ~= ARGV[2] then return 0 end
if ttl > 0 then redis.call('SET', holder, ARGV[2], 'PX', ttl) else redis.call('DEL', holder) end
return 1
""")


class RedisDueBook:
    """See `farm.saga.due.DueBook`."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def due(self, until_s: float, *, limit: int) -> Sequence[DueItem]:
        found = await self._link.call(_DUE, repr(float(until_s)), limit)
        return [DueItem(id=name, at_s=float(at_s)) for name, at_s in zip(found[::2], found[1::2], strict=True)]

    async def settle(self, looked_at: Sequence[tuple[DueItem, float | None]]) -> None:
        if not looked_at:
            return
        parts = (
            part
            for item, next_s in looked_at
            for part in (item.id, repr(item.at_s), "" if next_s is None else repr(float(next_s)))
        )
        await self._link.call(_SETTLE, *parts)

    async def adopt(self, mark: str, now_s: float, *, extra: Sequence[str] = (), limit: int = 1000) -> int:
        return int(await self._link.call(_ADOPT, mark, repr(float(now_s)), limit, *extra))

    async def hold(self, owner: str, ttl_s: float) -> bool:
        return bool(await self._link.call(_HOLD, owner, round(ttl_s * 1000)))


if TYPE_CHECKING:
    _conforms: type[DueBook] = RedisDueBook
