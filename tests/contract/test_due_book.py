"""The contract of the due book: the same sentences for every adapter."""

from farm.saga.due import DueItem
from tests.contract.journal_stores import CREATED, FAILED, STARTED, Subject, projection, server, subject

__all__ = ["server", "subject"]


async def born(s: Subject, saga_id: str, *, due_at_s: float | None, created_at_s: float = 1000.0) -> None:
    shown = projection(created_at_s=created_at_s, due_at_s=due_at_s, id=saga_id)
    await s.store.journal.create(saga_id, CREATED, shown)


async def names(s: Subject, until_s: float = 1e12) -> list[str]:
    return [item.id for item in await s.again.due.due(until_s, limit=10_000)]


async def test_what_is_due_comes_the_longest_overdue_first_and_stays(subject: Subject) -> None:
    for name, at_s in (("b", 20.5), ("a", 30.0), ("c", 10.0)):
        await born(subject, name, due_at_s=at_s)
    await born(subject, "never", due_at_s=None)
    assert await subject.again.due.due(25.0, limit=10) == [DueItem(id="c", at_s=10.0), DueItem(id="b", at_s=20.5)]
    assert await names(subject) == ["c", "b", "a"]
    assert len(await subject.store.due.due(1e12, limit=2)) == 2


async def test_what_is_written_of_a_saga_enters_it_in_the_same_write(subject: Subject) -> None:
    await born(subject, "a", due_at_s=50.0)
    lease = await subject.store.leases.acquire("a", "me", 30.0)
    assert lease is not None
    await subject.store.journal.append(lease, 1, STARTED, projection())
    assert await subject.store.due.due(1e12, limit=1) == [DueItem(id="a", at_s=50.0)]
    await subject.store.journal.append(lease, 2, FAILED, projection(live=False, due_at_s=40.0))
    assert await subject.store.due.due(1e12, limit=1) == [DueItem(id="a", at_s=40.0)]
    await subject.store.records.annotate("a", {"x": 1})
    assert await names(subject, 39.0) == []
    await subject.store.records.annotate("a", {"x": 2}, due_at_s=0.0)
    assert await names(subject, 1.0) == ["a"]
    await subject.store.journal.delete("a")
    assert await names(subject) == []


async def test_settling_strikes_out_or_enters_anew_but_never_what_came_meanwhile(subject: Subject) -> None:
    for name in ("a", "b", "c"):
        await born(subject, name, due_at_s=10.0)
    a, b, c = await subject.store.due.due(10.0, limit=3)
    await subject.again.records.annotate("c", {}, due_at_s=11.0)
    await subject.store.due.settle([(a, None), (b, 99.25), (c, None)])
    assert await subject.store.due.due(1e12, limit=9) == [DueItem(id="c", at_s=11.0), DueItem(id="b", at_s=99.25)]
    await subject.store.due.settle([])


async def test_sagas_from_before_the_book_are_adopted_once_for_each_mark_newest_first(subject: Subject) -> None:
    for n in range(25):
        await born(subject, f"s{n:02d}", due_at_s=None, created_at_s=float(n // 5))
    assert await subject.store.due.adopt("one", 500.0, extra=["@more"], limit=10) == 10
    assert await names(subject) == ["@more", *(f"s{n:02d}" for n in range(15, 25))]
    await born(subject, "young", due_at_s=600.0, created_at_s=99.0)
    assert await subject.again.due.adopt("one", 500.0, limit=10) == 10
    assert await subject.store.due.adopt("one", 500.0, limit=10) == 5
    assert await subject.store.due.adopt("one", 500.0, limit=10) == 0
    assert set(await names(subject, 500.0)) == {"@more", *(f"s{n:02d}" for n in range(25))}
    items = await subject.store.due.due(1e12, limit=100)
    await subject.store.due.settle([(item, None) for item in items])
    assert await subject.again.due.adopt("one", 700.0, limit=10) == 0
    assert await names(subject) == []
    assert await subject.store.due.adopt("two", 700.0, limit=100) == 26
    assert await subject.store.due.adopt("two", 700.0, limit=100) == 0
    assert len(await names(subject)) == 26


async def test_adopting_makes_nothing_due_later_than_it_was(subject: Subject) -> None:
    await born(subject, "soon", due_at_s=10.0)
    await born(subject, "later", due_at_s=1000.0)
    await subject.store.due.adopt("one", 500.0)
    assert await subject.store.due.due(1e12, limit=9) == [
        DueItem(id="soon", at_s=10.0),
        DueItem(id="later", at_s=500.0),
    ]


async def test_one_at_a_time_goes_through_the_book(subject: Subject) -> None:
    assert await subject.store.due.hold("me", 0.3)
    assert not await subject.again.due.hold("other", 30.0)
    assert await subject.store.due.hold("me", 0.3)
    await subject.pass_time(0.35)
    assert await subject.again.due.hold("other", 30.0)
    assert not await subject.store.due.hold("me", 30.0)
    assert await subject.again.due.hold("other", 0.0)
    assert await subject.store.due.hold("me", 30.0)
