"""A served farm in a thread: the real application, store and sagas on loopback, workers that paint."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

import redis.asyncio
import uvicorn

from farm.adapters.file_store import FileStore
from farm.adapters.redis_keys import RedisKeys
from farm.domain.access import EVERYTHING
from farm.render.ports import ObjectStore, ViewTask
from farm.settings import Settings
from serve_app.api import build_api
from serve_app.services import Services
from tests.catalogue_shop import open_catalogue
from tests.crash.places import Place
from tests.ports import free_port
from tests.served import services_of


class LiveFarm:
    """Up from its ``with`` to its end.

    Attributes:
        url: where it answers.
        key: opens everything.
        gate: views wait for it, but for those in ``passing``.
        broken: views that fail while they are named here, with the error.
        objects: the farm's own; in a folder where the test gives none.
        files: what films and models are, by their file name; painted ones are none.
    """

    def __init__(self, home: Path, store_url: str, *, objects: ObjectStore | None = None, **settings: Any) -> None:
        self._home = home
        self._store_url = store_url
        self._settings = settings
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.gate = threading.Event()
        self.gate.set()
        self.passing: set[str] = set()
        self.broken: dict[str, Exception] = {}
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.key = ""
        self.objects: ObjectStore = objects or FileStore(home / "objects")
        self.files: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(60), "the farm did not come up"
        until_s = time.monotonic() + 60
        while not self._server.started:  # it listens a moment after the farm behind it is there
            assert time.monotonic() < until_s, "the server does not listen"
            time.sleep(0.01)
        return self

    def __exit__(self, *exception: object) -> None:
        self.gate.set()
        self._server.should_exit = True
        self._thread.join(60)

    async def _run(self) -> None:
        settings = Settings.load({"FARM_HOME": str(self._home)})
        self._server = uvicorn.Server(
            uvicorn.Config(
                build_api(settings, self._opening), host="127.0.0.1", port=self._port, log_config=None, lifespan="on"
            )
        )
        await self._server.serve()

    @asynccontextmanager
    async def _opening(self) -> AsyncIterator[Services]:
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(redis.asyncio.Redis.from_url(self._store_url))
            place = await stack.enter_async_context(
                open_catalogue(
                    Place(self._home, self._store_url, "farm"),
                    objects=self.objects,
                    fetch_hosts="127.0.0.1",
                    webhook_http_hosts="127.0.0.1",
                    **self._settings,
                )
            )
            place.shop.painters.before = self._before
            place.shop.painters.files = self.files
            place.painters.before = self._before_row
            keys = RedisKeys(client)
            _, self.key = await keys.create(tenant="default", scopes=EVERYTHING, name="browser")
            await stack.enter_async_context(place.running())
            self._up.set()
            yield await services_of(place, keys, client, stack)

    async def _before_row(self, row: Mapping[str, Any]) -> None:
        await asyncio.to_thread(self.gate.wait)

    async def _before(self, task: ViewTask) -> None:
        if task.name in self.broken:
            raise self.broken[task.name]
        if task.name in self.passing:
            return
        await asyncio.to_thread(self.gate.wait)
