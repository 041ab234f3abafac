"""A film or a model that cannot be made is left out with a warning; the job ends with what is good."""

import json
from pathlib import Path
from typing import Any

import pytest

from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.memory_journal import open_memory
from farm.adapters.memory_store import MemoryStore
from farm.domain import keys
from farm.errors import BlenderCrashed
from farm.render.ports import ViewTask
from tests.workshop import Workshop, prepared, workshop

FRONT = "front_0deg"
SAGAS = ["granular", "simple"]


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path, open_memory(), MemoryStore(), MemoryCatalog())


async def _ended(shop: Workshop, **request: Any) -> dict[str, Any]:
    async with shop.running():
        return await shop.ended((await shop.service.submit(prepared(product_id="tee", **request)))["id"])


def _no_frames(task: ViewTask) -> None:
    if task.frame is not None:
        raise BlenderCrashed(view=task.name, reason="drill")


@pytest.mark.parametrize("saga", SAGAS)
async def test_a_model_that_fails_leaves_the_pictures(shop: Workshop, saga: str) -> None:
    shop.painters.spoiled_models = 99
    record = await _ended(shop, model=True, views=[FRONT], saga=saga)
    assert (record["status"], record["progress"], list(record["outputs"])) == ("completed", 100.0, [f"{FRONT}.png"])
    (warning,) = record["warnings"]
    assert (warning["code"], warning["pointer"]) == ("extra_left_out", "/model")
    assert "it is missing" in warning["message"]
    assert record["model"]["status"] == "left_out"
    assert record["model"]["error"]["cause"]["code"] == "bad_model"
    manifest = json.loads(shop.objects.get(keys.manifest("default", record["id"])))
    assert manifest["warnings"] == record["warnings"]
    product = await shop.catalog.get_product("default", "tee")
    assert product is not None
    assert [entry.view for entry in product.media] == [FRONT]
    assert (await shop.audit()).findings == []


@pytest.mark.parametrize("saga", SAGAS)
async def test_a_film_that_fails_leaves_pictures_and_model(shop: Workshop, saga: str) -> None:
    shop.painters.before = _no_frames
    record = await _ended(shop, mode="all", views=[FRONT], saga=saga)
    assert (record["status"], set(record["outputs"])) == ("completed", {f"{FRONT}.png", "model.glb"})
    assert [warning["pointer"] for warning in record["warnings"]] == ["/mode"]
    assert record["film"]["status"] == "left_out"
    assert (await shop.audit()).findings == []


async def test_an_encoding_that_fails_is_tried_again_and_then_left_out(shop: Workshop, monkeypatch: Any) -> None:
    tries = []

    async def encode(_: Any) -> None:
        tries.append(1)
        raise BlenderCrashed(view="film", reason="drill")

    monkeypatch.setattr(type(shop.painters), "encode", lambda self, task: encode(task))
    record = await _ended(shop, mode="all", model=False, views=[FRONT])
    assert (record["status"], list(record["outputs"])) == ("completed", [f"{FRONT}.png"])
    assert len(tries) == shop.settings.view_attempts


async def test_of_two_extras_alone_one_is_enough(shop: Workshop) -> None:
    shop.painters.before = _no_frames
    record = await _ended(shop, mode="animation-only", model=True)
    assert (record["status"], list(record["outputs"])) == ("completed", ["model.glb"])
    assert record["film"]["status"] == "left_out"
    assert (await shop.audit()).findings == []


async def test_extras_alone_that_all_fail_fail_their_job(shop: Workshop) -> None:
    shop.painters.before = _no_frames
    shop.painters.spoiled_models = 99
    record = await _ended(shop, mode="animation-only", model=True)
    assert (record["status"], record["error"]["code"], record["outputs"]) == ("failed", "blender_crashed", {})
    assert (await shop.audit()).findings == []
