"""Journal, leases, inbox and counters of sagas in Redis; see `farm.adapters.redis_scripts` for the keys."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from farm.adapters import redis_scripts as scripts
from farm.adapters.redis_due import RedisDueBook
from farm.adapters.redis_link import RedisLink
from farm.adapters.redis_records import Expand, RedisDoorbell, RedisEvents, RedisRecords, due_score, index_name, packed
from farm.errors import AlreadyExists, Conflict, Fenced, NotFound
from farm.saga.inbox import Inbox
from farm.saga.journal import ENTRY_VERSION, Appended, Draft, Entry, EntryKind, Journal, Projection
from farm.saga.lease import Backlog, Lease, Leases, Renewal, Waiting
from farm.saga.store import Counters, Store

GLOBAL_EVENTS = 50_000
"""How many events of all sagas are kept, about."""


class RedisJournal:
    """See `farm.saga.journal.Journal`."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def create(self, saga_id: str, drafts: Sequence[Draft], projection: Projection) -> tuple[Entry, ...]:
        answer = await self._link.call(
            scripts.CREATE,
            saga_id,
            int(projection.live),
            projection.priority,
            repr(float(projection.created_at_s)),
            dumps(projection.record),
            _index(projection),
            GLOBAL_EVENTS,
            projection.tenant,
            due_score(projection.due_at_s),
            len(drafts),
            *map(_tail, drafts),
            *map(dumps, projection.events),
            durable=True,
        )
        if answer[0] == "exists":
            raise AlreadyExists(kind="saga", id=saga_id)
        return _entries(0, drafts, float(answer[1]))

    async def append(
        self,
        lease: Lease,
        expected_seq: int,
        drafts: Sequence[Draft],
        projection: Projection,
        *,
        consume: int = 0,
        unless_called: bool = False,
    ) -> Appended:
        answer = await self._link.call(
            scripts.APPEND,
            lease.saga_id,
            lease.epoch,
            expected_seq,
            consume,
            int(unless_called),
            int(projection.live),
            repr(float(projection.created_at_s)),
            dumps(projection.record),
            _index(projection),
            GLOBAL_EVENTS,
            due_score(projection.due_at_s),
            len(drafts),
            *map(_tail, drafts),
            *map(dumps, projection.events),
            durable=True,
        )
        match answer[0]:
            case "ok":
                return Appended(entries=_entries(expected_seq, drafts, float(answer[1])), called=answer[2] > 0)
            case "called":
                return Appended(entries=(), called=True)
            case "seq":
                raise Fenced(f"the journal of saga {lease.saga_id} is not at {expected_seq}")
            case "lease":
                raise Fenced(f"the lease of saga {lease.saga_id} is not valid any more")
            case _:
                raise Fenced(f"saga {lease.saga_id} is gone")

    async def load(self, saga_id: str) -> tuple[Entry, ...]:
        texts = await self._link.call(scripts.LOAD, saga_id)
        if not texts:
            raise NotFound(kind="saga", id=saga_id)
        return tuple(map(_parse, texts))

    async def compact(self, saga_id: str, *, keep_events: int = 32) -> bool:
        full = await self._link.call(scripts.RECORD, saga_id) or ""
        short = packed(full)
        return bool(await self._link.call(scripts.COMPACT, saga_id, keep_events, full, short))

    async def delete(self, saga_id: str) -> bool:
        answer = await self._link.call(scripts.DELETE, saga_id, durable=True)
        if answer == "busy":
            raise Conflict(reason=f"saga {saga_id} is being worked on")
        return bool(answer == "ok")


class RedisLeases:
    """See `farm.saga.lease.Leases`."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def claim(
        self, owner: str, *, ttl_s: float, concurrency: int | None = None, limit: int = 16
    ) -> tuple[Lease, ...]:
        bound = "inf" if concurrency is None else concurrency
        at_s, *granted = await self._link.call(scripts.CLAIM, owner, _ms(ttl_s), bound, limit)
        pairs = zip(granted[::2], granted[1::2], strict=True)
        return tuple(_lease(saga_id, owner, int(epoch), float(at_s), ttl_s) for saga_id, epoch in pairs)

    async def acquire(self, saga_id: str, owner: str, ttl_s: float) -> Lease | None:
        answer = await self._link.call(scripts.ACQUIRE, saga_id, owner, _ms(ttl_s))
        if answer[0] == "gone":
            raise NotFound(kind="saga", id=saga_id)
        return None if answer[0] == "held" else _lease(saga_id, owner, int(answer[2]), float(answer[1]), ttl_s)

    async def renew(self, leases: Sequence[Lease]) -> Renewal:
        if not leases:
            return Renewal()
        asked = (part for lease in leases for part in (lease.saga_id, lease.epoch, _ms(lease.ttl_s)))
        at_s, *answers = await self._link.call(scripts.RENEW, *asked)
        held, lost, called = list[Lease](), list[Lease](), set[str]()
        for lease, answer in zip(leases, answers, strict=True):
            if not answer:
                lost.append(lease)
                continue
            held.append(replace(lease, granted_at_s=float(at_s), expires_at_s=float(at_s) + lease.ttl_s))
            if answer > 1:
                called.add(lease.saga_id)
        return Renewal(held=tuple(held), lost=tuple(lost), called=frozenset(called))

    async def release(self, lease: Lease) -> None:
        await self._link.call(scripts.RELEASE, lease.saga_id, lease.epoch)

    async def held(self) -> tuple[Lease, ...]:
        at_s, *parts = await self._link.call(scripts.HELD)
        rows = zip(*(parts[column::4] for column in range(4)), strict=True)
        return tuple(
            Lease(
                saga_id=saga_id,
                owner=owner,
                epoch=int(epoch),
                granted_at_s=float(at_s),
                expires_at_s=float(ends) / 1000.0,
            )
            for saga_id, owner, epoch, ends in rows
        )

    async def backlog(self) -> Backlog:
        at_s, held, lapsed, *parts = await self._link.call(scripts.BACKLOG)
        rows = zip(*(parts[column::3] for column in range(3)), strict=True)
        return Backlog(
            held=int(held),
            lapsed=int(lapsed),
            waiting=tuple(
                Waiting(priority=int(priority), count=int(count), oldest_s=max(0.0, float(at_s) - float(created_at_s)))
                for priority, count, created_at_s in rows
            ),
        )


class RedisInbox:
    """See `farm.saga.inbox.Inbox`."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def send(self, saga_id: str, message: Mapping[str, Any], *, to_pending: bool = False) -> bool:
        answer = await self._link.call(scripts.SEND, saga_id, dumps(message), int(to_pending), durable=True)
        if answer == "gone":
            raise NotFound(kind="saga", id=saga_id)
        return bool(answer == "ok")

    async def read(self, saga_id: str) -> Sequence[Mapping[str, Any]]:
        return [json.loads(text) for text in await self._link.call(scripts.INBOX, saga_id)]


class RedisCounters:
    """See `farm.saga.store.Counters`."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    async def take(self, saga_id: str, point: str, times: int) -> bool:
        return bool(await self._link.call(scripts.TAKE, saga_id, point, times))


def open_redis(url: str, *, namespace: str = "farm", expand: Expand = dict) -> Store:
    """The saga store in the Redis at ``url``; connects when first asked, for good within that event loop.

    Args:
        url: see `farm.adapters.redis_address`. One primary (with replicas), not Redis Cluster.
        namespace: begins every key, so that farms may share a server.
        expand: makes the records that are shown of those that are kept.
    """
    return open_linked(RedisLink(url, namespace=namespace), expand=expand)


def open_linked(link: RedisLink, *, expand: Expand = dict) -> Store:
    """The saga store over a link, for those who ask more of the link beside it."""
    return Store(
        journal=RedisJournal(link),
        leases=RedisLeases(link),
        inbox=RedisInbox(link),
        doorbell=RedisDoorbell(link),
        records=RedisRecords(link, expand),
        events=RedisEvents(link),
        counters=RedisCounters(link),
        due=RedisDueBook(link),
        close=link.close,
        ping=link.check,
    )


def dumps(value: object) -> str:
    """JSON without blanks; NaN, which is no JSON, is refused."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _tail(draft: Draft) -> str:
    """An entry's text behind its number and time, which only Redis knows."""
    return dumps([draft.kind, draft.step, draft.attempt, ENTRY_VERSION, draft.data])[1:]


def _parse(text: str) -> Entry:
    seq, at_s, kind, step, attempt, version, data = json.loads(text)
    return Entry(
        seq=seq, kind=EntryKind(kind), step=step, attempt=attempt, data=data, at_s=float(at_s), version=version
    )


def _entries(seq: int, drafts: Sequence[Draft], at_s: float) -> tuple[Entry, ...]:
    return tuple(
        Entry(seq=seq + n, kind=draft.kind, step=draft.step, attempt=draft.attempt, data=draft.data, at_s=at_s)
        for n, draft in enumerate(drafts, 1)
    )


def _index(projection: Projection) -> str:
    return dumps(sorted(index_name(name, value) for name, value in projection.index.items()))


def _lease(saga_id: str, owner: str, epoch: int, at_s: float, ttl_s: float) -> Lease:
    return Lease(saga_id=saga_id, owner=owner, epoch=epoch, granted_at_s=at_s, expires_at_s=at_s + ttl_s)


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))


if TYPE_CHECKING:
    _journal: type[Journal] = RedisJournal
    _leases: type[Leases] = RedisLeases
    _inbox: type[Inbox] = RedisInbox
    _counters: type[Counters] = RedisCounters
