"""The courier's work killed again and again while events come: nothing is lost, and nothing multiplies."""

import asyncio
import signal
import sys
from collections import Counter
from random import Random

import pytest

from farm.adapters.web_post import WebPost
from farm.notify.delivery import State
from farm.notify.postman import ROOM
from farm.notify.service import Webhooks
from tests.contract.hooks.places import place
from tests.webhook_receiver import HOST, receiving

KILLS = 6
EVENTS = 60


async def test_nothing_is_lost_and_nothing_multiplies(request: pytest.FixtureRequest) -> None:
    rng = Random(7)
    async with place("redis", request, most=1000) as here:
        with receiving() as receiver:
            receiver.slow_s = 0.02
            hooks = Webhooks(book=here.book, outbox=here.outbox, post=WebPost(frozenset({HOST})), clock=here.clock)
            one = await hooks.add(tenant="default", url=receiver.url)

            async def work() -> None:
                for number in range(EVENTS):
                    await here.happens(f"job_{number}", "render.job.completed")
                    await asyncio.sleep(0.1)

            working = asyncio.create_task(work())
            command = (sys.executable, "-m", "tests.contract.hooks.child", here.url, here.namespace)
            for turn in range(KILLS + 1):
                child = await asyncio.create_subprocess_exec(*command)
                try:
                    if turn == KILLS:
                        await working
                        async with asyncio.timeout(30):
                            while await _open(hooks, one.id):
                                await asyncio.sleep(0.05)
                    else:
                        seen = len(receiver.received)
                        while len(receiver.received) < seen + rng.randint(3, 9):  # it is in the middle of it
                            await asyncio.sleep(0.001)
                finally:
                    child.send_signal(signal.SIGKILL)
                    await child.wait()
            counts = Counter(got.id for got in receiver.received)
            assert len(counts) == EVENTS
            told = {got.verified(one.secrets[0].text)["id"] for got in receiver.received}
            assert told == {f"job_{number}/1" for number in range(EVENTS)}
            # Only what was on its way at a kill may come again, and under the same id.
            again = sum(counts.values()) - EVENTS
            print(f"{KILLS} kills, {EVENTS} events, {again} came twice")
            assert again <= KILLS * ROOM


async def _open(hooks: Webhooks, endpoint_id: str) -> bool:
    log = (await hooks.outbox.list(endpoint_id, limit=200)).deliveries
    return len(log) < EVENTS or any(delivery.state is State.PENDING for delivery in log)
