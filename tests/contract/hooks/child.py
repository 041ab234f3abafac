"""A courier's work in a process of its own, to be killed: ``python -m tests.contract.hooks.child URL NAMESPACE``."""

import asyncio
import sys

from farm.adapters.redis_hooks import RedisEndpoints, RedisOutbox
from farm.adapters.redis_journal import open_linked
from farm.adapters.redis_link import RedisLink
from farm.adapters.web_post import WebPost
from farm.notify.collector import Collector
from farm.notify.postman import Postman
from farm.saga.clock import SystemClock
from tests.webhook_receiver import HOST

ATTEMPT_S = 4.0
HOLD_S = 5.0
"""Longer than an attempt may take, else a slow machine sends twice what was never lost."""


async def main(url: str, namespace: str) -> None:
    link = RedisLink(url, namespace=namespace)
    sagas = open_linked(link)
    book = RedisEndpoints(link, sagas.events, keep_s=3600.0)
    outbox = RedisOutbox(link, keep_s=3600.0, most=1000)
    post = WebPost(frozenset({HOST}), timeout_s=ATTEMPT_S)
    postman = Postman(book=book, outbox=outbox, post=post, clock=SystemClock(), hold_s=HOLD_S)
    collector = Collector(
        events=sagas.events,
        records=sagas.records,
        book=book,
        outbox=outbox,
        oldest_job_s=3600.0,
        ring=postman.ring,
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(collector.run())
        group.create_task(postman.run())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
