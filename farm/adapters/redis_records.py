"""Records, events and the doorbell of sagas in Redis: what readers use."""

import asyncio
import base64
import json
import zlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from farm.adapters import redis_scripts as scripts
from farm.adapters.redis_link import SLICE_S, RedisLink, translated
from farm.errors import InvalidRequest, StoreUnavailable
from farm.saga.event import Event, Events
from farm.saga.inbox import Doorbell
from farm.saga.records import Page, Records

_READ = 200
PACKED = "z:"
"""How a record that was compacted begins; JSON never does."""

Expand = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Makes the record that is shown of the one that is kept, where that is a shorter one."""


class RedisRecords:
    """See `farm.saga.records.Records`."""

    def __init__(self, link: RedisLink, expand: Expand = dict) -> None:
        self._link = link
        self._expand = expand

    async def get(self, saga_id: str) -> Mapping[str, Any] | None:
        answer = await self._link.call(scripts.GET, saga_id)
        return self._record(answer) if answer else None

    def _record(self, answer: Sequence[Any]) -> dict[str, Any]:
        text, annotations = answer
        record = self._expand(json.loads(unpacked(text)))
        pairs = zip(annotations[::2], annotations[1::2], strict=True)
        record.update({name: json.loads(value) for name, value in pairs})
        return record

    async def list(
        self,
        filters: Mapping[str, str] | None = None,
        *,
        cursor: str | None = None,
        limit: int = 50,
        created_after_s: float | None = None,
    ) -> Page:
        score, saga_id = _parse_cursor(cursor)
        after = "-inf" if created_after_s is None else f"({float(created_after_s)!r}"
        names = [index_name(name, value) for name, value in (filters or {}).items()]
        rows: list[Any] = []
        state = "more"
        # One more than asked tells whether there is more. A walk cut short by its bound goes on from where it was.
        while state == "more" and len(rows) <= limit:
            wanted = limit + 1 - len(rows)
            state, score, saga_id, found = await self._link.call(scripts.LIST, wanted, score, saga_id, after, *names)
            rows.extend(found)
        page = rows[:limit]
        following = f"{page[-1][2]}:{page[-1][3]}" if len(rows) > limit else None
        return Page(records=tuple(self._record(row[:2]) for row in page), cursor=following)

    async def count(self, filters: Mapping[str, str] | None = None) -> int:
        return (await self.count_each([filters or {}]))[0]

    async def count_each(self, filters: Sequence[Mapping[str, str]]) -> Sequence[int]:
        if not filters:
            return ()
        with translated():
            async with self._link.client.pipeline(transaction=False) as pipeline:
                for one in filters:
                    names = [index_name(name, value) for name, value in one.items()]
                    keys = [self._link.key("ix", name) for name in names] or [self._link.key("all")]
                    if len(keys) == 1:
                        pipeline.zcard(keys[0])
                    else:
                        pipeline.zintercard(len(keys), keys)
                return [int(answer) for answer in await pipeline.execute()]

    async def annotate(self, saga_id: str, fields: Mapping[str, Any], *, due_at_s: float | None = None) -> bool:
        pairs = (part for name, value in fields.items() for part in (name, json.dumps(value, allow_nan=False)))
        return bool(await self._link.call(scripts.ANNOTATE, saga_id, due_score(due_at_s), *pairs, durable=True))


class RedisEvents:
    """See `farm.saga.event.Events`."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def read(self, saga_id: str, after_number: int = 0, *, limit: int = 1000) -> Sequence[Event]:
        key, after = self._link.key("e", saga_id), f"({after_number}-0"
        with translated():
            found: Any = await self._link.client.xrange(key, min=after, count=limit)
        return [_event(saga_id, position, fields) for position, fields in found]

    async def follow(
        self, saga_id: str, after_number: int = 0, *, idle_s: float = 15.0
    ) -> AsyncGenerator[Event | None]:
        key = self._link.key("e", saga_id)
        async with aclosing(self._blocking(key, f"{after_number}-0", idle_s)) as items:
            async for found in items:
                yield None if found is None else _event(saga_id, *found)

    async def tail(self, position: str | None = None, *, idle_s: float = 15.0) -> AsyncGenerator[Event | None]:
        key = self._link.key("events")
        if position is None:
            position = await self.newest()
        async with aclosing(self._blocking(key, position, idle_s)) as items:
            async for found in items:
                yield None if found is None else _any_event(*found)

    async def newest(self) -> str:
        with translated():
            found: Any = await self._link.client.xrevrange(self._link.key("events"), count=1)
        return str(found[0][0]) if found else "0-0"

    async def whole_after(self, position: str) -> bool:
        key = self._link.key("events")
        with translated():
            oldest: Any = await self._link.client.xrange(key, count=1)
            if not oldest or _parts(oldest[0][0]) <= _parts(position):
                return True
            info: Any = await self._link.client.xinfo_stream(key)
        return bool(info.get("entries-added") == info["length"])  # nothing was ever dropped

    def time_of(self, position: str) -> float:
        return _parts(position)[0] / 1000.0

    async def _blocking(
        self, key: str, position: str, idle_s: float
    ) -> AsyncGenerator[tuple[str, Mapping[str, str]] | None]:
        """Items of a stream as they come; ``None`` whenever none came for ``idle_s``."""
        loop = asyncio.get_running_loop()
        quiet_until_s = loop.time() + idle_s
        while True:
            block_s = min(SLICE_S, max(0.001, quiet_until_s - loop.time()))
            with translated():
                answer: Any = await self._link.followers.xread(
                    {key: position}, count=_READ, block=round(block_s * 1000)
                )
            for item in answer[0][1] if answer else ():
                position = item[0]
                yield item
                quiet_until_s = loop.time() + idle_s
            if loop.time() >= quiet_until_s:
                yield None
                quiet_until_s = loop.time() + idle_s


class RedisDoorbell:
    """See `farm.saga.inbox.Doorbell`."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def listen(self) -> AsyncGenerator[str]:
        async with self._link.followers.pubsub(ignore_subscribe_messages=True) as pubsub:
            with translated():
                await pubsub.subscribe(self._link.key("bell"))
            turn = self._link.connections.turn
            while True:
                if turn != self._link.connections.turn:  # a server that was replaced may stay silent for ever
                    raise StoreUnavailable(reason="the server was replaced")
                with translated():
                    message = await pubsub.get_message(timeout=SLICE_S)
                if message is not None:
                    yield cast(str, message["data"])


def due_score(due_at_s: float | None) -> str:
    """A time as a score of the due book; empty for none."""
    return "" if due_at_s is None else repr(float(due_at_s))


def packed(text: str) -> str:
    """A record's JSON in a fifth of its bytes, for a saga that has ended; empty where that is no gain."""
    if not text or text.startswith(PACKED):
        return ""
    short = PACKED + base64.b85encode(zlib.compress(text.encode(), 9)).decode()
    return short if len(short) < len(text) else ""


def unpacked(text: str) -> str:
    """A record's JSON, however it is kept."""
    if not text.startswith(PACKED):
        return text
    return zlib.decompress(base64.b85decode(text.removeprefix(PACKED))).decode()


def index_name(field: str, value: str) -> str:
    """An index as it stands in keys: whatever the value holds, plain ASCII."""
    return f"{field}:{quote(value, safe='', errors='surrogatepass')}"


def _parts(position: str) -> tuple[int, int]:
    milliseconds, _, number = position.partition("-")
    return int(milliseconds), int(number or 0)


def _event(saga_id: str, position: str, fields: Mapping[str, str]) -> Event:
    number = int(position.partition("-")[0])
    return Event(saga_id=saga_id, number=number, at_s=float(fields["t"]), data=json.loads(fields["d"]))


def _any_event(position: str, fields: Mapping[str, str]) -> Event:
    return Event(
        saga_id=fields["s"],
        number=int(fields["n"]),
        at_s=float(fields["t"]),
        data=json.loads(fields["d"]),
        position=position,
    )


def _parse_cursor(cursor: str | None) -> tuple[str, str]:
    if cursor is None:
        return "+inf", ""
    score, found, saga_id = cursor.partition(":")
    try:
        if not found or not saga_id:
            raise ValueError(cursor)
        return repr(float(score)), saga_id
    except ValueError:
        raise InvalidRequest(reason="the cursor is none of this list's") from None


if TYPE_CHECKING:
    _records: type[Records] = RedisRecords
    _events: type[Events] = RedisEvents
    _doorbell: type[Doorbell] = RedisDoorbell
