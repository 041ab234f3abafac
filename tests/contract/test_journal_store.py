"""The contract of the saga store: the same sentences for every adapter."""

import asyncio
import time
from contextlib import aclosing
from random import Random

import pytest

from farm.errors import AlreadyExists, Conflict, Fenced, InvalidRequest, NotFound
from farm.saga.journal import EntryKind
from farm.saga.lease import Backlog, Lease
from tests.contract.journal_stores import (
    CREATED,
    FAILED,
    NOTED,
    PENDING,
    STARTED,
    Subject,
    projection,
    server,
    subject,
)

__all__ = ["server", "subject"]

TTL_S = 30.0
SHORT_S = 0.3


async def born(s: Subject, saga_id: str = "a", **options: object) -> None:
    await s.store.journal.create(saga_id, CREATED, projection(id=saga_id, **options))  # type: ignore[arg-type]


async def leased(s: Subject, saga_id: str = "a", *, ttl_s: float = TTL_S) -> Lease:
    await born(s, saga_id)
    lease = await s.store.leases.acquire(saga_id, "me", ttl_s)
    assert lease is not None
    return lease


# --- journal


async def test_what_was_created_can_be_loaded_as_it_was(subject: Subject) -> None:
    await born(subject)
    (entry,) = await subject.again.journal.load("a")
    assert (entry.seq, entry.kind, entry.step, entry.attempt) == (1, EntryKind.CREATED, None, 0)
    assert entry.data == CREATED[0].data
    assert entry.at_s > 1e9


async def test_an_id_is_taken_once(subject: Subject) -> None:
    await born(subject, title="first")
    with pytest.raises(AlreadyExists):
        await born(subject, title="second")
    assert (await subject.store.records.get("a")) == {"id": "a", "title": "first"}


async def test_nothing_is_there_before(subject: Subject) -> None:
    with pytest.raises(NotFound):
        await subject.store.journal.load("a")
    with pytest.raises(NotFound):
        await subject.store.leases.acquire("a", "me", TTL_S)
    with pytest.raises(NotFound):
        await subject.store.inbox.send("a", {"kind": "cancel"})
    assert await subject.store.records.get("a") is None
    assert not await subject.store.records.annotate("a", {"x": 1})
    assert not await subject.store.journal.delete("a")
    assert not await subject.store.journal.compact("a")


async def test_appends_number_entries_and_replace_the_record(subject: Subject) -> None:
    lease = await leased(subject)
    appended = await subject.store.journal.append(lease, 1, STARTED + NOTED, projection(step="one"))
    assert [entry.seq for entry in appended.entries] == [2, 3]
    assert not appended.called
    loaded = await subject.again.journal.load("a")
    assert loaded[1:] == appended.entries
    assert await subject.again.records.get("a") == {"step": "one"}


async def test_an_append_out_of_turn_is_refused_and_changes_nothing(subject: Subject) -> None:
    lease = await leased(subject)
    await subject.store.journal.append(lease, 1, STARTED, projection(step="one"))
    for wrong in (1, 3):
        with pytest.raises(Fenced):
            await subject.store.journal.append(lease, wrong, NOTED + NOTED, projection(step="two", events=({},)))
    assert len(await subject.store.journal.load("a")) == 2
    assert await subject.store.records.get("a") == {"step": "one"}
    assert await subject.store.events.read("a") == []


async def test_repeating_an_append_whose_answer_was_lost_writes_once(subject: Subject) -> None:
    lease = await leased(subject)
    shown = projection(events=({"type": "x"},))
    first = await subject.store.journal.append(lease, 1, STARTED, shown)
    assert await subject.store.journal.append(lease, 1, STARTED, shown) == first
    assert len(await subject.store.journal.load("a")) == 2
    assert len(await subject.store.events.read("a")) == 1


async def test_the_last_append_can_be_repeated_too(subject: Subject) -> None:
    lease = await leased(subject)
    first = await subject.store.journal.append(lease, 1, FAILED, projection(live=False))
    assert await subject.store.journal.append(lease, 1, FAILED, projection(live=False)) == first


async def test_an_overtaken_coordinator_is_fenced(subject: Subject) -> None:
    stale = await leased(subject, ttl_s=SHORT_S)
    await subject.pass_time(2 * SHORT_S)
    fresh = await subject.again.leases.acquire("a", "other", TTL_S)
    assert fresh is not None
    assert fresh.epoch > stale.epoch
    with pytest.raises(Fenced):
        await subject.store.journal.append(stale, 1, STARTED, projection())
    await subject.again.journal.append(fresh, 1, STARTED, projection())
    assert (await subject.store.leases.renew([stale])).lost == (stale,)
    await subject.store.leases.release(stale)
    assert await subject.store.leases.acquire("a", "third", TTL_S) is None


async def test_a_lapsed_lease_does_not_append_but_can_be_renewed_while_nobody_took_over(subject: Subject) -> None:
    lease = await leased(subject, ttl_s=SHORT_S)
    await subject.pass_time(2 * SHORT_S)
    with pytest.raises(Fenced):
        await subject.store.journal.append(lease, 1, STARTED, projection())
    (renewed,) = (await subject.store.leases.renew([lease])).held
    assert renewed.epoch == lease.epoch
    assert renewed.expires_at_s > lease.expires_at_s
    assert (await subject.store.journal.append(renewed, 1, STARTED, projection())).entries


async def test_a_released_lease_does_not_append(subject: Subject) -> None:
    lease = await leased(subject)
    await subject.store.leases.release(lease)
    with pytest.raises(Fenced):
        await subject.store.journal.append(lease, 1, STARTED, projection())
    assert (await subject.store.leases.renew([lease])).lost == (lease,)


async def test_the_last_append_ends_the_lease_and_empties_the_inbox(subject: Subject) -> None:
    lease = await leased(subject)
    await subject.store.inbox.send("a", {"kind": "cancel"})
    await subject.store.journal.append(lease, 1, FAILED, projection(live=False))
    assert (await subject.store.leases.renew([lease])).lost == (lease,)
    assert await subject.store.inbox.read("a") == []
    assert await subject.store.leases.claim("me", ttl_s=TTL_S) == ()
    assert not await subject.store.inbox.send("a", {"kind": "cancel"})


# --- leases


async def test_claims_go_by_priority_then_first_in(subject: Subject) -> None:
    for saga_id, priority in (("low", -1), ("first", 0), ("second", 0), ("high", 1000), ("lowest", -1000)):
        await born(subject, saga_id, priority=priority)
    claimed = await subject.store.leases.claim("me", ttl_s=TTL_S, limit=3)
    claimed += await subject.again.leases.claim("other", ttl_s=TTL_S, limit=3)
    assert [lease.saga_id for lease in claimed] == ["high", "first", "second", "low", "lowest"]
    assert [lease.owner for lease in claimed] == ["me"] * 3 + ["other"] * 2
    epochs = [lease.epoch for lease in claimed]
    assert epochs == sorted(set(epochs))
    assert await subject.store.leases.claim("me", ttl_s=TTL_S) == ()


async def test_tenants_are_claimed_in_turn_whoever_has_the_longer_queue(subject: Subject) -> None:
    await asyncio.gather(*(born(subject, f"big{n:04d}", tenant="big") for n in range(1000)))
    for n in (2, 0, 1):
        await born(subject, f"small{n}", tenant="small")
    await born(subject, "urgent", tenant="big", priority=1)
    claimed = await subject.store.leases.claim("me", ttl_s=TTL_S, limit=4)
    assert [lease.saga_id for lease in claimed[:1]] == ["urgent"], "priority comes before turns"
    claimed += await subject.again.leases.claim("other", ttl_s=TTL_S, limit=5)
    whose = [lease.saga_id.rstrip("0123456789") for lease in claimed[1:]]
    assert [whose[:2].count("small"), whose[:4].count("small"), whose[:6].count("small")] == [1, 2, 3]
    assert whose[6:] == ["big"] * 2, "who has nothing more waiting holds nobody up"
    smalls = [lease.saga_id for lease in claimed if lease.saga_id.startswith("small")]
    assert smalls == ["small2", "small0", "small1"], "each tenant's own: first in, first out"


async def test_nobody_saves_turns_up_and_nobody_pays_for_what_was_claimed_before(subject: Subject) -> None:
    for n in range(20):
        await born(subject, f"early{n:02d}", tenant="busy")
    assert len(await subject.store.leases.claim("me", ttl_s=TTL_S, limit=20)) == 20
    for n in range(6):
        await born(subject, f"busy{n}", tenant="busy")
        await born(subject, f"idle{n}", tenant="idle")
    claimed = await subject.store.leases.claim("me", ttl_s=TTL_S, limit=8)
    assert sum(lease.saga_id.startswith("busy") for lease in claimed) == 4
    await born(subject, "new", tenant="new")
    claimed = await subject.store.leases.claim("me", ttl_s=TTL_S, limit=3)
    assert "new" in [lease.saga_id for lease in claimed]


async def test_one_who_sends_job_after_job_gets_no_more_than_its_turns(subject: Subject) -> None:
    for n in range(10):
        await born(subject, f"patient{n}", tenant="patient")
    claimed: list[str] = []
    for n in range(8):
        await born(subject, f"eager{n}", tenant="eager")
        claimed += [lease.saga_id for lease in await subject.store.leases.claim("me", ttl_s=TTL_S, limit=1)]
    assert 3 <= sum(name.startswith("patient") for name in claimed) <= 5


async def test_in_any_order_of_arrivals_and_claims_turns_are_kept(subject: Subject) -> None:
    random = Random(7)
    waiting: dict[tuple[int, str], list[str]] = {}
    number = 0
    for _ in range(60):
        for _ in range(random.randrange(4)):
            priority, tenant = random.choice((0, 0, 5)), random.choice("abc")
            number += 1
            name = f"{random.randrange(1000):03d}-{number}"
            await born(subject, name, tenant=tenant, priority=priority)
            waiting.setdefault((priority, tenant), []).append(name)
        claimed = await subject.store.leases.claim("me", ttl_s=TTL_S, limit=random.randrange(1, 4))
        for lease in claimed:
            priority, tenant = next(key for key, names in waiting.items() if lease.saga_id in names)
            assert priority == max(key[0] for key, names in waiting.items() if names)
            assert waiting[priority, tenant].pop(0) == lease.saga_id, "first in, first out within tenant and priority"


async def test_all_coordinators_together_never_exceed_the_concurrency(subject: Subject) -> None:
    for n in range(8):
        await born(subject, f"s{n}")
    first = await subject.store.leases.claim("me", ttl_s=TTL_S, concurrency=3)
    assert len(first) == 3
    assert await subject.again.leases.claim("other", ttl_s=TTL_S, concurrency=3) == ()
    await subject.store.leases.release(first[0])
    (again,) = await subject.again.leases.claim("other", ttl_s=TTL_S, concurrency=3)
    assert again.saga_id == first[0].saga_id  # it kept its place
    assert again.epoch > first[2].epoch
    await subject.again.journal.append(again, 1, FAILED, projection(live=False))
    assert len(await subject.again.leases.claim("other", ttl_s=TTL_S, concurrency=3)) == 1


async def test_parallel_claims_never_grant_a_saga_twice(subject: Subject) -> None:
    for n in range(20):
        await born(subject, f"s{n}")
    stores = [subject.store, subject.again] * 10
    rounds = await asyncio.gather(
        *(s.leases.claim(f"c{n}", ttl_s=TTL_S, concurrency=15, limit=4) for n, s in enumerate(stores))
    )
    claimed = [lease.saga_id for leases in rounds for lease in leases]
    assert len(claimed) == len(set(claimed)) == 15


async def test_a_lapsed_saga_is_taken_over_before_new_ones_and_counts_once(subject: Subject) -> None:
    await born(subject, "old")
    (old,) = await subject.store.leases.claim("dead", ttl_s=SHORT_S)
    await born(subject, "new", priority=5)
    await subject.pass_time(2 * SHORT_S)
    claimed = await subject.again.leases.claim("me", ttl_s=TTL_S, concurrency=1)
    assert [lease.saga_id for lease in claimed] == ["old"]
    assert claimed[0].epoch > old.epoch
    assert await subject.again.leases.claim("me", ttl_s=TTL_S, concurrency=1) == ()


async def test_a_coordinator_leaves_its_own_lapsed_leases_to_its_renewals_for_a_while(subject: Subject) -> None:
    await born(subject)
    (lease,) = await subject.store.leases.claim("me", ttl_s=0.6)
    await subject.pass_time(0.65)
    assert await subject.store.leases.claim("me", ttl_s=0.6) == ()
    await subject.pass_time(0.6)
    (again,) = await subject.store.leases.claim("me", ttl_s=0.6)
    assert again.epoch > lease.epoch


async def test_a_called_saga_is_claimed_beyond_the_concurrency(subject: Subject) -> None:
    await born(subject, "running")
    await born(subject, "waiting")
    await born(subject, "unwanted")
    await subject.store.leases.claim("me", ttl_s=TTL_S, concurrency=1)
    assert await subject.store.inbox.send("unwanted", {"kind": "cancel"})
    claimed = await subject.store.leases.claim("me", ttl_s=TTL_S, concurrency=1)
    assert [lease.saga_id for lease in claimed] == ["unwanted"]
    assert await subject.store.leases.claim("me", ttl_s=TTL_S, concurrency=1) == ()


async def test_a_held_saga_cannot_be_acquired(subject: Subject) -> None:
    await leased(subject)
    assert await subject.again.leases.acquire("a", "other", TTL_S) is None


async def test_an_ended_saga_can_be_acquired_but_not_claimed(subject: Subject) -> None:
    lease = await leased(subject)
    await subject.store.journal.append(lease, 1, PENDING, projection(live=False))
    again = await subject.again.leases.acquire("a", "other", SHORT_S)
    assert again is not None
    await subject.pass_time(2 * SHORT_S)
    assert await subject.store.leases.claim("me", ttl_s=TTL_S) == ()


async def test_a_saga_that_lives_again_can_be_taken_over(subject: Subject) -> None:
    lease = await leased(subject)
    await subject.store.journal.append(lease, 1, PENDING, projection(live=False))
    again = await subject.again.leases.acquire("a", "other", SHORT_S)
    assert again is not None
    await subject.again.journal.append(again, 2, NOTED, projection(live=True))
    await subject.pass_time(2 * SHORT_S)
    assert [lease.saga_id for lease in await subject.store.leases.claim("me", ttl_s=TTL_S)] == ["a"]


# --- inbox


async def test_messages_wait_until_an_append_consumes_them(subject: Subject) -> None:
    lease = await leased(subject)
    await subject.again.inbox.send("a", {"kind": "hello"})
    await subject.again.inbox.send("a", {"kind": "hello"})
    await subject.again.inbox.send("a", {"kind": "cancel"})
    assert await subject.store.inbox.read("a") == [{"kind": "hello"}, {"kind": "cancel"}]
    renewal = await subject.store.leases.renew([lease])
    assert renewal.called == {"a"}
    assert (await subject.store.journal.append(lease, 1, STARTED, projection(), consume=1)).called
    assert await subject.store.inbox.read("a") == [{"kind": "cancel"}]
    assert not (await subject.store.journal.append(lease, 2, NOTED, projection(), consume=1)).called
    assert (await subject.store.leases.renew([lease])).called == frozenset()


async def test_the_pivot_is_refused_while_an_unread_message_waits(subject: Subject) -> None:
    lease = await leased(subject)
    assert await subject.again.inbox.send("a", {"kind": "hello"})
    refused = await subject.store.journal.append(lease, 1, FAILED, projection(live=False), unless_called=True)
    assert refused.entries == ()
    assert refused.called
    assert len(await subject.store.journal.load("a")) == 1
    taken = await subject.store.journal.append(lease, 1, FAILED, projection(live=False), consume=1, unless_called=True)
    assert len(taken.entries) == 1


async def test_an_ended_saga_hears_only_of_its_pending_compensation(subject: Subject) -> None:
    lease = await leased(subject)
    asked = {"kind": "compensate"}
    assert not await subject.store.inbox.send("a", asked, to_pending=True), "it lives"
    await subject.store.journal.append(lease, 1, PENDING, projection(live=False))
    assert not await subject.store.inbox.send("a", {"kind": "cancel"})
    assert await subject.store.leases.claim("me", ttl_s=TTL_S) == ()
    assert await subject.store.inbox.send("a", asked, to_pending=True)
    assert await subject.again.inbox.send("a", asked, to_pending=True)
    (again,) = await subject.store.leases.claim("me", ttl_s=TTL_S, concurrency=0)
    assert await subject.store.inbox.read("a") == [asked]
    await subject.store.journal.append(again, 2, NOTED, projection(live=True), consume=1)
    assert not await subject.store.inbox.send("a", asked, to_pending=True), "it lives again"
    await subject.store.journal.append(again, 3, FAILED, projection(live=False))
    assert not await subject.store.inbox.send("a", asked, to_pending=True), "nothing is pending any more"
    assert await subject.again.leases.claim("me", ttl_s=TTL_S) == ()


async def test_the_doorbell_rings_for_new_sagas_and_messages(subject: Subject) -> None:
    rung: list[str] = []

    async def listen() -> None:
        async with aclosing(subject.again.doorbell.listen()) as bell:
            async for saga_id in bell:
                rung.append(saga_id)

    listener = asyncio.create_task(listen())
    await asyncio.sleep(0.1)
    await born(subject, "a")
    await subject.store.inbox.send("a", {"kind": "cancel"})
    await _until(lambda: rung == ["a", "a"])
    listener.cancel()
    await asyncio.gather(listener, return_exceptions=True)


# --- records


async def test_lists_are_newest_first_with_a_cursor_that_outlasts_arrivals(subject: Subject) -> None:
    # Half of them share a time: only the id tells them apart.
    for n in range(10):
        await born(subject, f"s{n}", created_at_s=1000.125 + n // 4, index={"tenant": "t"})
    seen: list[object] = []
    cursor = None
    for page_number in range(10):
        page = await subject.again.records.list({"tenant": "t"}, cursor=cursor, limit=3)
        seen += [record["id"] for record in page.records]
        cursor = page.cursor
        await born(subject, f"late{page_number}", created_at_s=5000.0 + page_number, index={"tenant": "t"})
        if cursor is None:
            break
    assert seen == ["s9", "s8", "s7", "s6", "s5", "s4", "s3", "s2", "s1", "s0"]


async def test_lists_filter_by_every_index(subject: Subject) -> None:
    for n in range(12):
        await born(subject, f"s{n:02}", created_at_s=float(n), index={"even": str(n % 2 == 0), "third": str(n % 3)})
    page = await subject.store.records.list({"even": "True", "third": "0"})
    assert [record["id"] for record in page.records] == ["s06", "s00"]
    assert page.cursor is None
    assert await subject.store.records.count({"even": "True", "third": "0"}) == 2
    assert await subject.store.records.count({"even": "True"}) == 6
    assert await subject.store.records.count() == 12
    asked: list[dict[str, str]] = [{"even": "True"}, {}, {"even": "True", "third": "0"}, {"even": "never"}]
    assert list(await subject.store.records.count_each(asked)) == [6, 12, 2, 0]
    assert list(await subject.store.records.count_each([])) == []
    assert await subject.store.records.count({"even": "maybe"}) == 0
    later = await subject.store.records.list({"even": "True"}, created_after_s=8.0)
    assert [record["id"] for record in later.records] == ["s10"]
    assert (await subject.store.records.list({"even": "maybe"})).records == ()


async def test_a_page_that_is_exactly_full_ends_the_list(subject: Subject) -> None:
    for n in range(4):
        await born(subject, f"s{n}", created_at_s=float(n))
    page = await subject.store.records.list(limit=4)
    assert len(page.records) == 4
    assert page.cursor is None


async def test_the_index_follows_the_record(subject: Subject) -> None:
    await born(subject, index={"status": "pending", "tenant": "t:1 ü"})
    lease = await subject.store.leases.acquire("a", "me", TTL_S)
    assert lease is not None
    await subject.store.journal.append(lease, 1, STARTED, projection(index={"status": "running", "tenant": "t:1 ü"}))
    assert await subject.store.records.count({"status": "pending"}) == 0
    assert await subject.store.records.count({"status": "running", "tenant": "t:1 ü"}) == 1


@pytest.mark.parametrize("value", ["", "a:b c*?[", "日本語 👕", "half \ud83d", "%25", "\x00\n"])
async def test_an_index_takes_any_text(subject: Subject, value: str) -> None:
    await born(subject, "other", index={"product_id": "other"})
    await born(subject, "mine", index={"product_id": value}, title=value)
    assert await subject.again.records.count({"product_id": value}) == 1
    page = await subject.again.records.list({"product_id": value})
    assert [(record["id"], record["title"]) for record in page.records] == [("mine", value)]


async def test_a_text_that_cannot_be_written_harms_nobody_else(subject: Subject) -> None:
    async def broken() -> object:
        return await subject.store.records.get("half \ud83d")

    found = await asyncio.gather(broken(), *(born(subject, f"s{n}") for n in range(5)), return_exceptions=True)
    assert found[0] is None or isinstance(found[0], InvalidRequest)
    assert found[1:] == [None] * 5


async def test_a_foreign_cursor_is_an_invalid_request(subject: Subject) -> None:
    for cursor in ("nonsense", "12", "x:y", ":"):
        with pytest.raises(InvalidRequest):
            await subject.store.records.list(cursor=cursor)


async def test_annotations_stay_whatever_the_saga_writes(subject: Subject) -> None:
    lease = await leased(subject)
    assert await subject.again.records.annotate("a", {"superseded_by": "b", "tags": []})
    await subject.store.journal.append(lease, 1, FAILED, projection(live=False, status="failed", superseded_by=None))
    expected = {"status": "failed", "superseded_by": "b", "tags": []}
    assert await subject.store.records.get("a") == expected
    assert (await subject.store.records.list()).records == (expected,)


# --- events


async def test_events_are_numbered_without_gaps(subject: Subject) -> None:
    await born(subject, events=({"type": "created"},))
    lease = await subject.store.leases.acquire("a", "me", TTL_S)
    assert lease is not None
    await subject.store.journal.append(lease, 1, STARTED, projection(events=({"type": "x"}, {"type": "y", "l": []})))
    events = await subject.again.events.read("a")
    assert [(event.number, event.data) for event in events] == [
        (1, {"type": "created"}),
        (2, {"type": "x"}),
        (3, {"type": "y", "l": []}),
    ]
    assert [event.number for event in await subject.store.events.read("a", 1, limit=1)] == [2]
    assert await subject.store.events.read("a", 3) == []


async def test_following_reads_what_was_and_what_comes(subject: Subject) -> None:
    await born(subject, events=({"n": 1}, {"n": 2}))
    lease = await subject.store.leases.acquire("a", "me", TTL_S)
    assert lease is not None
    seen: list[int] = []

    async def follow() -> None:
        async with aclosing(subject.again.events.follow("a", 1)) as events:
            async for event in events:
                if event is not None:
                    seen.append(event.number)

    follower = asyncio.create_task(follow())
    await _until(lambda: seen == [2])
    await subject.store.journal.append(lease, 1, STARTED, projection(events=({"n": 3},)))
    await _until(lambda: seen == [2, 3])
    follower.cancel()
    await asyncio.gather(follower, return_exceptions=True)


async def test_a_follower_hears_a_heartbeat_when_nothing_comes(subject: Subject) -> None:
    await born(subject)

    async def first() -> object:
        async with aclosing(subject.again.events.follow("a", idle_s=0.05)) as events:
            async for event in events:
                return event
        return "ended"

    waiting = asyncio.create_task(first())
    await asyncio.sleep(0.01)
    await subject.pass_time(0.3)
    assert await asyncio.wait_for(waiting, 5) is None


async def test_the_tail_holds_the_events_of_all_sagas(subject: Subject) -> None:
    await born(subject, "a", events=({"n": 1},))
    await born(subject, "b", events=({"n": 2},))
    seen: list[tuple[str, int]] = []
    positions: list[str] = []

    async def watch() -> None:
        async with aclosing(subject.again.events.tail("0")) as events:
            async for event in events:
                if event is not None:
                    seen.append((event.saga_id, event.number))
                    positions.append(event.position)

    watcher = asyncio.create_task(watch())
    await _until(lambda: seen == [("a", 1), ("b", 1)])
    await born(subject, "c", events=({"n": 3},))
    await _until(lambda: seen[2:] == [("c", 1)])
    watcher.cancel()
    await asyncio.gather(watcher, return_exceptions=True)
    async with aclosing(subject.store.events.tail(positions[1])) as events:
        async for event in events:
            assert event is not None
            assert event.saga_id == "c"
            break


# --- the end of a saga


async def test_compaction_keeps_record_last_entry_and_newest_events(subject: Subject) -> None:
    lease = await leased(subject)
    await subject.store.journal.append(lease, 1, STARTED, projection(events=tuple({"n": n} for n in range(10))))
    assert not await subject.store.journal.compact("a")
    ending = await subject.store.journal.append(lease, 2, FAILED, projection(live=False, status="failed"))
    assert await subject.store.journal.compact("a", keep_events=4)
    assert await subject.again.journal.load("a") == ending.entries
    assert await subject.again.records.get("a") == {"status": "failed"}
    assert [event.number for event in await subject.store.events.read("a")] == [7, 8, 9, 10]


async def test_a_pending_compensation_is_not_compacted(subject: Subject) -> None:
    lease = await leased(subject)
    await subject.store.journal.append(lease, 1, PENDING, projection(live=False))
    assert not await subject.store.journal.compact("a")
    assert len(await subject.store.journal.load("a")) == 2


async def test_deletion_leaves_nothing_and_no_epoch_comes_again(subject: Subject) -> None:
    await born(subject, index={"tenant": "t"}, events=({},))
    with pytest.raises(Conflict):
        await subject.store.journal.delete("a")
    lease = await subject.store.leases.acquire("a", "me", TTL_S)
    assert lease is not None
    await subject.store.journal.append(lease, 1, FAILED, projection(live=False, index={"tenant": "t"}))
    await subject.store.records.annotate("a", {"x": 1})
    assert await subject.again.journal.delete("a")
    assert await subject.store.records.get("a") is None
    assert await subject.store.records.count({"tenant": "t"}) == await subject.store.records.count() == 0
    assert await subject.store.events.read("a") == []
    await born(subject)
    assert await subject.store.records.get("a") == {"id": "a"}
    with pytest.raises(Fenced):
        await subject.store.journal.append(lease, 1, STARTED, projection())
    (fresh,) = await subject.store.leases.claim("me", ttl_s=TTL_S)
    assert fresh.epoch > lease.epoch


async def test_counters_count_over_processes(subject: Subject) -> None:
    taken = [await store.counters.take("a", "one.before", 2) for store in (subject.store, subject.again, subject.store)]
    assert taken == [True, True, False]
    assert await subject.store.counters.take("b", "one.before", 1)
    assert await subject.store.counters.take("a", "one.after", 1)


async def _until(condition: object, within_s: float = 5.0) -> None:
    assert callable(condition)
    deadline_s = asyncio.get_running_loop().time() + within_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline_s, "it did not come to pass"
        await asyncio.sleep(0.01)


# --- backlog


async def test_the_backlog_tells_what_waits_by_priority_and_what_lapsed(subject: Subject) -> None:
    assert await subject.again.leases.backlog() == Backlog()
    now_s = time.time()
    for number, priority in enumerate((0, 5, -1000, 0, 1000, 5)):
        await born(subject, f"s{number}", priority=priority, created_at_s=now_s)
    await subject.pass_time(0.05)
    waiting = (await subject.again.leases.backlog()).waiting
    assert [(one.priority, one.count) for one in waiting] == [(1000, 1), (5, 2), (0, 2), (-1000, 1)]
    assert all(0 <= one.oldest_s < 3600 for one in waiting)

    taken = await subject.store.leases.claim("me", ttl_s=SHORT_S, limit=2)
    assert {lease.saga_id for lease in taken} == {"s4", "s1"}
    backlog = await subject.again.leases.backlog()
    assert (backlog.held, backlog.lapsed) == (2, 0)
    assert [(one.priority, one.count) for one in backlog.waiting] == [(5, 1), (0, 2), (-1000, 1)]

    await subject.pass_time(2 * SHORT_S)
    backlog = await subject.again.leases.backlog()
    assert (backlog.held, backlog.lapsed) == (0, 2), "their holder has gone silent"
    for lease in taken:
        await subject.store.leases.release(lease)
    backlog = await subject.again.leases.backlog()
    assert (backlog.held, backlog.lapsed) == (0, 0)
    assert sum(one.count for one in backlog.waiting) == 6
