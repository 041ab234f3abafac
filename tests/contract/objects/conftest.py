from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from farm.adapters.file_store import FileStore
from farm.adapters.memory_store import MemoryStore
from farm.adapters.s3_store import S3Store
from farm.adapters.shipped_light import ShippedLight
from tests.contract.servers.fixtures import moto_server, rclone_server, s3_credentials
from tests.contract.servers.s3 import BUCKET, S3Server

__all__ = ["moto_server", "rclone_server", "s3_credentials"]

AnyStore = MemoryStore | FileStore | ShippedLight | S3Store

TEMPLATES = Path(__file__).parents[3] / "templates"


@pytest.fixture(params=["memory", "file", "shipped", "moto", "rclone"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AnyStore]:
    """An empty store of each kind."""
    match request.param:
        case "memory":
            yield MemoryStore()
        case "file":
            yield FileStore(tmp_path / "objects")
        case "shipped":
            yield ShippedLight(MemoryStore(), [TEMPLATES])
        case name:
            server: S3Server = request.getfixturevalue(f"{name}_server")
            s3 = S3Store(BUCKET, f"case-{uuid4().hex}", endpoint_url=server.endpoint_url, read_timeout_s=5)
            yield s3
            s3.close()


@pytest.fixture
def s3_at(s3_credentials: None) -> Iterator[Callable[..., S3Store]]:
    """Opens S3 stores with short timeouts, and closes them after the test."""
    opened: list[S3Store] = []

    def open_at(endpoint_url: str, *, bucket: str = BUCKET, prefix: str = "", batch: int = 1000) -> S3Store:
        opened.append(
            S3Store(
                bucket,
                prefix or f"case-{uuid4().hex}",
                endpoint_url=endpoint_url,
                connect_timeout_s=0.5,
                read_timeout_s=0.7,
                batch=batch,
            )
        )
        return opened[-1]

    yield open_at
    for store in opened:
        store.close()
