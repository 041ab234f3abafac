"""What a farm has learned of its own pace, in Redis: ``farm:paces``, a hash of kind -> mean, weight, when."""

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, cast

import redis.asyncio

from farm.adapters.redis_link import translated
from farm.render.catalog.lessons import Lesson, PaceBook
from farm.render.estimate import Paces

MOST_KINDS = 200
"""Those that were learned longest ago go."""
MOST_WEIGHT = 100.0
"""What is known never weighs more, so that what is new counts: another machine, a version that is faster."""

_LEARN = """
local most, heaviest, now = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
for n = 4, #ARGV, 3 do
  local name, mean, weight = ARGV[n], tonumber(ARGV[n + 1]), tonumber(ARGV[n + 2])
  local was = redis.call('HGET', KEYS[1], name)
  if was then
    local old_mean, old_weight = string.match(was, '^(%S+) (%S+) ')
    old_mean, old_weight = tonumber(old_mean), tonumber(old_weight)
    if old_mean and old_weight then
      mean = (old_mean * old_weight + mean * weight) / (old_weight + weight)
      weight = old_weight + weight
    end
  end
  redis.call('HSET', KEYS[1], name, string.format('%.6g %.6g %s', mean, math.min(weight, heaviest), now))
end
while redis.call('HLEN', KEYS[1]) > most do
  local all, oldest, since = redis.call('HGETALL', KEYS[1]), nil, nil
  for n = 1, #all, 2 do
    local at = tonumber(string.match(all[n + 1], ' (%S+)$')) or 0
    if not since or at < since then oldest, since = all[n], at end
  end
  redis.call('HDEL', KEYS[1], oldest)
end
return 1
"""


class RedisPaceBook:
    """See `farm.render.catalog.lessons.PaceBook`.

    Args:
        namespace: of the farm; two of them on one store learn apart.
    """

    def __init__(
        self, client: "redis.asyncio.Redis", *, namespace: str = "farm", now_s: Callable[[], float] = time.time
    ) -> None:
        self._client = client
        self._key = f"{namespace}:paces"
        self._now_s = now_s
        self._learn = client.register_script(_LEARN)

    async def learn(self, lessons: Sequence[Lesson]) -> None:
        if not lessons:
            return
        args: list[str | float] = [MOST_KINDS, MOST_WEIGHT, f"{self._now_s():.3f}"]
        for lesson in lessons:
            args += [lesson.name, repr(lesson.mean_s), repr(lesson.weight)]
        with translated():
            await cast("Awaitable[int]", self._learn(keys=[self._key], args=args))

    async def read(self) -> Paces:
        with translated():
            found = await self._client.hgetall(self._key)
        return Paces({_text(name): float(_text(told).partition(" ")[0]) for name, told in found.items()})


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


if TYPE_CHECKING:
    _conforms: type[PaceBook] = RedisPaceBook
