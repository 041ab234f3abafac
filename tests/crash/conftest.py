import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from farm.adapters.embedded_store import EmbeddedStore
from tests.crash.places import Place, open_shop
from tests.workshop import Workshop


@pytest.fixture(scope="session")
def store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    """A real server with its append-only file on disk."""
    server = EmbeddedStore.start(tmp_path_factory.mktemp("store"))
    yield server
    server.stop()


@pytest.fixture
def place(store_server: EmbeddedStore, tmp_path: Path) -> Place:
    return Place(home=tmp_path, store_url=store_server.url, namespace=f"test-{secrets.token_hex(4)}")


@pytest.fixture
async def shop(place: Place) -> AsyncIterator[Workshop]:
    async with open_shop(place) as shop:
        yield shop
