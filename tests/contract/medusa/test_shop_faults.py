"""Whatever answers at the shop's address: a typed error, in bounded time, with the key told to nobody."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from farm import wiring
from farm.adapters.builtin_catalog import BuiltinCatalog
from farm.adapters.medusa_api import RETRY_AFTER_MAX_S, Limits, MedusaApi
from farm.adapters.medusa_catalog import MedusaCatalog
from farm.domain.ids import DEFAULT_TENANT as TENANT
from farm.errors import FarmError, InvalidSettings, ShopForbidden, ShopRefused, ShopUnavailable
from farm.render.ports import ProductCatalog
from farm.saga.retry import RetryPolicy
from farm.settings import Settings
from tests.contract.catalog.wanted import wanted
from tests.contract.medusa.loopback import Loopback, Say, always, answer, loopback
from tests.ports import free_port

KEY = "sk_only_for_tests_7f3a"
LIMITS = Limits(connect_s=0.5, call_s=0.6, answer_max_bytes=100_000)
EMPTY = json.dumps({"product": {"id": "tee", "thumbnail": None, "metadata": None, "images": []}})

OpenCatalog = Callable[..., MedusaCatalog]


@pytest.fixture
async def at(
    open_catalog: OpenCatalog, redis: Redis, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[Callable[[str], MedusaCatalog]]:
    """Opens a catalogue at an address; afterwards the key must stand in no log."""
    caplog.set_level(logging.DEBUG)
    yield lambda url: open_catalog(url, KEY, limits=LIMITS, settle_s=0.05)
    assert KEY not in caplog.text


async def failure(catalog: MedusaCatalog) -> FarmError:
    with pytest.raises(FarmError) as caught:
        await catalog.associate(TENANT, "tee", wanted(f"a-{uuid4().hex}"))
    assert KEY not in str(caught.value.to_dict()) + repr(caught.value.__cause__)
    return caught.value


def on_write(data: bytes) -> Say:
    """A sound shop until something is to be written."""

    async def say(method: str, writer: asyncio.StreamWriter) -> None:
        writer.write(data if method == "POST" else answer(200, EMPTY))

    return say


@pytest.mark.parametrize(
    ("said", "error", "word"),
    [
        (answer(401, '{"message":"Unauthorized"}'), ShopForbidden, "FARM_SHOP_API_KEY"),
        (answer(403, "no"), ShopForbidden, "FARM_SHOP_API_KEY"),
        (answer(400, '{"type":"invalid_data","message":"odd\\nthing"}'), ShopRefused, "odd thing"),
        (answer(413, "{}"), ShopRefused, "pictures"),
        (answer(422, "[]"), ShopRefused, "422"),
        (answer(404, "<html>"), ShopUnavailable, "not a Medusa"),
        (answer(302, "", Location="https://elsewhere.example/login?secret=1"), ShopRefused, "elsewhere.example"),
        (answer(301, "", Location="https://["), ShopRefused, "redirects"),
        (answer(408), ShopUnavailable, "408"),
        (answer(409, '{"type":"conflict","message":"conflict"}'), ShopUnavailable, "409"),
        (answer(429), ShopUnavailable, "429"),
        (answer(500, '{"message":"boom"}'), ShopUnavailable, "boom"),
        (answer(502, "<html>"), ShopUnavailable, "502"),
        (answer(200, "not json"), ShopUnavailable, "not a Medusa"),
        (answer(200, "[" * 50_000), ShopUnavailable, "not a Medusa"),
        (answer(200, '{"products":[]}'), ShopUnavailable, "no product"),
        (answer(200, '{"product":{"id":"tee"}}'), ShopUnavailable, "no product of Medusa"),
        (answer(200, '{"product":{"images":[{"id":1,"url":2}],"thumbnail":3}}'), ShopUnavailable, "no product of"),
        (answer(200, b"\x1f\x8b" * 10, Content_Encoding="gzip"), ShopUnavailable, "compressed"),
        (answer(200, b" " * 200_000), ShopUnavailable, "longer than"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", ShopUnavailable, "lost"),
        (b"\x00\xff no http at all\r\n\r\n", ShopUnavailable, "lost"),
        (b"", ShopUnavailable, "lost"),
    ],
)
@pytest.mark.parametrize("when", [always, on_write])
async def test_every_answer_becomes_a_typed_error(
    at: Callable[[str], MedusaCatalog],
    said: bytes,
    error: type[FarmError],
    word: str,
    when: Callable[[bytes], Say],
) -> None:
    async with loopback(when(said)) as server:
        met = await failure(at(server.url))
        assert type(met) is error
        assert word in met.message
        assert "secret=1" not in met.message
        assert met.retryable is (error is ShopUnavailable)
        assert len(server.heads) <= 4


@pytest.mark.parametrize(
    ("status", "in_doubt"), [(400, False), (401, False), (409, False), (429, False), (500, True), (504, True)]
)
async def test_only_a_definite_no_gives_the_lease_back_at_once(
    open_catalog: OpenCatalog, redis: Redis, status: int, in_doubt: bool
) -> None:
    async with loopback(on_write(answer(status))) as server:
        await failure(open_catalog(server.url, KEY, limits=LIMITS, settle_s=0.4))
    held_ms = await redis.pttl("farm:shop:lock:tee")
    assert (0 < held_ms <= 400) if in_doubt else held_ms == -2
    await redis.delete("farm:shop:lock:tee")


async def silence(method: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(1.0)


async def drip(method: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(15):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("say", [silence, drip])
async def test_slowness_is_bounded(at: Callable[[str], MedusaCatalog], say: Say) -> None:
    async with loopback(say) as server:
        began_s = asyncio.get_running_loop().time()
        met = await failure(at(server.url))
        assert asyncio.get_running_loop().time() - began_s < 0.9
    assert isinstance(met, ShopUnavailable)
    assert "0.6 s" in met.message or "lost" in met.message


async def test_nobody_there(at: Callable[[str], MedusaCatalog]) -> None:
    met = await failure(at(f"http://127.0.0.1:{free_port()}"))
    assert isinstance(met, ShopUnavailable)
    assert "no connection" in met.message
    assert met.in_doubt is False


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("999999999999", RETRY_AFTER_MAX_S),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("²", None),
    ],
)
async def test_the_shop_may_ask_for_patience(
    at: Callable[[str], MedusaCatalog], header: str, wait_s: float | None
) -> None:
    headers = {"Retry_After": header.encode().decode("latin-1")} if header else {}
    async with loopback(always(answer(429, **headers))) as server:
        met = await failure(at(server.url))
    assert met.retry_after_s == wait_s


async def test_patience_until_a_date_is_what_the_saga_waits(at: Callable[[str], MedusaCatalog]) -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    async with loopback(always(answer(503, Retry_After=date))) as server:
        met = await failure(at(server.url))
    assert 50 < met.retry_after_s <= 60

    class Never:
        def uniform(self, low: float, high: float) -> float:
            return low

    policy = RetryPolicy(max_attempts=3)
    wait_s = policy.wait_s(met, failures=1, elapsed_s=0.0, rng=Never())  # type: ignore[arg-type]
    assert wait_s == met.retry_after_s


async def test_a_redirect_is_not_followed(at: Callable[[str], MedusaCatalog]) -> None:
    async with loopback(always(answer(200, EMPTY))) as other:
        async with loopback(always(answer(307, "", Location=other.url + "/admin/products/tee"))) as server:
            await failure(at(server.url))
        assert other.heads == []


async def test_a_404_that_is_not_the_shops_own_does_not_pass_for_a_product_that_is_gone(
    at: Callable[[str], MedusaCatalog],
) -> None:
    async with loopback(always(answer(404, "<html>no such page"))) as server:
        with pytest.raises(ShopUnavailable):
            await at(server.url).dissociate(TENANT, "tee", "a")
    async with loopback(always(answer(404, '{"type":"not_found","message":"Product not found"}'))) as server:
        await at(server.url).dissociate(TENANT, "tee", "a")
        assert "no such product" in (await failure(at(server.url))).message


async def test_the_key_is_sent_as_the_shop_wants_it_and_the_path_is_quoted(
    at: Callable[[str], MedusaCatalog],
) -> None:
    async with loopback(always(answer(200, EMPTY))) as server:
        await at(server.url + "/shop/").get_product(TENANT, "a:b")
        assert await at(server.url).get_product(TENANT, "../users") is None
    assert requests(server) == ["GET /shop/admin/products/a%3Ab?fields=id%2Cthumbnail%2Cmetadata%2C%2Aimages"]
    basic = "Basic c2tfb25seV9mb3JfdGVzdHNfN2YzYTo="
    assert f"authorization: {basic}" in server.heads[0].lower().replace(basic.lower(), basic)


def requests(server: Loopback) -> list[str]:
    return [head.splitlines()[0].removesuffix(" HTTP/1.1") for head in server.heads]


async def test_a_shop_that_keeps_something_else_than_it_was_given_is_not_believed(
    at: Callable[[str], MedusaCatalog],
) -> None:
    async with loopback(always(answer(200, EMPTY))) as server:
        met = await failure(at(server.url))
    assert isinstance(met, ShopUnavailable)
    assert [request.split()[0] for request in requests(server)] == ["GET", "POST"] * 4


async def test_all_pages_are_listed(at: Callable[[str], MedusaCatalog]) -> None:
    async with loopback(pages(120)) as server:
        products = await at(server.url).list_products(TENANT)
    assert [product.id for product in products] == [f"p{number:03d}" for number in range(120)]
    assert len(server.heads) == 3


def pages(count: int) -> Say:
    asked = 0

    async def say(method: str, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        numbers = range(asked * 50, min(asked * 50 + 50, count))
        asked += 1
        page: list[Any] = [
            {"id": f"p{number:03d}", "thumbnail": None, "metadata": {}, "images": []} for number in numbers
        ]
        writer.write(answer(200, json.dumps({"products": page, "count": count})))

    return say


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example.com",
        "http://10.0.0.5:9000",
        "http://localhost.evil.example",
        "ftp://shop.example.com",
        "shop.example.com",
        "https://",
        "https://user:hunter2@shop.example.com",
        "https://shop.example.com?key=hunter2",
        "https://shop.example.com#hunter2",
        "http://[::1",
        "https://shop.example.com:99999",
    ],
)
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        MedusaApi(url, KEY)
    assert "FARM_SHOP_URL" in refused.value.message
    assert "hunter2" not in refused.value.message


@pytest.mark.parametrize(
    "url", ["https://shop.example.com", "https://shop.example.com/medusa/", "http://127.0.0.1:9000", "http://[::1]:9000",
            "http://localhost:9000", "http://Medusa:9000"],
)  # fmt: skip
def test_an_address_that_can_be_used(url: str) -> None:
    MedusaApi(url, KEY, http_hosts=["medusa"])


@pytest.mark.parametrize("key", ["", "two\nlines", "clé", "user:password"])
def test_a_key_that_cannot_be_used_is_refused_and_not_told(key: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        MedusaApi("https://shop.example.com", key)
    assert "FARM_SHOP_API_KEY" in refused.value.message
    assert not key or key not in refused.value.message


async def test_the_settings_choose_the_shop(redis: Redis, tmp_path: Path) -> None:
    home = {"FARM_HOME": str(tmp_path)}
    assert isinstance(catalog_of(home, redis), BuiltinCatalog)
    shop = {**home, "FARM_SHOP_URL": "https://shop.example.com", "FARM_SHOP_API_KEY": KEY}
    with pytest.raises(InvalidSettings, match="FARM_PUBLIC_URL"):
        catalog_of(shop, redis)
    shop["FARM_PUBLIC_URL"] = "https://pictures.example.com"
    assert isinstance(catalog_of(shop, redis), MedusaCatalog)
    assert KEY not in repr(Settings.load(shop))
    inside = {**shop, "FARM_SHOP_URL": "http://medusa:9000"}
    with pytest.raises(InvalidSettings, match="FARM_SHOP_HTTP_HOSTS"):
        catalog_of(inside, redis)
    assert isinstance(catalog_of({**inside, "FARM_SHOP_HTTP_HOSTS": "other, medusa"}, redis), MedusaCatalog)


def catalog_of(environ: dict[str, str], redis: Redis) -> ProductCatalog:
    return wiring.open_catalog(Settings.load(environ), redis)
