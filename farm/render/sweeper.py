"""The sweeper: round after round of the sweep, by one coordinator at a time."""

import asyncio
import logging
import random
from functools import partial

from farm.errors import FarmError
from farm.render.sweep import Sweep
from farm.saga.due import DueBook

log = logging.getLogger(__name__)

ROUND_S = 60.0
"""How often each coordinator offers itself; a round with nothing due is three questions to the store."""
HELD_S = 300.0
"""How long whoever sweeps is silent before another takes over. Two at once do no harm, only the same work twice."""


async def sweep_forever(sweep: Sweep, book: DueBook, owner: str, *, round_s: float = ROUND_S) -> None:
    """Sweep whenever the book is ours to go through; whatever a round meets, the next one comes."""
    goes_on = partial(book.hold, owner, HELD_S)
    try:
        while True:
            await asyncio.sleep(round_s * random.uniform(0.5, 1.0))
            try:
                if await goes_on():
                    await sweep.run(goes_on)
            except FarmError as error:
                log.warning("the sweep was cut short: %s", error)
            except Exception:
                log.exception("a round of the sweep failed; the next one comes")
    finally:
        await _give_up(book, owner)


async def _give_up(book: DueBook, owner: str) -> None:
    """Let another take over at once; a store that is away lets it at the end of the lease."""
    try:
        async with asyncio.timeout(1.0):
            await book.hold(owner, 0.0)
    except (FarmError, TimeoutError):
        log.debug("the store is away; another sweeps when %s has been silent for long enough", owner)
