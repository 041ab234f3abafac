"""A real, small Ray cluster, a real store and real Blender: started once, shut down at the end."""

import contextlib
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis.asyncio

from farm.actors import options
from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.file_store import FileStore
from farm.adapters.redis_heartbeat import RedisBeats
from farm.adapters.redis_journal import open_redis
from farm.adapters.redis_nodes import RedisNodes
from farm.adapters.temp_folders import TempFolders
from farm.saga.clock import SystemClock
from farm.settings import Settings
from farm.wiring import Farm, open_farm
from tests.ray.jobs import Jobs

if TYPE_CHECKING:
    from farm.actors.workers import RayWorkers

type Hire = Callable[..., "RayWorkers"]


@pytest.fixture(scope="session")
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="farm-ray-"))
    yield folder
    temporary = TempFolders.of(Settings(home=folder))
    temporary.sweep_dead()
    shutil.rmtree(folder, ignore_errors=True)
    assert not temporary.root.exists(), "everybody is dead, so nothing may be left"


@pytest.fixture(scope="session")
def store_url(home: Path) -> Iterator[str]:
    store = EmbeddedStore.start(home)
    yield store.url
    store.stop()


@pytest.fixture(autouse=True)
def forgiven(store_url: str) -> None:
    """No node is left alone for what an earlier test had fail on it."""
    with redis.Redis.from_url(store_url) as client:
        client.delete("farm:nodes")


@pytest.fixture(scope="session")
def cluster(home: Path) -> Iterator[None]:
    """Two CPUs and two GPUs that exist on paper, with the environment that the farm's host would set.

    Ray reads how to authenticate when it is first imported: if another test did that, this cluster goes without.
    """
    before = dict(os.environ)
    environment = options.node_environment(Settings(home=home))
    (home / "ray.token").write_text(secrets.token_hex(32))
    if "ray" in sys.modules:
        environment = {name: value for name, value in environment.items() if not name.startswith("RAY_AUTH")}
    os.environ.update(environment)
    import ray

    ray.init(
        address="local",
        num_cpus=2,
        num_gpus=2,
        include_dashboard=False,
        log_to_driver=False,
        configure_logging=False,
        object_store_memory=100_000_000,
        namespace=options.NAMESPACE,
        _temp_dir=str(home / "ray"),
    )
    yield
    ray.shutdown()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def settings(home: Path) -> Settings:
    return Settings(
        home=home,
        render_device="cpu",
        render_threads=2,
        render_memory_bytes=500_000_000,
        lease_s=6.0,
        view_timeout_s=120.0,
    )


@pytest.fixture
async def hire(cluster: None, settings: Settings, store_url: str) -> AsyncIterator[Hire]:
    """Makes workers whose settings differ as the test says."""
    from farm.actors.workers import RayWorkers

    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(redis.asyncio.Redis.from_url(store_url))
        sagas = open_redis(store_url)
        stack.push_async_callback(sagas.close)

        def make(**changes: Any) -> RayWorkers:
            hands = RayWorkers(
                replace(settings, **changes),
                redis_url=store_url,
                beats=RedisBeats(client),
                counters=sagas.counters,
                health=RedisNodes(client, SystemClock(), limit=settings.node_failures),
            )
            stack.push_async_callback(hands.close)
            return hands

        yield make


@pytest.fixture
def workers(hire: Hire) -> "RayWorkers":
    return hire()


@pytest.fixture
async def beats(store_url: str) -> AsyncIterator[RedisBeats]:
    async with redis.asyncio.Redis.from_url(store_url) as client:
        yield RedisBeats(client)


@pytest.fixture
def jobs(settings: Settings) -> Jobs:
    return Jobs(FileStore(settings.home / "objects"), settings)


@pytest.fixture(scope="module")
def coordinators(cluster: None, settings: Settings, store_url: str) -> Iterator[list[Any]]:
    """Coordinators of a farm of the file's own, ended with it."""
    import ray

    from farm.actors.coordinator import start_coordinators

    handles = start_coordinators(settings, store_url)
    yield handles
    ray.get([handle.stop.remote() for handle in handles])
    for handle in handles:
        ray.kill(handle)


@pytest.fixture
async def farm(settings: Settings, store_url: str) -> AsyncIterator[Farm]:
    async with open_farm(settings, store_url=store_url) as opened:
        yield opened
