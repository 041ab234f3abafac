"""Over HTTP: pictures that are asked for and answered, from a bake made by hand."""

import asyncio
import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from farm.domain import keys
from farm.domain.template import find
from farm.render import bakes
from farm.render.bakes import Bake, BakedPart
from farm.render.picture_maker import PictureMaker
from tests.api.conftest import Open, Shopfront
from tests.api.test_jobs import DESIGN
from tests.unit.picture.baked import flat_bake
from tests.workshop import Workshop, png

SIZE_PX = 128
PLACED = [{"panel": "front", "x_cm": 16, "y_cm": 16, "width_cm": 10}]


def give_light(workshop: Workshop, size_px: int = SIZE_PX, *, delta_e: float = 0.5) -> Bake:
    """A bake of the front: flat cloth, seen straight on, four pixels a centimetre."""
    template = find(workshop.settings.template_folders, "crew-tee")
    data = flat_bake(size_px, margin_px=16)
    key = f"{keys.bakes(template.id, template.hash, size_px)}front_0deg.light"
    part = BakedPart(
        name="front_0deg", key=key, sha256=workshop.objects.put(key, data, content_type=""), size_bytes=len(data),
        samples=1, renderer="none", seconds=0.0, error={"delta_e_mean": delta_e},
    )  # fmt: skip
    bake = Bake(template=template.id, template_hash=template.hash, size_px=size_px, parts={part.name: part})
    workshop.objects.put(bakes.index_key(template.id, template.hash, size_px), bake.to_json(), content_type="")
    return bake


async def kept(shop: Shopfront, data: bytes = DESIGN) -> str:
    answer = await shop.client.post("/v1/designs", content=data, headers={"Content-Type": "image/png"})
    return str(answer.json()["id"])


@pytest.fixture
async def design(shop: Shopfront) -> str:
    give_light(shop.workshop)
    return await kept(shop)


async def ask(shop: Shopfront, design: str | list[str], headers: Any = None, **request: Any) -> httpx.Response:
    body = {"design_id": design, "placements": PLACED, **request}
    return await shop.client.post("/v1/pictures", json=body, headers=headers)


def pixels(answer: httpx.Response) -> np.ndarray[Any, Any]:
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


async def test_a_picture_is_in_the_answer_and_says_how_it_was_made(shop: Shopfront, design: str) -> None:
    answer = await ask(shop, design, format="png")
    found = pixels(answer)
    assert found.shape == (SIZE_PX, SIZE_PX, 4)
    assert (found[64, 64, 0] > 150, found[64, 64, 1] < 60, found[0, 0, 3]) == (True, True, 0)
    assert (answer.headers["Farm-Engine"], answer.headers["Farm-Delta-E"]) == ("relight", "0.500")
    assert answer.headers["content-type"] == "image/png"
    timing = answer.headers["Server-Timing"]
    assert all(f"{phase};dur=" in timing for phase in ("light", "design", "compose", "print", "shade", "encode"))
    again = await ask(shop, design, format="png")
    assert (again.content, again.headers["Server-Timing"][:4]) == (answer.content, "kept")
    assert [name for name in again.headers if name.startswith("x-")] == ["x-content-type-options", "x-frame-options"]


async def test_a_known_picture_is_not_sent_again(shop: Shopfront, design: str) -> None:
    etag = (await ask(shop, design)).headers["ETag"]
    known = await ask(shop, design, headers={"If-None-Match": etag})
    assert (known.status_code, known.content, known.headers["ETag"]) == (304, b"", etag)
    other = await ask(shop, design, headers={"If-None-Match": etag}, fabric_color="navy")
    assert (other.status_code, other.headers["ETag"] == etag) == (200, False)


async def test_another_colour_has_neither_design_nor_print_made_anew(shop: Shopfront, design: str) -> None:
    await ask(shop, design)
    timing = (await ask(shop, design, fabric_color="navy")).headers["Server-Timing"]
    assert [phase for phase in ("design", "compose", "print") if f"{phase};" in timing] == []
    moved = (await ask(shop, design, placements=[{**PLACED[0], "x_cm": 14}])).headers["Server-Timing"]
    assert ("design;" in moved, "compose;" in moved) == (False, True)


async def test_equal_requests_at_once_are_made_once(
    shop: Shopfront, design: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    make = PictureMaker.make

    def counted(self: PictureMaker, *given: Any, **named: Any) -> bytes:
        made.append(1)
        return make(self, *given, **named)

    monkeypatch.setattr(PictureMaker, "make", counted)
    answers = await asyncio.gather(*(ask(shop, design) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert (len({answer.content for answer in answers}), len(made)) == (1, 1)


async def test_the_caller_gets_the_format_it_takes(shop: Shopfront, design: str) -> None:
    browser = {"Accept": "image/avif,image/webp,image/apng,*/*;q=0.8"}
    cases = [
        ({"background_color": "#336699"}, {"Accept": "*/*"}, "image/jpeg"),
        ({}, {"Accept": "*/*"}, "image/png"),
        ({}, browser, "image/webp"),
        ({}, {"Accept": "image/avif"}, "image/avif"),
        ({"format": "avif"}, {"Accept": "image/png"}, "image/avif"),
        ({"format": "jpeg"}, browser, "image/jpeg"),
    ]
    tags = set()
    for given, headers, kind in cases:
        answer = await ask(shop, design, headers=headers, **given)
        assert answer.headers["content-type"] == kind
        assert pixels(answer).shape[:2] == (SIZE_PX, SIZE_PX)
        assert "Accept" in answer.headers["Vary"]
        tags.add(answer.headers["ETag"])
    assert len(tags) == 5, "an AVIF that was asked for and one that was chosen are the same"


async def test_a_garment_without_light_says_what_to_do(shop: Shopfront) -> None:
    name = await kept(shop)
    answer = await ask(shop, name)
    assert (answer.status_code, answer.json()["code"]) == (409, "bake_missing")
    assert "farm template bake" in answer.json()["hint"]
    give_light(shop.workshop)
    assert (await ask(shop, name)).status_code == 200, "light that came meanwhile is found at once"
    assert (await ask(shop, name, size=256)).json()["code"] == "bake_too_small"


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"size": 65}, "/size"),
        ({"size": 100_000}, "/size"),
        ({"format": "gif"}, "/format"),
        ({"format": ["png"]}, "/format"),
        ({"views": ["front_0deg", "back_180deg"]}, "/views"),
        ({"mode": "all"}, "/mode"),
        ({"model": True}, "/mode"),
        ({"engine": "cycles"}, "/engine"),
        ({"design_id": []}, "/design_id"),
        ({"design_id": "../x"}, "/design_id"),
        ({"design_id": None}, "/design_id"),
        ({"design_url": "https://shop.example/a.png"}, "/design_url"),
        ({"colour": "red"}, "/colour"),
    ],
)
async def test_what_no_picture_can_be_is_named(shop: Shopfront, design: str, wrong: Any, pointer: str) -> None:
    answer = await ask(shop, design, **wrong) if "design_id" not in wrong else await ask(shop, wrong["design_id"])
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_foreign_and_a_deleted_design_make_no_picture(shop: Shopfront, design: str) -> None:
    stranger = await shop.visitor("other")
    foreign = await stranger.post("/v1/pictures", json={"design_id": design})
    assert (foreign.status_code, foreign.json()["code"]) == (404, "design_unknown")
    assert (await ask(shop, design)).status_code == 200
    await shop.client.delete(f"/v1/designs/{design}")
    pictures = shop.app.state.services.pictures
    begun_s = pictures._monotonic()
    pictures._monotonic = lambda: begun_s + 6
    gone = await ask(shop, design)
    assert (gone.status_code, gone.json()["code"]) == (410, "design_deleted"), "though the picture itself is at hand"


async def test_several_designs_are_layers(shop: Shopfront, design: str) -> None:
    other = await kept(shop, png((16, 46, 200, 255), 64))
    layers = [*PLACED, {"panel": "front", "x_cm": 16, "y_cm": 16, "width_cm": 5, "design": 1}]
    found = pixels(await ask(shop, [design, other], placements=layers, format="png"))
    assert (found[64, 64, 2] > 150, found[64, 48, 0] > 150) == (True, True)


async def test_memory_stays_within_its_bounds(opened: Open) -> None:
    shop = await opened(pictures_memory_bytes=10_000_000)
    give_light(shop.workshop)
    name = await kept(shop)
    services = shop.app.state.services
    for number in range(200):
        given = {"placements": PLACED, "fabric_color": f"#0000{number:02x}"}
        services.pictures.make(services.pictures.order("default", given, [name]))
    last = services.pictures.order("default", {"placements": PLACED, "fabric_color": "#0000c7"}, [name])
    assert 0 < services.pictures._finished.size_bytes <= 1_500_000
    assert services.pictures.finished(last) is not None
