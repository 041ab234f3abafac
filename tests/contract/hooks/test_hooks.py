"""What is kept of webhooks, over every adapter."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from farm.errors import AlreadyExists, Conflict, InvalidRequest, NotFound
from farm.notify.delivery import Attempt, Delivery, State, delivery_of
from farm.notify.endpoint import Endpoint, new_endpoint
from tests.contract.hooks.places import MOST, Place, place

ARRIVED = Attempt(at_s=5.0, took_s=0.1, status=204)


@pytest.fixture(params=["memory", "redis"])
async def here(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async with place(request.param, request) as opened:
        yield opened


async def endpoint(here: Place, tenant: str = "default") -> Endpoint:
    return await here.book.add(new_endpoint(tenant=tenant, url="https://example.com/ä", name="ß"), most=9)


def event(to: Endpoint, number: int = 1) -> Delivery:
    return delivery_of(to, job_id="job_1", number=number, event={"type": "render.job.completed"}, at_s=1000.25)


class TestEndpoints:
    async def test_what_is_added_is_read_and_listed_by_tenant(self, here: Place) -> None:
        assert not await here.book.any()
        one, two = await endpoint(here), await endpoint(here)
        other = await endpoint(here, "other")
        assert abs(one.since_s - here.clock.wall_s()) < 5
        assert await here.book.get(one.id) == one
        assert {found.id for found in await here.book.list("default")} == {one.id, two.id}
        assert [found.id for found in await here.book.list("other")] == [other.id]
        assert await here.book.any()
        assert await here.book.get("hook_none") is None

    async def test_a_tenant_has_no_more_than_it_may(self, here: Place) -> None:
        for _ in range(2):
            await here.book.add(new_endpoint(tenant="default", url="https://example.com"), most=2)
        with pytest.raises(Conflict):
            await here.book.add(new_endpoint(tenant="default", url="https://example.com"), most=2)

    async def test_one_of_the_same_id_is_not_made_twice(self, here: Place) -> None:
        first, second = (new_endpoint(tenant="default", url="https://example.com", key="k") for _ in range(2))
        made = await here.book.add(first, most=9)
        with pytest.raises(AlreadyExists):
            await here.book.add(second, most=9)
        assert await here.book.get(second.id) == made

    async def test_a_change_keeps_what_the_store_knows(self, here: Place) -> None:
        one = await endpoint(here)
        await here.book.disable(one.id, "gone")
        changed = one.rotated(here.clock.wall_s())
        await here.book.change(changed)
        found = await here.book.get(one.id)
        assert found == replace(changed, disabled="gone")
        await here.book.enable(one.id)
        assert await here.book.get(one.id) == changed

    async def test_a_removed_one_does_not_come_back(self, here: Place) -> None:
        one = await endpoint(here)
        await here.outbox.enqueue([event(one)])
        assert await here.book.remove(one.id)
        assert not await here.book.remove(one.id)
        with pytest.raises(NotFound):
            await here.book.change(one)
        await here.book.disable(one.id, "late")
        assert await here.book.get(one.id) is None
        assert await here.outbox.get(event(one).id) is None
        await here.outbox.enqueue([event(one, 2)])
        assert await here.outbox.claim(hold_s=9, limit=9, room=9) == ()


class TestOutbox:
    async def test_the_cursor_begins_with_the_first_endpoint_and_moves_with_what_is_taken_up(self, here: Place) -> None:
        assert await here.outbox.cursor() is None
        one = await endpoint(here)
        begin = await here.outbox.cursor()
        assert begin == await here.sagas.events.newest()
        await here.happens("job_1", "render.job.created")
        newest = await here.sagas.events.newest()
        assert newest != begin
        await here.outbox.enqueue([event(one)], cursor=newest)
        await endpoint(here)
        assert await here.outbox.cursor() == newest

    async def test_what_was_taken_up_is_not_taken_up_again(self, here: Place) -> None:
        one = await endpoint(here)
        for _ in range(2):
            await here.outbox.enqueue([event(one)])
        (claimed,) = await here.outbox.claim(hold_s=9, limit=9, room=9)
        assert await here.outbox.settle(claimed, claimed.delivery.became(State.DELIVERED, due_s=None), wait_s=None)
        await here.outbox.enqueue([event(one)])
        assert await here.outbox.claim(hold_s=9, limit=9, room=9) == ()
        assert len((await here.outbox.list(one.id)).deliveries) == 1

    async def test_a_delivery_comes_back_as_it_was(self, here: Place) -> None:
        one = await endpoint(here)
        wanted = event(one)
        await here.outbox.enqueue([wanted])
        found = await here.outbox.get(wanted.id)
        assert found is not None
        assert found.due_s is not None
        assert replace(found, due_s=None) == wanted
        assert await here.outbox.get("msg_none") is None

    async def test_a_claimed_one_is_nobody_elses_until_its_hold_ends(self, here: Place) -> None:
        one = await endpoint(here)
        await here.outbox.enqueue([event(one)])
        (first,) = await here.outbox.claim(hold_s=0.2, limit=9, room=9)
        assert await here.outbox.claim(hold_s=9, limit=9, room=9) == ()
        assert await here.outbox.claim_one(first.delivery.id, hold_s=9) is None
        await here.pass_time(0.3)
        (second,) = await here.outbox.claim(hold_s=9, limit=9, room=9)
        assert second.delivery.id == first.delivery.id
        done = first.delivery.became(State.DELIVERED, due_s=None)
        assert not await here.outbox.settle(first, done, wait_s=None)
        assert await here.outbox.settle(second, done, wait_s=None)
        assert not await here.outbox.settle(second, done, wait_s=None)

    async def test_one_endpoint_takes_no_more_than_its_room(self, here: Place) -> None:
        busy, quiet = await endpoint(here), await endpoint(here)
        await here.outbox.enqueue([event(busy, number) for number in range(8)] + [event(quiet)])
        claims = await here.outbox.claim(hold_s=9, limit=9, room=3, rooms={quiet.id: 0})
        assert [claim.delivery.endpoint_id for claim in claims] == [busy.id] * 3
        claims = await here.outbox.claim(hold_s=9, limit=3, room=9, rooms={busy.id: 1})
        assert sorted(claim.delivery.endpoint_id for claim in claims) == sorted([busy.id, quiet.id])

    async def test_what_is_settled_with_a_wait_is_due_then_and_remembers_its_attempts(self, here: Place) -> None:
        one = await endpoint(here)
        await here.outbox.enqueue([event(one)])
        (claimed,) = await here.outbox.claim(hold_s=9, limit=9, room=9)
        failed = Attempt(at_s=4.0, took_s=0.2, error="no answer")
        later = replace(claimed.delivery, attempts=(failed,), failures=1)
        assert await here.outbox.settle(claimed, later, wait_s=0.3)
        assert await here.outbox.claim(hold_s=9, limit=9, room=9) == ()
        await here.pass_time(0.4)
        (again,) = await here.outbox.claim(hold_s=9, limit=9, room=9)
        assert (again.delivery.attempts, again.delivery.failures) == ((failed,), 1)
        done = again.delivery.became(State.DELIVERED, attempts=(failed, ARRIVED), due_s=None)
        await here.outbox.settle(again, done, wait_s=None)
        assert await here.outbox.get(done.id) == done
        found = await here.book.get(one.id)
        assert found is not None
        assert found.delivered_s is not None

    async def test_a_disabled_endpoint_abandons_what_waits_and_replay_brings_it_back(self, here: Place) -> None:
        one = await endpoint(here)
        await here.outbox.enqueue([event(one, number) for number in (1, 2)])
        await here.book.disable(one.id, "gone")
        assert await here.outbox.claim(hold_s=9, limit=9, room=9) == ()
        states = [delivery.state for delivery in (await here.outbox.list(one.id)).deliveries]
        assert states == [State.ABANDONED] * 2
        again = await here.outbox.replay(event(one).id)
        assert (again.state, again.failures) == (State.PENDING, 0)
        claims = await here.outbox.claim(hold_s=9, limit=9, room=9)
        assert [claim.delivery.id for claim in claims] == [event(one).id]
        held = await here.outbox.replay(event(one).id)  # somebody brings it this moment
        assert held.state is State.PENDING
        assert await here.outbox.claim(hold_s=9, limit=9, room=9) == ()
        with pytest.raises(NotFound):
            await here.outbox.replay("msg_none")

    async def test_the_log_is_newest_first_in_pages_and_by_state(self, here: Place) -> None:
        one, other = await endpoint(here), await endpoint(here)
        await here.outbox.enqueue([event(one, number) for number in range(1, 6)] + [event(other)])
        (claimed,) = await here.outbox.claim(hold_s=9, limit=1, room=1, rooms={other.id: 0})
        await here.outbox.settle(claimed, claimed.delivery.became(State.DELIVERED, due_s=None), wait_s=None)
        seen, cursor = list[str](), None
        while True:
            page = await here.outbox.list(one.id, cursor=cursor, limit=2)
            seen += [delivery.id for delivery in page.deliveries]
            cursor = page.cursor
            if cursor is None:
                break
        assert seen == [event(one, number).id for number in (5, 4, 3, 2, 1)]
        done = await here.outbox.list(one.id, state=State.DELIVERED, limit=2)
        assert [delivery.id for delivery in done.deliveries] == [claimed.delivery.id]
        with pytest.raises(InvalidRequest):
            await here.outbox.list(one.id, cursor="-1")

    async def test_it_is_bounded(self, here: Place) -> None:
        one = await endpoint(here)
        full = await here.outbox.enqueue([event(one, number) for number in range(MOST + 3)])
        assert list(full) == [one.id]
        assert len((await here.outbox.list(one.id, limit=99)).deliveries) == MOST
        for claimed in await here.outbox.claim(hold_s=9, limit=99, room=99):
            await here.outbox.settle(claimed, claimed.delivery.became(State.DELIVERED, due_s=None), wait_s=None)
        assert await here.outbox.enqueue([event(one, 1000 + number) for number in range(MOST)]) == []
        kept = (await here.outbox.list(one.id, limit=99)).deliveries
        assert len(kept) <= MOST + 1
        assert {delivery.state for delivery in kept if delivery.state is not State.PENDING} == set()


class TestEvents:
    async def test_the_history_says_whether_it_reaches_back(self, here: Place) -> None:
        begin = await here.sagas.events.newest()
        assert await here.sagas.events.whole_after(begin)
        await here.happens("job_1", "render.job.created", "render.job.completed")
        assert await here.sagas.events.whole_after(begin)
        newest = await here.sagas.events.newest()
        assert abs(here.sagas.events.time_of(newest) - here.clock.wall_s()) < 5
