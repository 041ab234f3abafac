"""The farm's own catalogue in Redis: the default, so that the farm works with no shop at hand.

Keys:

    <namespace>:product:<tenant>:<product>   hash: token (changes with every write), text (the history, JSON)
    <namespace>:products:<tenant>            zset, all scores 0: the ids of the tenant's products
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis

from farm.adapters.own_catalog import Outcome, OwnCatalog
from farm.adapters.product_history import ProductHistory
from farm.adapters.product_text import from_text, to_text
from farm.adapters.redis_link import translated
from farm.errors import SagaError, ShopRefused, ShopUnavailable, StoreUnavailable
from farm.render.ports import ProductCatalog

# Writes the product only if nobody did since it was read; else answers with what stands there now.
_REPLACE = """
local found = redis.call('HMGET', KEYS[1], 'token', 'text')
if (found[1] or '') ~= ARGV[1] then return {0, found[1] or '', found[2] or ''} end
if ARGV[3] == '' then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[4])
else
  redis.call('HSET', KEYS[1], 'token', ARGV[2], 'text', ARGV[3])
  redis.call('ZADD', KEYS[2], 0, ARGV[4])
end
return {1}
"""
_TRIES = 1000  # somebody wins every round, so only as many rounds are lost as there are writers at once
_PAGE = 200


class BuiltinCatalog(OwnCatalog):
    """Products in Redis; any number of processes may change one product at once.

    A change is computed from what was read and written by one atomic script that refuses when the product was written
    meanwhile; then it is computed anew. A change whose answer was lost is found done when it is repeated.
    """

    def __init__(self, redis: Redis, namespace: str = "farm") -> None:
        self._redis = redis
        self._namespace = namespace
        self._replace = redis.register_script(_REPLACE)

    async def _load(self, tenant: str, product_id: str) -> ProductHistory | None:
        with _translated(product_id):
            text = await self._redis.hget(self._key(tenant, product_id), "text")
        return _history(product_id, text)

    async def _load_all(self, tenant: str) -> Sequence[ProductHistory]:
        found: list[ProductHistory] = []
        after = "-"
        while True:
            with _translated():
                rows = await self._redis.zrangebylex(self._index(tenant), after, "+", start=0, num=_PAGE)
                ids = [row.decode() if isinstance(row, bytes) else str(row) for row in rows]
                pipe = self._redis.pipeline(transaction=False)
                for product_id in ids:
                    pipe.hget(self._key(tenant, product_id), "text")
                texts = await pipe.execute()
            histories = (_history(product_id, text) for product_id, text in zip(ids, texts, strict=True))
            found += [history for history in histories if history is not None]
            if len(ids) < _PAGE:
                return found
            after = f"({ids[-1]}"

    async def _change[T](
        self, tenant: str, product_id: str, change: Callable[[ProductHistory | None], Outcome[T]]
    ) -> T:
        keys = [self._key(tenant, product_id), self._index(tenant)]
        with _translated(product_id):
            token, text = await self._redis.hmget(keys[0], ["token", "text"])
        for _ in range(_TRIES):
            before = _history(product_id, text)
            after, answer = change(before)
            if after == before:
                return answer
            new_text = "" if after is None else to_text(after)
            with _translated(product_id):
                reply: list[Any] = await self._replace(
                    keys=keys, args=[token or "", secrets.token_hex(8), new_text, product_id]
                )
            if reply[0] == 1:
                return answer
            token, text = reply[1], reply[2]
        raise ShopUnavailable(reason=f"product {product_id} was changed by others {_TRIES} times in a row")

    def _key(self, tenant: str, product_id: str) -> str:
        return f"{self._namespace}:product:{tenant}:{product_id}"

    def _index(self, tenant: str) -> str:
        return f"{self._namespace}:products:{tenant}"


def _history(product_id: str, text: str | bytes | None) -> ProductHistory | None:
    if not text:
        return None
    try:
        return from_text(text)
    except (ValueError, KeyError, TypeError) as error:
        raise ShopRefused(product_id=product_id, reason=f"its record cannot be read: {error}") from error


@contextmanager
def _translated(product_id: str = "(all)") -> Iterator[None]:
    """Errors of the farm's own store, as a shop's."""
    try:
        with translated():
            yield
    except StoreUnavailable as error:
        raise ShopUnavailable(reason=f"the catalogue's Redis: {error.reason}") from error
    except SagaError as error:
        raise ShopRefused(product_id=product_id, reason=error.reason) from error


if TYPE_CHECKING:
    _conforms: type[ProductCatalog] = BuiltinCatalog
