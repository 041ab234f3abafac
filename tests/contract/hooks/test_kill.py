"""The courier's work killed again and again while events come: nothing is lost, and nothing multiplies."""

import asyncio
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from urllib.parse import urlsplit

import pytest

from farm.adapters.web_post import WebPost
from farm.notify.delivery import State
from farm.notify.postman import ROOM
from farm.notify.service import Webhooks
from tests.contract.hooks.places import Place, place
from tests.webhook_receiver import HOST, receiving

KILLS = 6
EVENTS_A_TURN = 10
EVENTS = KILLS * EVENTS_A_TURN


async def test_nothing_is_lost_and_nothing_multiplies(request: pytest.FixtureRequest) -> None:
    rng = Random(7)
    async with place("redis", request, most=1000) as here:
        with receiving() as receiver:
            receiver.slow_s = 0.02
            hooks = Webhooks(book=here.book, outbox=here.outbox, post=WebPost(frozenset({HOST})), clock=here.clock)
            one = await hooks.add(tenant="default", url=receiver.url)
            for turn in range(KILLS):
                # Each turn has events enough for its kill, however slow the machine: none waits for what cannot come.
                enough = len(receiver.received) + rng.randint(3, 9)
                async with courier(here), asyncio.TaskGroup() as group:
                    group.create_task(_work(here, turn))
                    while len(receiver.received) < enough:  # it is in the middle of it
                        await asyncio.sleep(0.001)
            async with courier(here), asyncio.timeout(60):
                while await _open(hooks, one.id):
                    await asyncio.sleep(0.05)
            counts = Counter(got.id for got in receiver.received)
            assert len(counts) == EVENTS
            told = {got.verified(one.secrets[0].text)["id"] for got in receiver.received}
            assert told == {f"job_{number}/1" for number in range(EVENTS)}
            # Only what was on its way at a kill may come again, and under the same id.
            again = sum(counts.values()) - EVENTS
            print(f"{KILLS} kills, {EVENTS} events, {again} came twice")
            assert again <= KILLS * ROOM


def test_a_body_cut_short_is_no_delivery() -> None:
    """The test above rests on it: a sender that is killed half-way has delivered nothing."""
    head = b"POST /hook HTTP/1.1\r\nHost: here\r\nContent-Length: 4\r\n\r\n"
    with receiving() as receiver:
        where = urlsplit(receiver.url)
        for body in (b"12", b"1234"):
            with socket.create_connection((str(where.hostname), int(where.port or 0)), timeout=10) as sender:
                sender.sendall(head + body)
                sender.shutdown(socket.SHUT_WR)
                answer = sender.recv(100)  # it has been read to its end
            assert bool(answer) is (len(body) == 4)
        assert [one.body for one in receiver.received] == [b"1234"]


@asynccontextmanager
async def courier(here: Place) -> AsyncIterator[None]:
    """A courier in a process of its own, killed at the end of the block."""
    command = (sys.executable, "-m", "tests.contract.hooks.child", here.url, here.namespace)
    child = await asyncio.create_subprocess_exec(*command)
    try:
        yield
    finally:
        child.send_signal(signal.SIGKILL)
        await child.wait()


async def _work(here: Place, turn: int) -> None:
    for number in range(turn * EVENTS_A_TURN, (turn + 1) * EVENTS_A_TURN):
        await here.happens(f"job_{number}", "render.job.completed")
        await asyncio.sleep(0.02)


async def _open(hooks: Webhooks, endpoint_id: str) -> bool:
    log = (await hooks.outbox.list(endpoint_id, limit=200)).deliveries
    return len(log) < EVENTS or any(delivery.state is State.PENDING for delivery in log)
