import io
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from farm.domain.ids import new_token
from farm.domain.template import find
from farm.domain.view import View
from farm.errors import BakeMissing, TemplateBroken
from farm.render import bakes
from farm.render.baker import BakeWish, bake
from farm.render.bakes import BakedPart
from farm.render.ports import BakeTask
from tests.ray.jobs import Jobs

if TYPE_CHECKING:
    from farm.actors.workers import RayWorkers

SIZE_PX = 96


def wish(jobs: Jobs, view: View, **changes: object) -> BakeWish:
    template = find(jobs.settings.template_folders, "crew-tee")
    return BakeWish(
        template=template.id, template_hash=template.hash, size_px=SIZE_PX, samples=4, views=(str(view),), measure=True
    )  # fmt: skip


async def test_a_view_is_baked_measured_relit_judged_and_stored(workers: "RayWorkers", jobs: Jobs) -> None:
    told: list[BakedPart] = []

    async def on_part(part: BakedPart) -> None:
        told.append(part)

    wanted = wish(jobs, View.FRONT)
    made = await bake(wanted, work=workers.bake, store=jobs.store, on_part=on_part)
    [part] = told
    assert made.parts == {"front_0deg": part}
    assert part.renderer.startswith("cycles ")
    assert 0 < part.error["delta_e_mean"] < 4, "of four samples at so few pixels the floor is about 2"

    again = await workers.bake(wanted.tasks()[0])
    assert again == part, "what is baked is not baked again"

    composed = jobs.compose()
    textures = await workers.compose(composed)
    done = await workers.relight(jobs.view(composed, textures))
    data = jobs.store.get(done.artifact.key, sha256=done.artifact.sha256)
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.size, picture.mode) == ((SIZE_PX, SIZE_PX), "RGBA")
        red, green, _, alpha = picture.getpixel((SIZE_PX // 2, SIZE_PX // 2))  # type: ignore[misc]
    assert (alpha, red > green) == (255, True), "the red design is on the chest"
    assert "verdict: passed" in jobs.store.get(done.artifact.key.removesuffix("png") + "log").decode()
    assert str(done.report["renderer"]) == f"relight 3 {made.id[:12]}"

    second = await workers.relight(jobs.view(composed, textures))
    assert second.artifact.sha256 == done.artifact.sha256, "a relit picture has no noise of its own"


async def test_what_is_not_baked_is_not_relit(workers: "RayWorkers", jobs: Jobs) -> None:
    composed = jobs.compose(size=2100)
    textures = await workers.compose(composed)
    with pytest.raises(BakeMissing) as raised:
        await workers.relight(jobs.view(composed, textures, View.RIGHT))
    assert not raised.value.retryable


async def test_another_version_of_the_template_is_not_baked(workers: "RayWorkers", jobs: Jobs) -> None:
    task = BakeTask(
        template="crew-tee", template_hash="0" * 64, view="front_0deg", size_px=64, samples=1, token=new_token()
    )
    with pytest.raises(TemplateBroken):
        await workers.bake(task)
    assert bakes.sizes(jobs.store, "crew-tee", "0" * 64) == []
