"""Over HTTP: pictures by their signed addresses, and what is no such address."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest

from farm.adapters.redis_picture_rings import RedisPictureRings
from farm.domain.picture_address import PREFIX, PictureKey
from farm.render.pictures import ALIVE_S
from serve_app.api import build_pictures
from serve_app.picture_addresses import RING_S
from serve_app.services import Services, warmed
from tests.api.conftest import Open, Shopfront
from tests.api.test_pictures import PLACED, give_light, kept

Sign = Callable[..., str]
LAYERS = '[{"panel":"front","x_cm":16,"y_cm":16,"width_cm":10}]'


def rings(shop: Shopfront) -> RedisPictureRings:
    found = shop.app.state.services.addresses._rings
    assert isinstance(found, RedisPictureRings)
    return found


async def key_of(shop: Shopfront, tenant: str = "default") -> PictureKey:
    secret, _ = await shop.keys.settle_signing_secret()
    ring = await rings(shop).settle(tenant)
    assert ring.current is not None
    return PictureKey.of(secret, tenant, ring.current.id)


@pytest.fixture
async def design(shop: Shopfront) -> str:
    give_light(shop.workshop)
    return await kept(shop)


@pytest.fixture
async def sign(shop: Shopfront, design: str) -> Sign:
    key = await key_of(shop)

    def signed(view: str = "front_0deg", design: str = design, **options: str) -> str:
        return key.sign([design], view, {"placements": LAYERS, **options})

    return signed


async def refused(shop: Shopfront, url: str) -> tuple[int, str]:
    answer = await shop.connect().get(url)
    assert answer.headers["content-type"] == "application/problem+json", answer.content[:200]
    told = answer.json()
    assert told["hint"]
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, told["code"]


async def test_anybody_may_see_a_signed_picture_and_keep_it(shop: Shopfront, sign: Sign, design: str) -> None:
    url = sign(size="96", fabric_color="navy", format="png", shadow="soft")
    answer = await shop.connect().get(url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png"), answer.text
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Farm-Delta-E" in answer.headers["Access-Control-Expose-Headers"]
    assert answer.headers["ETag"].startswith('"')
    body = {"design_id": design, "placements": PLACED, "fabric_color": "navy", "format": "png", "shadow": "soft"}
    posted = await shop.client.post("/v1/pictures", json={**body, "size": 96})
    assert (posted.content, posted.headers["ETag"]) == (answer.content, answer.headers["ETag"]), "one and the same"


async def test_head_and_conditions_make_nothing(shop: Shopfront, sign: Sign) -> None:
    nobody, url = shop.connect(), sign()
    head = await nobody.head(url)
    assert (head.status_code, head.content, "content-length" in head.headers) == (200, b"", False)
    known = await nobody.get(url, headers={"If-None-Match": f'W/"x", {head.headers["ETag"]}'})
    assert (known.status_code, known.content) == (304, b"")
    assert shop.app.state.services.pictures._finished.size_bytes == 0
    got = await nobody.get(url)
    assert got.headers["ETag"] == head.headers["ETag"]
    assert (await nobody.head(url)).headers["content-length"] == str(len(got.content))


async def test_the_order_of_options_does_not_matter(shop: Shopfront, sign: Sign) -> None:
    path, _, query = sign(size="96", fabric_color="#336699").partition("?")
    pairs = parse_qsl(query)
    for ordered in (pairs[::-1], sorted(pairs)):
        assert (await shop.connect().get(f"{path}?{urlencode(ordered)}")).status_code == 200


async def test_a_forged_address_is_refused_before_anything_is_looked_at(
    shop: Shopfront, sign: Sign, design: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = shop.app.state.services

    def never(*given: Any, **named: Any) -> Any:
        raise AssertionError("something was looked at")

    for owner, name in ((rings(shop), "ring"), (services.designs, "find"), (services.pictures, "order")):
        monkeypatch.setattr(type(owner), name, never)
    monkeypatch.setattr(type(services.keys), "admit", never)
    monkeypatch.setattr(type(services.limiter), "take", never)
    url = sign(size="96")
    path, _, query = url.partition("?")
    signature = dict(parse_qsl(query))["signature"]
    forged = [
        url.replace("size=96", "size=97"),
        url.replace(design, "dsn_" + "0" * 26),
        url.replace("/default/", "/other/"),
        url.replace("/default/", "/%2e%2e/"),
        url.replace("front_0deg", "back_180deg"),
        url.replace(signature, signature[::-1]),
        url.replace(signature, "ü" * 43),
        f"{url}&fabric_color=red",
        f"{url}&size=96",
        f"{url}&" + "&".join(f"a{number}=1" for number in range(200)),
        path,
        f"{path}?key=0123456789ab&signature=",
        f"{path}?key=%ff&signature=%ff",
        f"{path}?{query}&v={'x' * 9_000}",
    ]
    for one in forged:
        assert await refused(shop, one) == (403, "picture_signature_wrong"), one


@pytest.mark.parametrize(
    ("options", "pointer"),
    [
        ({"size": "100000"}, "/size"),
        ({"size": "9" * 400}, "/size"),
        ({"size": "-1"}, "/size"),
        ({"size": "²"}, "/size"),
        ({"format": "gif"}, "/format"),
        ({"fabric_color": "no colour"}, "/fabric_color"),
        ({"placements": "{"}, "/placements"),
        ({"placements": "[" * 1_500}, "/placements"),
        ({"colour": "red"}, "/colour"),
        ({"expires": "soon"}, "/expires"),
        ({"view": "from-above"}, "/views/0"),
    ],
)
async def test_what_was_signed_and_is_no_picture_is_named(
    shop: Shopfront, sign: Sign, options: dict[str, str], pointer: str
) -> None:
    answer = await shop.connect().get(sign(**options))
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_each_end_of_an_address_has_its_answer(shop: Shopfront, sign: Sign, design: str) -> None:
    soon = int(time.time()) + 100
    holding = await shop.connect().get(sign(expires=str(soon)))
    age_s = int(holding.headers["Cache-Control"].partition("max-age=")[2].partition(",")[0])
    assert 50 < age_s <= 100, "no cache keeps it for longer than it holds"
    assert await refused(shop, sign(expires=str(soon - 200))) == (410, "picture_expired")
    stranger = (await key_of(shop, "other")).sign([design], "front_0deg", {})
    assert await refused(shop, stranger) == (404, "design_unknown"), "another tenant's key shows no design of ours"
    assert await refused(shop, sign(size="256")) == (422, "bake_too_small")
    assert await refused(shop, sign(view="back_180deg")) == (409, "bake_missing")
    await shop.client.delete(f"/v1/designs/{design}")
    pictures = shop.app.state.services.pictures
    later_s = pictures._monotonic() + ALIVE_S + 1
    pictures._monotonic = lambda: later_s
    assert await refused(shop, sign(expires=str(soon))) == (410, "design_deleted")


async def test_an_old_key_holds_for_as_long_as_was_said(shop: Shopfront, sign: Sign, design: str) -> None:
    addresses, nobody = shop.app.state.services.addresses, shop.connect()
    old = sign()
    assert (await nobody.get(old)).status_code == 200
    await rings(shop).rotate("default", old_s=3600.0)
    begun_s = addresses._monotonic()
    addresses._monotonic = lambda: begun_s + RING_S + 1
    new = (await key_of(shop)).sign([design], "front_0deg", {"placements": LAYERS})
    assert {(await nobody.get(url)).status_code for url in (old, new)} == {200}
    addresses._wall = lambda: time.time() + 3601
    assert await refused(shop, old) == (403, "picture_key_retired")
    assert (await nobody.get(new)).status_code == 200


async def test_what_is_made_is_counted_by_key_and_what_is_at_hand_is_not(opened: Open) -> None:
    shop = await opened(pictures_per_minute=2)
    give_light(shop.workshop)
    name, nobody, key = await kept(shop), shop.connect(), await key_of(shop)

    async def get(number: int) -> httpx.Response:
        options = {"placements": LAYERS, "fabric_color": f"#00000{number}"}
        return await nobody.get(key.sign([name], "front_0deg", options))

    assert [(await get(number)).status_code for number in (1, 2, 3, 1, 2)] == [200, 200, 429, 200, 200]
    over = await get(4)
    assert (over.json()["code"], int(over.headers["Retry-After"]) >= 1) == ("too_many_requests", True)


async def test_the_pictures_own_application_answers_the_same_below_its_prefix(
    shop: Shopfront, sign: Sign, design: str
) -> None:
    """As Ray Serve calls it: the path is whole, and ``root_path`` is the route's prefix."""
    services = shop.app.state.services

    @asynccontextmanager
    async def opening() -> AsyncIterator[Services]:
        yield services

    app = build_pictures(services.settings, lambda: warmed(opening()))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, root_path=PREFIX)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            url = sign(format="png")
            own, whole = await client.get(url), await shop.connect().get(url)
            assert (own.status_code, own.content, own.headers["ETag"]) == (200, whole.content, whole.headers["ETag"])
            client.headers["Authorization"] = shop.client.headers["Authorization"]
            assert (await client.post(PREFIX, json={"design_id": design, "placements": PLACED})).status_code == 200
            assert (await client.get("/v1/jobs")).json()["code"] == "not_found"
