"""Flights: pictures that are being made at this moment, so that equal work asked for twice at once is done once."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

REMEMBERED = 4096
"""Pictures that were made of late: whoever looked for one before it was there looks once more."""


@dataclass(slots=True)
class _Flight:
    priority: int
    landed: asyncio.Event = field(default_factory=asyncio.Event)


class Flights:
    """Of one coordinator; of one event loop. Two coordinators may still make the same picture at once."""

    def __init__(self) -> None:
        self._under_way: dict[str, _Flight] = {}
        self._landed: OrderedDict[str, None] = OrderedDict()

    @asynccontextmanager
    async def turn(self, fingerprint: str, priority: int) -> AsyncIterator[bool]:
        """Wait while the same picture is being made by somebody no less urgent, then hold its place for the body.

        Yields:
            Whether somebody made it of late, or tried to: then it may be there by now.
        """
        while (ahead := self._under_way.get(fingerprint)) is not None and ahead.priority >= priority:
            await ahead.landed.wait()
        flight = self._under_way[fingerprint] = _Flight(priority)
        try:
            yield fingerprint in self._landed
        finally:
            flight.landed.set()
            self._landed[fingerprint] = None
            if len(self._landed) > REMEMBERED:
                self._landed.popitem(last=False)
            if self._under_way.get(fingerprint) is flight:
                del self._under_way[fingerprint]
