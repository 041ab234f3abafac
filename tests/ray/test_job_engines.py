"""Whole jobs by relighting, previews of traced ones, and pictures kept from before: real Ray, real Blender."""

import io
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from farm.domain import keys
from farm.domain.request import parse_request
from farm.domain.template import find
from farm.render.baker import BakeWish, bake
from farm.render.bakes import Bake, BakedPart
from farm.render.prepare import prepare
from farm.wiring import Farm

if TYPE_CHECKING:
    from farm.actors.workers import RayWorkers

FRONT = "front_0deg"
SIZE_PX = 96


@pytest.fixture
async def baked(farm: Farm, workers: "RayWorkers") -> AsyncIterator[Bake]:
    """The front of the tee; taken away afterwards, so that other tests' jobs show no previews."""

    async def on_part(part: BakedPart) -> None:
        return None

    template = find(farm.settings.template_folders, "crew-tee")
    wish = BakeWish(
        template=template.id, template_hash=template.hash, size_px=SIZE_PX, samples=4, views=(FRONT,), measure=False
    )
    yield await bake(wish, work=workers.bake, store=farm.store, on_part=on_part)
    farm.store.delete_prefix(keys.bakes(template.id, template.hash))


async def submit(farm: Farm, **wanted: Any) -> str:
    design = io.BytesIO()
    Image.new("RGB", (300, 300), "#c01890").save(design, "PNG")
    request = parse_request({"size": SIZE_PX, "views": [FRONT], **wanted})
    record = await farm.service.submit(prepare(farm.settings, request, [design.getvalue()]))
    return str(record["id"])


async def ended(farm: Farm, job_id: str) -> dict[str, Any]:
    async for _ in farm.service.follow(job_id):
        pass
    return await farm.service.get(job_id)


def red(data: bytes) -> bool:
    """Whether the print is on the chest."""
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.size == (SIZE_PX, SIZE_PX)
        pixel: Any = picture.convert("RGBA").getpixel((SIZE_PX // 2, SIZE_PX // 2))
    return bool(pixel[0] > 2 * pixel[1] and pixel[3] == 255)


async def test_a_baked_garment_is_relit_previewed_and_rendered_once(
    coordinators: list[Any], farm: Farm, baked: Bake
) -> None:
    relit = await ended(farm, await submit(farm, engine="relight"))
    assert relit["status"] == "completed", relit["error"]
    [view] = relit["views"]
    assert (view["engine"], view["report"]["renderer"]) == ("relight", baked.renderer)
    [artifact] = relit["artifacts"]
    assert red(farm.store.get(artifact["key"], sha256=artifact["sha256"]))

    began_s = time.monotonic()
    job_id = await submit(farm, samples=800)
    shown_s, order = 0.0, []
    async for event in farm.service.follow(job_id):
        kind = event["type"].removeprefix("render.job.")
        order.append(kind)
        if kind == "preview_ready":
            shown_s = time.monotonic() - began_s
            key = (await farm.service.get(job_id))["views"][0]["preview"]
            assert red(farm.store.get(key))
    traced_s = time.monotonic() - began_s
    assert order.index("preview_ready") < order.index("view_completed"), order
    assert shown_s < traced_s
    traced = await farm.service.get(job_id)
    assert (traced["status"], traced["views"][0]["engine"]) == ("completed", "cycles")
    assert list(farm.store.list(keys.work("default", job_id))) == []

    for asked, first in (({"samples": 800}, traced), ({"engine": "relight", "samples": 3}, relit)):
        again = await ended(farm, await submit(farm, **asked))
        assert (again["status"], again["views"][0]["cached"]) == ("completed", True)
        assert again["artifacts"][0]["sha256"] == first["artifacts"][0]["sha256"]
    report = await farm.audit()
    assert [one for one in report.findings if any(job["id"] in one.subject for job in (relit, traced))] == []
