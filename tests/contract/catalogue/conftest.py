from collections.abc import Iterator

import pytest

from farm.adapters.embedded_store import EmbeddedStore
from tests.contract.servers.fixtures import moto_server, s3_credentials

__all__ = ["moto_server", "s3_credentials"]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore.start(tmp_path_factory.mktemp("rows"))
    yield store
    store.stop()
