import asyncio

import pytest

from farm.render.tasks.admission import Admission


class Crowd:
    """People who want through one door, by name, and the order in which they get in."""

    def __init__(self, places: int) -> None:
        self.door = Admission(places)
        self.came_in: list[str] = []
        self._leave: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def arrive(self, name: str, *, tenant: str = "one", priority: int = 0) -> None:
        self._leave[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._visit(name, tenant, priority))
        await asyncio.sleep(0)

    async def _visit(self, name: str, tenant: str, priority: int) -> None:
        async with self.door.admitted(tenant, priority):
            self.came_in.append(name)
            await self._leave[name].wait()

    async def leave(self, name: str) -> None:
        self._leave[name].set()
        await self._tasks[name]
        await asyncio.sleep(0)

    async def give_up(self, name: str) -> None:
        self._tasks[name].cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._tasks[name]
        await asyncio.sleep(0)


async def test_the_more_urgent_go_first_then_who_came_first() -> None:
    crowd = Crowd(1)
    for name, priority in [("a", 0), ("b", 0), ("c", 0), ("urgent", 5)]:
        await crowd.arrive(name, priority=priority)
    for name in ("a", "urgent", "b"):
        await crowd.leave(name)
    assert crowd.came_in == ["a", "urgent", "b", "c"]


async def test_tenants_take_turns_whoever_has_the_longer_queue() -> None:
    crowd = Crowd(2)
    for number in range(4):
        await crowd.arrive(f"big{number}", tenant="big")
    await crowd.arrive("small0", tenant="small")
    await crowd.leave("big0")
    assert crowd.came_in == ["big0", "big1", "small0"]


async def test_who_gives_up_while_waiting_or_inside_makes_room() -> None:
    crowd = Crowd(1)
    for name in ("a", "b", "c"):
        await crowd.arrive(name)
    await crowd.give_up("b")
    assert crowd.door.waiting == 1
    await crowd.give_up("a")
    assert crowd.came_in == ["a", "c"]


async def test_a_place_granted_to_one_who_gives_up_at_that_moment_is_not_lost() -> None:
    crowd = Crowd(1)
    for name in ("a", "b", "c"):
        await crowd.arrive(name)
    crowd._leave["a"].set()
    await asyncio.sleep(0)  # a has left, b is admitted but has not woken up
    crowd._tasks["b"].cancel()
    for _ in range(4):
        await asyncio.sleep(0)
    assert "c" in crowd.came_in
    assert crowd.door.inside == 1


async def test_a_larger_door_lets_more_in_and_a_smaller_one_throws_nobody_out() -> None:
    crowd = Crowd(1)
    for name in ("a", "b", "c"):
        await crowd.arrive(name)
    crowd.door.resize(3)
    await asyncio.sleep(0)
    assert crowd.came_in == ["a", "b", "c"]
    crowd.door.resize(1)
    assert crowd.door.inside == 3
    await crowd.arrive("d")
    await crowd.leave("a")
    await crowd.leave("b")
    assert crowd.came_in == ["a", "b", "c"]
    await crowd.leave("c")
    assert crowd.came_in == ["a", "b", "c", "d"]


async def test_a_place_that_falls_free_as_the_next_gives_up_goes_to_the_one_behind() -> None:
    crowd = Crowd(1)
    for name in ("a", "b", "c"):
        await crowd.arrive(name)
    crowd._leave["a"].set()
    crowd._tasks["b"].cancel()  # a leaves and b is cancelled in the same turn: b does not know yet
    for _ in range(4):
        await asyncio.sleep(0)
    assert crowd._tasks["a"].exception() is None
    assert crowd.came_in == ["a", "c"]
    await crowd.leave("c")
    assert (crowd.door.inside, crowd.door.waiting) == (0, 0)
