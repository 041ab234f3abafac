"""Which engine makes a job's pictures, where that is told, and what happens without a bake."""

import json
from pathlib import Path
from typing import Any

import pytest

from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.memory_journal import open_memory
from farm.adapters.memory_store import MemoryStore
from farm.domain import keys
from farm.domain.template import find
from farm.domain.view import ALL_VIEWS
from farm.errors import BadPicture, BakeMissing, BakeTooSmall, BlenderCrashed, FilmBakeMissing
from farm.render import bakes
from farm.render.making import Making
from farm.render.ports import ViewTask
from tests.workshop import Workshop, baked, prepared, workshop

FRONT = "front_0deg"


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path, open_memory(), MemoryStore(), MemoryCatalog())


async def finished(shop: Workshop, **request: Any) -> dict[str, Any]:
    async with shop.running():
        return await shop.ended((await shop.service.submit(prepared(**request)))["id"])


def manifest(shop: Workshop, record: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(shop.objects.get(keys.manifest("default", record["id"]))))


async def test_a_job_that_names_no_engine_is_relit_where_its_garment_is_baked(shop: Workshop) -> None:
    traced = await finished(shop)
    assert {view["engine"] for view in traced["views"]} == {"cycles"}
    baked(shop.objects)
    relit = await finished(shop)
    assert (relit["engine"]["asked"], relit["engine"]["chosen"]) == ("auto", "relight")
    assert {view["engine"] for view in relit["views"]} == {"relight"}


async def test_a_job_that_asks_for_blender_is_traced(shop: Workshop) -> None:
    baked(shop.objects)
    record = await finished(shop, engine="cycles")
    assert record["engine"] == {"asked": "cycles", "chosen": "cycles", "stills": "cycles"}
    assert {view["engine"] for view in record["views"]} == {"cycles"}
    assert len(shop.painters.painted) == 6


async def test_a_relit_job_is_relit_and_says_so_everywhere(shop: Workshop) -> None:
    bake = baked(shop.objects)
    record = await finished(shop, engine="relight", product_id="tee")
    assert record["status"] == "completed"
    assert shop.painters.painted == []
    assert [view for _, view in shop.painters.relit] == list(ALL_VIEWS)
    engine = {"asked": "relight", "chosen": "relight", "stills": "relight", "bake": bake.id[:12], "delta_e": 0.4}
    assert record["engine"] == engine
    assert {view["engine"] for view in record["views"]} == {"relight"}
    written = manifest(shop, record)
    assert written["engine"] == engine
    assert written["made"][FRONT] == {"engine": "relight", "renderer": bake.renderer, "device": "cpu", "cached": False}
    assert (await shop.audit()).findings == []


async def test_traced_and_relit_pictures_have_fingerprints_of_their_own(shop: Workshop) -> None:
    def prints(record: dict[str, Any]) -> set[str]:
        return {artifact["fingerprint"] for artifact in record["artifacts"]}

    baked(shop.objects)
    traced, relit = await finished(shop, engine="cycles"), await finished(shop, engine="relight")
    assert len(prints(traced) | prints(relit)) == 12
    assert prints(await finished(shop, engine="auto", samples=20)) == prints(relit), "equal work, whatever was asked"
    assert prints(await finished(shop, engine="cycles", samples=20)) != prints(traced)
    baked(shop.objects, delta_e=0.3)
    assert not prints(await finished(shop, engine="relight")) & prints(relit), "another bake, another picture"


async def test_without_a_bake_a_relit_job_is_refused_before_a_trace_is_left(shop: Workshop) -> None:
    with pytest.raises(BakeMissing) as refused:
        await shop.service.submit(prepared(engine="relight"))
    assert "farm template bake" in refused.value.hint
    assert refused.value.fields["errors"][0]["pointer"] == "/engine"
    baked(shop.objects, size_px=63)
    with pytest.raises(BakeTooSmall) as small:
        await shop.service.submit(prepared(engine="relight"))
    assert "63 px" in small.value.message
    baked(shop.objects, FRONT)
    with pytest.raises(BakeTooSmall):
        await shop.service.submit(prepared(engine="relight"))
    with pytest.raises(BakeTooSmall):
        await shop.service.forecast(prepared(engine="relight", views=[FRONT], size=65))
    assert list(shop.objects.list("t/")) == []
    assert (await shop.service.submit(prepared(engine="relight", views=[FRONT])))["status"] == "pending"


@pytest.mark.parametrize(
    ("delta_e", "chosen", "why"), [(1.6, "relight", "within 1.6"), (1.61, "cycles", "over"), (None, "cycles", "not")]
)
async def test_auto_relights_within_the_operators_bound(
    shop: Workshop, delta_e: float | None, chosen: str, why: str
) -> None:
    baked(shop.objects, delta_e=delta_e)
    record = await finished(shop, engine="auto", views=[FRONT])
    assert (record["engine"]["asked"], record["engine"]["chosen"]) == ("auto", chosen)
    assert why in record["engine"]["why"]
    assert record["views"][0]["engine"] == chosen


@pytest.mark.parametrize(
    ("size_px", "chosen", "delta_e"),
    [(64, "relight", 0.4), (65, "relight", 1.2), (128, "relight", 1.2), (129, "cycles", 0)],
)
async def test_auto_relights_larger_pictures_up_to_what_was_measured(
    shop: Workshop, size_px: int, chosen: str, delta_e: float
) -> None:
    bake = baked(shop.objects, larger={"128": 1.2})
    record = await finished(shop, size=size_px, views=[FRONT])
    assert record["engine"]["chosen"] == chosen
    assert record["engine"].get("delta_e", 0) == delta_e
    if chosen == "relight":
        assert record["engine"]["bake"] == bake.id[:12]


async def test_larger_pictures_that_are_not_true_enough_are_traced(shop: Workshop) -> None:
    baked(shop.objects, larger={"128": 1.7})
    assert (await finished(shop, size=64, views=[FRONT]))["engine"]["chosen"] == "relight"
    assert (await finished(shop, size=65, views=[FRONT]))["engine"]["chosen"] == "cycles"
    assert (await finished(shop, size=65, views=[FRONT], engine="relight"))["engine"]["delta_e"] == 1.7


async def test_auto_traces_what_is_asked_for_more_finely_than_it_is_baked(shop: Workshop) -> None:
    baked(shop.objects)
    assert (await finished(shop, views=[FRONT], samples=64))["engine"]["chosen"] == "relight"
    record = await finished(shop, views=[FRONT], samples=65)
    assert (record["engine"]["chosen"], "65 samples" in record["engine"]["why"]) == ("cycles", True)


async def test_auto_traces_what_is_not_baked(shop: Workshop) -> None:
    record = await finished(shop, engine="auto", views=[FRONT])
    assert record["engine"]["chosen"] == "cycles"
    assert "not baked" in record["engine"]["why"]
    shop.objects.put(bakes.index_key("crew-tee", "0" * 64, 64), b"{", content_type="application/json")
    assert (await finished(shop, engine="auto", views=[FRONT]))["engine"]["chosen"] == "cycles"


async def test_a_bake_that_goes_meanwhile_fails_a_relit_job_with_what_to_do(shop: Workshop) -> None:
    baked(shop.objects)
    accepted = await shop.service.submit(prepared(engine="relight", product_id="tee", views=[FRONT]))
    shop.objects.delete_prefix(keys.bakes("crew-tee", "0" * 64))
    async with shop.running():
        record = await shop.ended(accepted["id"])
    assert (record["status"], record["error"]["code"]) == ("failed", "bake_missing")
    assert "farm template bake" in record["error"]["hint"]
    assert (await shop.audit()).findings == []


async def test_a_bake_that_goes_meanwhile_lets_an_auto_job_be_traced(shop: Workshop) -> None:
    baked(shop.objects)
    accepted = await shop.service.submit(prepared(engine="auto", views=[FRONT]))
    shop.objects.delete_prefix(keys.bakes("crew-tee", "0" * 64))
    async with shop.running():
        record = await shop.ended(accepted["id"])
    assert record["status"] == "completed"
    assert (record["engine"]["chosen"], record["views"][0]["engine"]) == ("relight", "cycles")
    assert manifest(shop, record)["made"][FRONT]["engine"] == "cycles"


@pytest.mark.parametrize(("engine", "status"), [("relight", "failed"), ("auto", "completed")])
async def test_what_fails_its_verdict_relit_is_not_relit_again(shop: Workshop, engine: str, status: str) -> None:
    def refuse(task: ViewTask) -> None:
        raise BadPicture(view=task.view, reason="wrong_print: it is missing")

    baked(shop.objects)
    shop.painters.before_relit = refuse
    record = await finished(shop, engine=engine, views=[FRONT])
    assert record["status"] == status
    assert len(shop.painters.relit) == 1
    assert len(shop.painters.painted) == (1 if engine == "auto" else 0)
    if status == "failed":
        assert record["error"]["code"] == "bad_picture"


async def test_a_worker_that_dies_relighting_is_followed_by_another(shop: Workshop) -> None:
    def crash_once(task: ViewTask) -> None:
        if len(shop.painters.relit) == 1:
            raise BlenderCrashed(view=task.view, reason="drill")

    baked(shop.objects)
    shop.painters.before_relit = crash_once
    record = await finished(shop, engine="relight", views=[FRONT])
    assert record["status"] == "completed"
    assert record["views"][0]["attempts"] == 2


async def test_a_film_is_relit_where_its_frames_are_baked(shop: Workshop) -> None:
    baked(shop.objects)
    object.__setattr__(shop.settings, "film_frames", 3)
    with pytest.raises(FilmBakeMissing) as refused:
        await shop.service.submit(prepared(engine="relight", mode="all", model=False))
    assert "--film" in refused.value.hint
    record = await finished(shop, engine="auto", mode="all", model=False)
    assert (record["engine"]["stills"], record["engine"]["film"]) == ("relight", "cycles")
    assert record["film"] == {"frames_done": 3, "frames": 3, "relit": 0, "cached": 0}
    baked(shop.objects, *ALL_VIEWS, "turn_120.000", "turn_240.000")
    for engine in ("relight", "auto"):
        shop.painters.painted.clear()
        record = await finished(shop, engine=engine, mode="animation-only")
        assert record["film"] == {"frames_done": 3, "frames": 3, "relit": 3, "cached": 0}
        assert (record["engine"]["chosen"], record["engine"]["film"]) == ("relight", "relight")
        assert shop.painters.painted == []


async def test_a_job_whose_journal_names_no_engine_is_traced(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an earlier version of the farm accepted it."""
    monkeypatch.setattr(Making, "to_dict", lambda making: {})
    record = await finished(shop, views=[FRONT])
    assert record["engine"] == {"asked": "auto", "chosen": "cycles"}
    assert record["status"] == "completed"


async def test_a_retry_chooses_anew(shop: Workshop) -> None:
    record = await finished(shop, engine="auto", views=[FRONT])
    assert record["engine"]["chosen"] == "cycles"
    baked(shop.objects, template_hash=find(shop.settings.template_folders, "crew-tee").hash)
    again = await shop.service.retry(record["id"])
    assert (again["request"]["engine"], again["engine"]["chosen"]) == ("auto", "relight")


async def test_a_forecast_names_the_engine_and_what_it_costs(shop: Workshop) -> None:
    baked(shop.objects)
    traced = await shop.service.forecast(prepared(engine="cycles"))
    relit = await shop.service.forecast(prepared(engine="auto"))
    assert (traced["engine"]["chosen"], relit["engine"]["chosen"]) == ("cycles", "relight")
    assert 0 < relit["core_s"] < traced["core_s"]
    assert relit["estimated_cost"] > 0
    assert [view["view"] for view in relit["views"]] == list(ALL_VIEWS)
    record = await finished(shop, engine="auto")
    assert [view["fingerprint"] for view in relit["views"]] == [one["fingerprint"] for one in record["artifacts"]]
    assert list(shop.objects.list("t/default/cache/")) == []
