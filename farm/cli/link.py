"""A command's link to its farm: joined, opened, and mended when the host dies under it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Self

from farm.cli.console import err
from farm.cli.progress import Progress
from farm.home.folder import Home, Need
from farm.home.join import agreed_variables, differing, join
from farm.home.state import HostState
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.wiring import Farm


class FarmLink:
    """The farm as this command reaches it; `farm` changes when the link is mended."""

    farm: "Farm"
    host: HostState | None = None

    def __init__(self, settings: Settings, need: Need, progress: Progress) -> None:
        self._settings = settings
        self._need = need
        self._progress = progress
        self._home = Home(settings.home)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        from farm.wiring import open_farm

        if self._need is Need.STORE and self._settings.redis_url:
            # The store is somebody else's and up by itself: reading needs no host.
            self.farm = await self._stack.enter_async_context(
                open_farm(self._settings, store_url=self._settings.redis_url)
            )
            return
        self.host = await self._stack.enter_async_context(join(self._settings, self._need, self._progress.host))
        store_url = self.host.store_url or self._settings.redis_url
        self.farm = await self._stack.enter_async_context(open_farm(self._settings, store_url=store_url))

    @property
    def broken(self) -> bool:
        """Whether the host that was joined is dead."""
        return self.host is not None and not self.host.alive

    async def mend(self) -> None:
        """Join again: the host is started anew, and takes up the jobs where they were."""
        await self._stack.aclose()
        self._stack = AsyncExitStack()
        await self._open()


def told_otherwise(settings: Settings) -> list[str]:
    """What these settings ask and the farm that is up does not know of: it read its own when it was started."""
    home = Home(settings.home)
    host = home.host()
    if host is None or host.phase.leaving:
        return []
    agreed = agreed_variables()
    return [
        f"{variable}={own} has no effect on the farm that is up, which runs with {theirs!s:.100}; "
        "end it with `farm down` first"
        for variable, own, theirs in differing(host, settings)
        if variable not in agreed  # that is refused
    ]


def warn_of_otherwise(settings: Settings) -> None:
    """Say it on standard error, whatever the command shows there later."""
    for line in told_otherwise(settings):
        err().print(line, style="yellow", markup=False)


@contextmanager
def shown(settings: Settings, progress: Progress) -> Iterator[None]:
    """The progress shown meanwhile; settings that come too late for the farm that is up are told first."""
    warn_of_otherwise(settings)
    with progress:
        yield


@asynccontextmanager
async def open_link(settings: Settings, need: Need, progress: Progress) -> AsyncIterator[FarmLink]:
    """`FarmLink`, with its progress `shown` meanwhile."""
    with shown(settings, progress):
        async with FarmLink(settings, need, progress) as link:
            yield link
