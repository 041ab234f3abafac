import asyncio

import pytest

from farm.saga.clock import FakeClock, SystemClock, sleep


async def test_fake_time_fires_timers_in_order() -> None:
    clock, fired = FakeClock(), list[float]()
    for delay_s in (3.0, 1.0, 2.0, 9.0):
        clock.call_later(delay_s, lambda: fired.append(clock.monotonic_s()))
    await clock.advance(5.0)
    assert fired == [1.0, 2.0, 3.0]
    assert clock.monotonic_s() == 5.0
    assert clock.next_s() == 9.0


async def test_a_cancelled_timer_does_not_fire() -> None:
    clock, fired = FakeClock(), list[str]()
    clock.call_later(1.0, lambda: fired.append("no")).cancel()
    assert clock.next_s() is None
    await clock.advance(2.0)
    assert fired == []


async def test_run_jumps_over_the_waits() -> None:
    clock = FakeClock()

    async def work() -> float:
        for _ in range(3):
            await sleep(clock, 3600.0)
        return clock.monotonic_s()

    assert await clock.run(work()) == 10_800.0


async def test_run_says_so_when_nothing_will_ever_happen() -> None:
    with pytest.raises(RuntimeError):
        await FakeClock().run(asyncio.Event().wait())


async def test_system_time_passes() -> None:
    clock = SystemClock()
    before_s = clock.monotonic_s()
    await sleep(clock, 0.02)
    assert clock.monotonic_s() - before_s >= 0.019
    assert clock.wall_s() > 1.7e9
