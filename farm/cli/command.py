"""What commands that only talk to the farm share: open it, ask, close it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from farm.cli.progress import Silence, progress_for
from farm.home.folder import Need
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.wiring import Farm


def ask[T](question: Callable[["Farm"], Awaitable[T]], *, need: Need = Need.STORE) -> T:
    """The answer to ``question``; the farm is joined for it, and started where it is needed and not up.

    Starting the whole farm takes seconds and is shown; starting the store alone is not worth a word.
    """
    from farm.cli.link import open_link

    async def run() -> T:
        progress = Silence() if need is Need.STORE else progress_for("starting the farm", quiet=True)
        async with open_link(Settings.load(), need, progress) as link:
            return await question(link.farm)

    return asyncio.run(run())
