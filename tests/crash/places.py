"""Test farms on real storage: a Redis-protocol server with its file on disk, objects in a folder; painted pictures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farm.adapters.builtin_catalog import BuiltinCatalog
from farm.adapters.file_store import FileStore
from farm.adapters.redis_journal import open_linked
from farm.adapters.redis_link import RedisLink
from tests.workshop import Workshop, workshop


@dataclass(frozen=True)
class Place:
    """Where a test farm lives: its folder, its store, and its names in it."""

    home: Path
    store_url: str
    namespace: str


@asynccontextmanager
async def open_shop(place: Place, **settings: Any) -> AsyncIterator[Workshop]:
    """The farm of a place; several processes may open the same."""
    link = RedisLink(place.store_url, namespace=place.namespace)
    sagas = open_linked(link)
    catalog = BuiltinCatalog(link.client, namespace=f"{place.namespace}:catalog")
    try:
        yield workshop(place.home, sagas, FileStore(place.home / "objects"), catalog, **settings)
    finally:
        await sagas.close()
