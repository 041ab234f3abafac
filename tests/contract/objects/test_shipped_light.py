"""Light that came with a template is found where a bake of the object store would be."""

import shutil
from pathlib import Path

import pytest

from farm.adapters.memory_store import MemoryStore
from farm.adapters.shipped_light import FOLDER, ShippedLight, write_light
from farm.domain import keys
from farm.domain.template import Template
from farm.errors import ObjectAltered, ObjectMissing
from farm.picture.baked_view import BakedView
from farm.render import bakes
from farm.render.bakes import Bake, BakedPart
from tests.unit.picture.baked import flat_bake

TEE = Path(__file__).parents[3] / "templates" / "crew-tee"
SIZE_PX = 64


def baked(store: MemoryStore, template: Template, *, diffuse: float = 0.8) -> Bake:
    """A bake of the front in that store, as `farm template bake` leaves it."""
    key = bakes.part_key(template.id, template.hash, SIZE_PX, "front_0deg")
    data = flat_bake(SIZE_PX, diffuse=diffuse)
    part = BakedPart(
        name="front_0deg", key=key, sha256=store.put(key, data, content_type=""), size_bytes=len(data), samples=64,
        renderer="cycles", seconds=1.0, error={"delta_e_mean": 0.5},
    )  # fmt: skip
    bake = Bake(template=template.id, template_hash=template.hash, size_px=SIZE_PX, parts={part.name: part})
    store.put(bakes.index_key(template.id, template.hash, SIZE_PX), bake.to_json(), content_type="")
    return bake


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    shutil.copytree(TEE, tmp_path / "crew-tee", ignore=shutil.ignore_patterns(FOLDER))
    return tmp_path


@pytest.fixture
def template(folders: Path) -> Template:
    """A template whose light lies in its folder; the store that it was baked in is gone."""
    found = Template.load(folders / "crew-tee")
    workshop = MemoryStore()
    write_light(found.folder, baked(workshop, found), workshop)
    return found


def test_what_was_shipped_is_a_finished_bake_of_an_empty_store(folders: Path, template: Template) -> None:
    store = ShippedLight(MemoryStore(), [folders])
    [bake] = bakes.finished(store, template.id, template.hash)
    part = bake.parts["front_0deg"]
    assert bake.size_px == SIZE_PX
    assert BakedView.read(store.get(part.key, sha256=part.sha256)).size_px == SIZE_PX
    found = store.head(part.key)
    assert found is not None
    assert found.size_bytes == part.size_bytes


def test_what_the_store_holds_comes_first(folders: Path, template: Template) -> None:
    own = MemoryStore()
    bake = baked(own, template, diffuse=0.3)
    [found] = bakes.finished(ShippedLight(own, [folders]), template.id, template.hash)
    assert found.id == bake.id
    part = found.parts["front_0deg"]
    assert ShippedLight(own, [folders]).get(part.key, sha256=part.sha256) == own.get(part.key)


def test_light_of_another_version_is_stale(folders: Path, template: Template) -> None:
    index = template.folder / FOLDER / bakes.INDEX
    index.write_text(index.read_text("utf-8").replace(template.hash, "0" * 64), "utf-8")
    store = ShippedLight(MemoryStore(), [folders])
    assert bakes.finished(store, template.id, template.hash) == []
    assert bakes.finished(store, template.id, "0" * 64) == []


def test_light_that_was_altered_is_not_used(folders: Path, template: Template) -> None:
    store = ShippedLight(MemoryStore(), [folders])
    [bake] = bakes.finished(store, template.id, template.hash)
    part = bake.parts["front_0deg"]
    file = template.folder / FOLDER / "front_0deg.light"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ObjectAltered):
        store.get(part.key, sha256=part.sha256)
    file.unlink()
    with pytest.raises(ObjectMissing):
        store.get(part.key, sha256=part.sha256)


def test_an_index_that_cannot_be_read_is_passed_over(folders: Path, template: Template) -> None:
    (template.folder / FOLDER / bakes.INDEX).write_text("{", "utf-8")
    assert bakes.finished(ShippedLight(MemoryStore(), [folders]), template.id, template.hash) == []


def test_shipped_light_is_no_object_of_the_store(folders: Path, template: Template) -> None:
    store = ShippedLight(MemoryStore(), [folders])
    assert list(store.list("")) == []
    assert list(store.list("bakes/")) == []
    assert store.delete_prefix(keys.bakes(template.id, template.hash)) == 0
    assert bakes.sizes(store, template.id, template.hash) == [SIZE_PX]
