"""Previews from a bake made by hand: a flat cloth seen straight on."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from farm.adapters.bake_shelf import BakeShelf
from farm.adapters.memory_store import MemoryStore
from farm.domain import keys
from farm.domain.template import Template
from farm.errors import BakeMissing, InvalidRequest, ObjectAltered
from farm.picture.baked_view import BakedView
from farm.render import bakes
from farm.render.bakes import Bake, BakedPart
from farm.render.picture_maker import PictureMaker
from farm.render.preview import Previewer, requested
from farm.settings import Settings
from tests.unit.picture.baked import flat_bake
from tests.workshop import png

SIZE_PX = 128


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def template(settings: Settings) -> Template:
    return Template.load(settings.templates_folder / "crew-tee")


@pytest.fixture
def store(template: Template) -> MemoryStore:
    """A store with a bake of the front."""
    objects = MemoryStore()
    data = flat_bake(SIZE_PX, margin_px=16)
    key = f"{keys.bakes(template.id, template.hash, SIZE_PX)}front_0deg.light"
    part = BakedPart(
        name="front_0deg", key=key, sha256=objects.put(key, data, content_type=""), size_bytes=len(data), samples=1,
        renderer="none", seconds=0.0,
    )  # fmt: skip
    bake = Bake(template=template.id, template_hash=template.hash, size_px=SIZE_PX, parts={part.name: part})
    objects.put(bakes.index_key(template.id, template.hash, SIZE_PX), bake.to_json(), content_type="")
    return objects


def preview(settings: Settings, store: MemoryStore, **given: Any) -> list[np.ndarray[Any, Any]]:
    maker = PictureMaker(settings, store=store, shelf=BakeShelf.of(settings), threads=1)
    previewer = Previewer(settings, store=store, maker=maker)
    prepared = requested(settings, store, given, [png((200, 16, 46, 255), 32)])
    pictures = previewer.preview(prepared)
    assert [picture.view for picture in pictures] == prepared.request["views"]
    return [np.asarray(Image.open(io.BytesIO(picture.data))) for picture in pictures]


def test_a_preview_is_one_view_as_large_as_the_bake(settings: Settings, store: MemoryStore) -> None:
    [picture] = preview(settings, store, placements=[{"panel": "front", "x_cm": 16, "y_cm": 16, "width_cm": 10}])
    assert picture.shape == (SIZE_PX, SIZE_PX, 4)
    red, green, blue, alpha = (int(channel) for channel in picture[64, 64])
    assert (red > 150, green < 60, blue < 80, alpha) == (True, True, True, 255), "four pixels a cm: 16 cm is the middle"
    assert picture[0, 0, 3] == 0
    assert picture[20, 20, :3].min() > 200


def test_a_preview_has_the_size_background_and_format_that_are_asked(settings: Settings, store: MemoryStore) -> None:
    [picture] = preview(settings, store, size=64, aspect="2:1", background_color="#336699", format="jpeg")
    assert picture.shape == (32, 64, 3)
    np.testing.assert_allclose(picture[2, 2], (0x33, 0x66, 0x99), atol=6)


def test_without_a_bake_it_says_what_to_run(settings: Settings, store: MemoryStore) -> None:
    with pytest.raises(BakeMissing, match="back_180deg") as raised:
        preview(settings, store, views=["back_180deg"])
    assert "farm template bake" in raised.value.hint
    with pytest.raises(BakeMissing, match="256 px"):
        preview(settings, store, size=256)
    with pytest.raises(BakeMissing):
        preview(settings, MemoryStore())


def test_a_wrong_request_is_refused_as_a_jobs_is(settings: Settings, store: MemoryStore) -> None:
    with pytest.raises(InvalidRequest):
        preview(settings, store, preset="on-the-moon")


def test_a_bake_that_was_altered_is_not_used(settings: Settings, store: MemoryStore, template: Template) -> None:
    store.put(
        f"{keys.bakes(template.id, template.hash, SIZE_PX)}front_0deg.light", flat_bake(SIZE_PX, diffuse=0.1),
        content_type="",
    )  # fmt: skip
    with pytest.raises(ObjectAltered):
        preview(settings, store)


def test_a_shelf_opens_a_view_once_and_lets_the_oldest_go(tmp_path: Path) -> None:
    objects, shelf = MemoryStore(), BakeShelf(tmp_path, kept=2)
    parts = []
    for number in range(3):
        data = flat_bake(64, diffuse=0.2 + 0.1 * number)
        objects.put(f"k{number}", data, content_type="")
        digest = hashlib.sha256(data).hexdigest()
        parts.append(
            BakedPart(name="v", key=f"k{number}", sha256=digest, size_bytes=1, samples=1, renderer="", seconds=0.0)
        )
    first = shelf.take(objects, parts[0], tmp_path)
    assert isinstance(first, BakedView)
    assert shelf.take(objects, parts[0], tmp_path) is first
    shelf.take(objects, parts[1], tmp_path)
    shelf.take(objects, parts[2], tmp_path)
    assert shelf.take(objects, parts[0], tmp_path) is not first
