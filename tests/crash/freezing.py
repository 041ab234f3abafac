"""A coordinator in a process of its own that is suspended at one point of its first job, as a paused machine is."""

import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from farm.adapters.builtin_catalog import BuiltinCatalog
from farm.adapters.file_store import FileStore
from farm.render.ports import Association
from tests.crash.listening import listening
from tests.crash.places import Place, open_shop
from tests.workshop import Painters, Workshop

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.crash.freezing"])
_STOP = "stop-the-frozen"


class Ice:
    """Suspends this process the first time it comes by ``point``."""

    def __init__(self, point: str) -> None:
        self._point: str | None = point

    def pass_by(self, where: str) -> None:
        if self._point is not None and where.startswith(self._point):
            self._point = None
            os.kill(os.getpid(), signal.SIGSTOP)


class IcyStore(FileStore):
    """Points: ``put:<key below the job's>`` right before a write or copy, ``delete:<key>`` right before the removal."""

    ice: Ice

    def put(self, key: str, data: bytes, *, content_type: str) -> str:
        self.ice.pass_by(f"put:{_below(key)}")
        return super().put(key, data, content_type=content_type)

    def copy(self, source: str, target: str) -> None:
        self.ice.pass_by(f"put:{_below(target)}")
        super().copy(source, target)

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self.ice.pass_by(f"delete:{_below(key)}")
        super().delete(keys)


class IcyCatalog(BuiltinCatalog):
    """Points: ``associate``, ``associated``, ``dissociate``."""

    ice: Ice

    async def associate(self, tenant: str, product_id: str, wanted: Association) -> Any:
        self.ice.pass_by("associate:")
        answer = await super().associate(tenant, product_id, wanted)
        self.ice.pass_by("associated:")
        return answer

    async def dissociate(self, tenant: str, product_id: str, job_id: str) -> None:
        self.ice.pass_by("dissociate:")
        await super().dissociate(tenant, product_id, job_id)


def _below(key: str) -> str:
    return key.split("/", 4)[-1]


def _icy(shop: Workshop, place: Place, point: str) -> Workshop:
    ice = Ice(point)
    objects = IcyStore(place.home / "objects")
    catalog = IcyCatalog(shop.catalog._redis, namespace=f"{place.namespace}:catalog")  # type: ignore[attr-defined]
    objects.ice = catalog.ice = ice

    async def hear(_job: str, number: int, where: str) -> None:
        ice.pass_by(f"append:{number}.{where}")

    heard, _ = listening(shop, hear)
    return replace(heard, objects=objects, catalog=catalog, painters=Painters(objects))


def _coordinate(place: Place, point: str, settings: dict[str, Any]) -> None:
    logging.basicConfig(filename=place.home / "frozen.log", level=logging.INFO)

    async def run() -> None:
        async with open_shop(place, **settings) as shop:
            coordinator = _icy(shop, place, point).coordinator()
            running = asyncio.create_task(coordinator.run())
            while coordinator.driving or not (place.home / _STOP).exists():
                await asyncio.sleep(0.02)
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(run())


class Frozen:
    """A coordinator's process.

    Attributes:
        log: what it had to say.
    """

    def __init__(self, place: Place, point: str, settings: dict[str, Any]) -> None:
        self._home = place.home
        self.log: Path = place.home / "frozen.log"
        self._process = _FORKS.Process(target=_coordinate, args=(place, point, settings), daemon=True)
        self._process.start()

    @property
    def _state(self) -> str:
        text = Path(f"/proc/{self._process.pid}/stat").read_text("utf-8", errors="replace")
        return text[text.rindex(")") + 2]

    async def until_it_freezes(self, within_s: float = 20.0) -> None:
        async with asyncio.timeout(within_s):
            while self._state != "T":
                await asyncio.sleep(0.01)

    def thaw(self) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGCONT)

    async def until_it_is_done(self, within_s: float = 20.0) -> None:
        """Until it drives nothing any more, and has ended of itself."""
        (self._home / _STOP).touch()
        async with asyncio.timeout(within_s):
            while self._process.is_alive():
                await asyncio.sleep(0.01)
        assert self._process.exitcode == 0, self.log.read_text("utf-8")

    def kill(self) -> None:
        self._process.kill()
        self._process.join()


@asynccontextmanager
async def frozen_at(place: Place, point: str, **settings: Any) -> AsyncIterator[Frozen]:
    """A coordinator that freezes at ``point``; gone at the end of the block."""
    frozen = Frozen(place, point, settings)
    try:
        yield frozen
    finally:
        with contextlib.suppress(ProcessLookupError):
            frozen.kill()
