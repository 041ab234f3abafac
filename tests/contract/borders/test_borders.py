"""Whatever a server says and whatever a driver raises: what leaves an adapter is one of the farm's own errors."""

import asyncio
import gc
import http.client
import json
import pickle
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import botocore.exceptions
import botocore.parsers
import h11
import httpcore
import httpx
import pytest
import urllib3.exceptions
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from farm.adapters.design_source import Designs
from farm.adapters.manifest_file import open_manifest
from farm.adapters.medusa_api import Limits, MedusaApi
from farm.adapters.medusa_catalog import MedusaCatalog
from farm.adapters.s3_store import S3Store
from farm.adapters.web import Web
from farm.adapters.web_post import WebPost
from farm.errors import FarmError, describe
from farm.settings import Settings
from tests.contract.borders.answers import ANSWERS
from tests.contract.borders.exceptions import every
from tests.contract.borders.peer import Peer, peer
from tests.contract.servers.fixtures import s3_credentials

__all__ = ["s3_credentials"]

# A driver that gives up over an answer leaves its socket to the garbage collector; here that is its own matter.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

HOST = "127.0.0.1"
SETTINGS = Settings(
    home=Path("/nowhere"), fetch_timeout_s=2.0, fetch_hosts=HOST, design_max_bytes=10_000, manifest_max_bytes=10_000
)
Uses = dict[str, Callable[[], object]]


def only_here(host: str, port: int) -> Sequence[str]:
    """Nobody's name leads anywhere: a redirect must not leave this machine."""
    if host != HOST:
        raise OSError("no such name")
    return [HOST]


class ToThePeer(httpcore.SyncBackend):
    """Real sockets, but every port is the peer's; raises what it is told to."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.raises: Exception | None = None

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        if self.raises is not None:
            raise self.raises.with_traceback(None)
        return super().connect_tcp(host, self._port, timeout, local_address, socket_options)


@pytest.fixture(scope="module")
def broken() -> Iterator[Peer]:
    with peer() as running:
        yield running


@pytest.fixture(scope="module")
def network(broken: Peer) -> ToThePeer:
    return ToThePeer(broken.port)


@pytest.fixture(scope="module")
def designs(broken: Peer, network: ToThePeer, s3_credentials: None) -> Iterator[Designs]:
    designs = Designs.of(replace(SETTINGS, s3_endpoint_url=broken.url))
    designs.web = Web(frozenset({HOST}), timeout_s=2.0, resolve=only_here, network=network)
    yield designs
    designs.web.close()
    designs.s3.close()


@pytest.fixture(scope="module")
def store(broken: Peer, s3_credentials: None) -> Iterator[S3Store]:
    store = S3Store("tees", endpoint_url=broken.url, connect_timeout_s=1.0, read_timeout_s=2.0)
    yield store
    store.close()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """S3's client waits before it sends a request a second time."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    yield
    gc.collect()


@pytest.fixture(scope="module")
def post() -> WebPost:
    return WebPost(frozenset({HOST}), timeout_s=2.0, resolve=only_here)


def leaves_as_ours(use: Callable[[], object]) -> FarmError | None:
    """Whatever is raised by ``use`` and is not ours fails the test by itself; ours must travel and be told."""
    ours: FarmError | None = None
    try:
        use()
    except FarmError as error:
        ours = error
    if ours is not None:
        assert pickle.loads(pickle.dumps(ours)).code == ours.code
        json.dumps(describe(ours), ensure_ascii=False).encode()
    return ours


def read_manifest(address: str, designs: Designs) -> list[object]:
    with open_manifest(address, designs) as manifest:
        return list(manifest.lines())


def web_uses(designs: Designs, broken: Peer) -> Uses:
    return {
        "design": lambda: designs.fetch(f"{broken.url}/grün.png"),
        "job's design": lambda: designs.from_web(f"{broken.url}/a.png"),
        "identity": lambda: designs.identity(f"{broken.url}/a.png"),
        "manifest": lambda: read_manifest(f"{broken.url}/m.jsonl", designs),
    }


def s3_uses(designs: Designs) -> Uses:
    return {
        "design": lambda: designs.fetch("s3://tees/grün.png"),
        "identity": lambda: designs.identity("s3://tees/a.png"),
        "manifest": lambda: read_manifest("s3://tees/m.jsonl", designs),
    }


def store_uses(store: S3Store) -> Uses:
    return {
        "put": lambda: store.put("t/a", b"a", content_type="image/png"),
        "get": lambda: store.get("t/a"),
        "head": lambda: store.head("t/a"),
        "list": lambda: list(store.list("t/")),
        "copy": lambda: store.copy("t/a", "t/b"),
        "delete": lambda: store.delete(["t/a"]),
        "signed_url": lambda: store.signed_url("t/a", 60),
    }


def post_uses(post: WebPost, broken: Peer) -> Uses:
    return {"send": lambda: asyncio.run(post.send(f"{broken.url}/ü", headers={"a": "b"}, body=b"{}"))}


def shop_uses(broken: Peer) -> Uses:
    api = MedusaApi(broken.url, "sk_test", limits=Limits(connect_s=1.0, call_s=2.0, answer_max_bytes=100_000))
    catalog = MedusaCatalog(api, None)  # type: ignore[arg-type]  # nothing here takes the product's lock

    async def write() -> object:
        async with api.session() as session:
            return await session.write("tee", {"metadata": {}})

    return {
        "get_product": lambda: asyncio.run(catalog.get_product("default", "tee")),
        "list_products": lambda: asyncio.run(catalog.list_products("default")),
        "write": lambda: asyncio.run(write()),
    }


@pytest.fixture(params=["web", "s3", "store", "post", "shop"])
def uses(request: pytest.FixtureRequest, designs: Designs, store: S3Store, post: WebPost, broken: Peer) -> Uses:
    match request.param:
        case "web":
            return web_uses(designs, broken)
        case "s3":
            return s3_uses(designs)
        case "store":
            return store_uses(store)
        case "post":
            return post_uses(post, broken)
        case _:
            return shop_uses(broken)


# Two answers that once left as they came.
@example(says=b"HTTP/1.1 302 Found\r\nLocation: /gr\xc3\xbcn.png\r\nContent-Length: 0\r\n\r\n", resets=False)
@example(says=b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n<a>", resets=False)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(says=ANSWERS, resets=st.booleans())
def test_whatever_a_server_says(uses: Uses, broken: Peer, says: bytes, resets: bool) -> None:
    broken.says, broken.resets = says, resets
    for use in uses.values():
        leaves_as_ours(use)


HTTP = every(httpcore, h11, ssl, socket)
S3 = every(botocore.exceptions, botocore.parsers, urllib3.exceptions, http.client, ssl, socket)
SHOP = every(httpx, httpcore, h11, ssl, socket)


def test_whatever_a_connection_of_the_web_raises(designs: Designs, broken: Peer, network: ToThePeer) -> None:
    try:
        for raised in HTTP:
            network.raises = raised
            for use in web_uses(designs, broken).values():
                assert leaves_as_ours(use) is not None, f"{raised!r} was swallowed"
    finally:
        network.raises = None


def test_whatever_a_webhooks_connection_raises(broken: Peer, post: WebPost, monkeypatch: pytest.MonkeyPatch) -> None:
    for raised in HTTP:

        async def connect(*_: object, raised: Exception = raised, **__: object) -> None:
            raise raised.with_traceback(None)

        monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
        for use in post_uses(post, broken).values():
            assert leaves_as_ours(use) is not None, f"{raised!r} was swallowed"


def test_whatever_a_shops_transport_raises(broken: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    for raised in SHOP:

        async def handle(*_: object, raised: Exception = raised, **__: object) -> None:
            raise raised.with_traceback(None)

        monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)
        for use in shop_uses(broken).values():
            assert leaves_as_ours(use) is not None, f"{raised!r} was swallowed"


class Torn:
    """A body that raises when it is read."""

    def __init__(self, raised: Exception) -> None:
        self._raised = raised

    def read1(self, *_: object) -> bytes:
        raise self._raised.with_traceback(None)

    read = stream = read1

    def close(self) -> None:
        raise self._raised


@pytest.mark.parametrize("where", ["request", "body"])
def test_whatever_s3s_client_raises(
    where: str, designs: Designs, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now: list[Exception] = []
    headers = HTTPHeaders.from_dict({"Content-Length": "3", "ETag": '"a"'})

    def send(request: Any, **_: object) -> AWSResponse:
        if where == "request":
            raise now[0].with_traceback(None)
        return AWSResponse(request.url, 200, headers, Torn(now[0]))

    events: list[Any] = [store._client.meta.events, designs.s3._opened.meta.events]
    for each in events:
        each.register("before-send.s3", send)
    every_use = {**store_uses(store), **{f"source's {name}": use for name, use in s3_uses(designs).items()}}
    reading = {"get", "source's design", "source's manifest"}
    try:
        for raised in S3:
            now[:] = [raised]
            for name, use in every_use.items():
                error = leaves_as_ours(use)
                if name in reading:
                    assert error is not None, f"{raised!r} was swallowed by {name}"
    finally:
        for each in events:
            each.unregister("before-send.s3", send)


def test_lack_of_memory_and_cancelling_are_not_a_servers_fault(
    designs: Designs, broken: Peer, post: WebPost, network: ToThePeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    network.raises = MemoryError()
    with pytest.raises(MemoryError):
        designs.fetch(f"{broken.url}/a.png")
    network.raises = None

    async def cancelled(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", cancelled)
    with pytest.raises(asyncio.CancelledError):
        post_uses(post, broken)["send"]()


def test_what_the_caller_raises_meanwhile_is_the_callers(broken: Peer, designs: Designs) -> None:
    """A full disk beside a sound server is no failed fetch."""
    broken.says, broken.resets = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", False

    def take(address: str) -> None:
        with designs.opened(address, limit_bytes=10) as answer:
            for _ in answer.chunks:
                raise OSError("no space")

    for address in (f"{broken.url}/a", "s3://tees/a"):
        with pytest.raises(OSError, match="no space"):
            take(address)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["file:///", "file://", "s3://", "s3://tees/", "https://", f"http://{HOST}:1/", ""]), st.text())
def test_whatever_stands_in_an_address(designs: Designs, broken: Peer, post: WebPost, begin: str, rest: str) -> None:
    broken.says, broken.resets = b"HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n", False
    uses: Uses = {
        "fetch": lambda: designs.fetch(begin + rest),
        "from_web": lambda: designs.from_web(begin + rest),
        "identity": lambda: designs.identity(begin + rest),
        "check": lambda: asyncio.run(post.check(begin + rest)),
    }
    for use in uses.values():
        leaves_as_ours(use)
