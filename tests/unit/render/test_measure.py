"""What a job's life becomes in figures: real sagas in memory, a meter that is strict about the table."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.memory_journal import open_memory
from farm.adapters.memory_meter import MemoryMeter
from farm.adapters.memory_store import MemoryStore
from farm.adapters.metered_catalog import MeteredCatalog
from farm.adapters.metered_store import MeteredStore
from farm.domain.ids import new_token
from farm.errors import BlenderCrashed, ObjectMissing, ShopUnavailable
from farm.render.coordinator import Coordinator
from farm.render.metrics import METRICS, Kind
from farm.render.ports import Product, ViewTask
from farm.render.sagas import SIMPLE_STEP
from farm.render.steps.parts import Parts
from tests.workshop import Workshop, prepared, workshop

ONE = {"views": ["front_0deg"], "product_id": "tee"}


@pytest.fixture
def place(tmp_path: Path) -> Workshop:
    return workshop(tmp_path, open_memory(), MemoryStore(), MemoryCatalog())


@pytest.fixture
def meter() -> MemoryMeter:
    return MemoryMeter()


async def run(place: Workshop, meter: MemoryMeter, **wanted: Any) -> str:
    """One job to its end, under a coordinator that is measured; its status."""
    job = await place.service.submit(prepared(**{**ONE, **wanted}))
    parts = Parts(
        store=MeteredStore(place.objects, meter),
        catalog=MeteredCatalog(place.catalog, meter),
        workers=place.painters,
        settings=place.settings,
    )
    running = asyncio.create_task(
        Coordinator("test", sagas=place.sagas, parts=parts, concurrency=None, meter=meter).run()
    )
    record = await place.ended(job["id"])
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return str(record["status"])


@pytest.mark.parametrize("saga", ["granular", "simple"])
async def test_a_job_that_completes(place: Workshop, meter: MemoryMeter, saga: str) -> None:
    assert await run(place, meter, saga=saga) == "completed"
    assert meter.told("farm_jobs_ended_total", status="completed", code="none") == 1
    assert meter.told("farm_job_seconds", status="completed") == 1
    engines = {label for name, labels in meter.counts if name == "farm_views_total" for label in labels}
    assert ("outcome", "done") in engines
    assert sum(value for (name, _), value in meter.counts.items() if name == "farm_views_total") == 1
    assert meter.told("farm_append_seconds") > 3
    assert meter.told("farm_storage_seconds", operation="copy") >= 1
    assert meter.told("farm_shop_answers_total", operation="associate", outcome="ok") == 1
    assert meter.told("farm_leases_reaped_total") == 0
    assert meter.told("farm_step_seconds", step="render_design" if saga == "granular" else SIMPLE_STEP) == 1


async def test_a_job_that_fails_after_retries_and_undoes(place: Workshop, meter: MemoryMeter) -> None:
    def crash(task: ViewTask) -> None:
        raise BlenderCrashed(view=task.view, reason="drill")

    place.painters.before = crash
    assert await run(place, meter) == "failed"
    attempts = place.settings.view_attempts
    failed = {name: value for (name, labels), value in meter.counts.items() if ("outcome", "blender_crashed") in labels}
    assert failed == {"farm_views_total": attempts}
    assert meter.told("farm_view_retries_total") == attempts - 1
    assert meter.told("farm_compensations_total", reason="failed") == 1
    assert meter.told("farm_jobs_ended_total", status="failed", code="blender_crashed") == 1
    assert meter.told("farm_step_failures_total", step="render_design", code="blender_crashed") == 1


async def test_a_compensation_that_fails(place: Workshop, meter: MemoryMeter, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(task: ViewTask) -> None:
        raise BlenderCrashed(view=task.view, reason="drill")

    place.painters.before = crash
    monkeypatch.setattr(place.objects, "delete_prefix", lambda prefix: (_ for _ in ()).throw(ObjectMissing(key=prefix)))
    assert await run(place, meter) == "failed"
    assert meter.told("farm_compensation_failures_total", step="upload_design") == place.settings.compensation_attempts
    assert meter.told("farm_storage_errors_total", operation="delete", code="object_missing") >= 1


async def test_a_job_taken_over_in_the_middle_is_counted(place: Workshop, meter: MemoryMeter) -> None:
    halfway = asyncio.Event()

    async def wait(task: ViewTask) -> None:
        halfway.set()
        await asyncio.sleep(3600)

    place.painters.before = wait
    job = await place.service.submit(prepared(**ONE))
    async with place.running():
        await halfway.wait()
    place.painters.before = None
    running = asyncio.create_task(
        Coordinator("next", sagas=place.sagas, parts=place.parts, concurrency=None, meter=meter).run()
    )
    assert (await place.ended(job["id"]))["status"] == "completed"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert meter.told("farm_leases_reaped_total") == 1
    assert meter.told("farm_view_retries_total") == 1


async def test_a_shop_that_does_not_answer_is_counted_by_the_error_s_code(meter: MemoryMeter) -> None:
    class Away(MemoryCatalog):
        async def get_product(self, tenant: str, product_id: str) -> Product | None:
            raise ShopUnavailable(reason="drill")

    with pytest.raises(ShopUnavailable):
        await MeteredCatalog(Away(), meter).get_product("default", new_token())
    assert meter.told("farm_shop_answers_total", operation="get_product", outcome="shop_unavailable") == 1
    assert meter.told("farm_shop_seconds", operation="get_product") == 1


def test_the_table_is_sound() -> None:
    for name, metric in METRICS.items():
        assert name.startswith("farm_")
        assert (metric.kind is Kind.COUNTER) == name.endswith("_total"), name
        assert bool(metric.bounds) == (metric.kind is Kind.HISTOGRAM), name
        assert list(metric.bounds) == sorted(metric.bounds)
        assert not {"job", "job_id", "product", "product_id", "tenant", "key"} & set(metric.labels), (
            f"{name} would grow with the work"
        )


def test_a_meter_knows_the_table() -> None:
    meter = MemoryMeter()
    with pytest.raises(KeyError):
        meter.count("farm_of_nothing_total")
    with pytest.raises(ValueError, match="labels"):
        meter.count("farm_views_total", outcome="done")
    with pytest.raises(ValueError, match="gauge"):
        meter.count("farm_jobs", status="pending")
