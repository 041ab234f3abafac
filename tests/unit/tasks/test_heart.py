import asyncio
import threading
import time

import pytest

from farm.adapters.memory_heartbeat import MemoryHeartbeat
from farm.errors import RenderError, SagaError, StoreUnavailable
from farm.render.tasks.heart import Heart
from farm.render.tasks.heartbeat import Beat, Grant, ProcessId

PROCESS = ProcessId(node_id="n", identity="1:2")


class Ended:
    """What would have ended the process."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.event = threading.Event()

    def __call__(self, why: str) -> None:
        self.reasons.append(why)
        self.event.set()


def heart(pulse: MemoryHeartbeat, grant: Grant, ended: Ended, *, patience_s: float = 60) -> Heart:
    return Heart(pulse, grant, PROCESS, ttl_s=5, patience_s=patience_s, end=ended, interval_s=0.01)


async def test_it_beats_with_its_progress_until_the_work_is_done() -> None:
    pulse, ended = MemoryHeartbeat(), Ended()
    grant = await pulse.grant("job", "front_0deg")
    with heart(pulse, grant, ended) as beating:
        beating.progress.enter("rendering", 0.5)
        await asyncio.sleep(0.1)
        (beat,) = await pulse.read([grant])
        assert beat is not None
        assert (beat.phase, beat.fraction, beat.process) == ("rendering", 0.5, PROCESS)
    await pulse.revoke(grant)
    await asyncio.sleep(0.05)
    assert ended.reasons == []


async def test_a_revoked_lease_ends_the_process() -> None:
    pulse, ended = MemoryHeartbeat(), Ended()
    grant = await pulse.grant("job", "front_0deg")
    with heart(pulse, grant, ended):
        await pulse.revoke(grant)
        assert ended.event.wait(5)
    assert "its lease is gone" in ended.reasons[0]


async def test_an_attempt_overtaken_in_the_queue_never_begins() -> None:
    pulse, ended = MemoryHeartbeat(), Ended()
    grant = await pulse.grant("job", "front_0deg")
    await pulse.grant("job", "front_0deg")
    with pytest.raises(RenderError), heart(pulse, grant, ended):
        raise AssertionError("the work began")
    assert ended.reasons == []


class Moody(MemoryHeartbeat):
    """A store that answers only when it is in the mood."""

    away = False
    refuses = False

    def beat(self, grant: Grant, beat: Beat, *, ttl_s: float) -> bool:
        if self.refuses:
            raise SagaError(reason="Redis refused: NOPERM")
        if self.away:
            raise StoreUnavailable(reason="away")
        return super().beat(grant, beat, ttl_s=ttl_s)


async def test_a_silent_store_is_waited_for_but_not_for_ever() -> None:
    pulse, ended = Moody(), Ended()
    grant = await pulse.grant("job", "front_0deg")
    with heart(pulse, grant, ended, patience_s=0.2):
        pulse.away = True
        await asyncio.sleep(0.1)
        pulse.away = False
        await asyncio.sleep(0.1)
        assert ended.reasons == []
        pulse.away = True
        assert ended.event.wait(5)
    assert "did not answer" in ended.reasons[0]


async def test_a_store_that_refuses_is_not_waited_for() -> None:
    pulse, ended = Moody(), Ended()
    grant = await pulse.grant("job", "front_0deg")
    with heart(pulse, grant, ended, patience_s=60):
        pulse.refuses = True
        assert ended.event.wait(5)
    assert ended.reasons == ["its heartbeat is refused: Redis refused: NOPERM"]


async def test_a_finished_picture_waits_for_the_store_to_come_back() -> None:
    pulse, ended = Moody(), Ended()
    grant = await pulse.grant("job", "front_0deg")
    with heart(pulse, grant, ended) as beating:
        pulse.away = True
        back = threading.Timer(0.1, lambda: setattr(pulse, "away", False))
        back.start()
        beating.confirm()
        assert not pulse.away
        back.join()
        await pulse.grant("job", "front_0deg")
        with pytest.raises(RenderError):
            beating.confirm()
        assert ended.event.wait(5)


async def test_work_is_progress_even_without_a_report() -> None:
    pulse, ended = MemoryHeartbeat(), Ended()
    grant = await pulse.grant("job", "front_0deg")
    with heart(pulse, grant, ended) as beating:
        end_s = time.monotonic() + 0.3
        while time.monotonic() < end_s:
            sum(range(1000))
        busy = beating.progress.ticks
        assert busy > 0
        await asyncio.sleep(0.05)  # what was begun is counted
        settled = beating.progress.ticks
        await asyncio.sleep(0.3)
        assert beating.progress.ticks <= settled + 1
