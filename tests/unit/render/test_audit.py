"""The audit is not its own judge: one orphan or broken promise of each kind is planted, and each must be named."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.memory_journal import open_memory
from farm.adapters.memory_store import MemoryStore
from farm.domain import keys
from farm.domain.ids import new_job_id
from farm.render.audit import Audit
from farm.render.findings import AuditReport
from farm.render.ports import Association, MediaEntry, Product
from farm.saga.clock import SystemClock
from farm.saga.lease import Lease
from tests.workshop import Workshop, png, prepared, workshop


@dataclass
class Planted:
    """Leases and temporary files of the test's choice."""

    leases: list[Lease] = field(default_factory=list)
    folders: list[tuple[str, Path]] = field(default_factory=list)

    async def held(self) -> Sequence[Lease]:
        return self.leases

    def sweep(self, job_id: str) -> int:
        return 0

    def list(self) -> Any:
        return iter(self.folders)


@pytest.fixture
def catalog() -> MemoryCatalog:
    return MemoryCatalog()


@pytest.fixture
def shop(tmp_path: Path, catalog: MemoryCatalog) -> Workshop:
    return workshop(tmp_path, open_memory(), MemoryStore(), catalog)


@pytest.fixture
async def job(shop: Workshop) -> dict[str, Any]:
    async with shop.running():
        return await shop.ended((await shop.service.submit(prepared(product_id="tee")))["id"])


async def _look(shop: Workshop, planted: Planted | None = None) -> AuditReport:
    planted = planted or Planted()
    return await Audit(
        settings=shop.settings,
        sagas=shop.sagas,
        objects=shop.objects,
        catalog=shop.catalog,
        leases=planted,
        temp_files=planted,
        clock=SystemClock(),
    ).run()


def _kinds(report: AuditReport) -> list[tuple[str, str]]:
    return [(finding.kind, finding.subject) for finding in report.findings]


async def test_a_farm_at_rest_is_clean(shop: Workshop, job: dict[str, Any]) -> None:
    report = await _look(shop)
    assert report.clean
    assert report.counted["outputs"] == 6


@pytest.mark.parametrize(
    "key",
    ["t/lost.png", keys.out("default", new_job_id(0), "front_0deg.png"), keys.uploads("other", "x") + "deep/er.png"],
)
async def test_an_object_nobody_owns(shop: Workshop, job: dict[str, Any], key: str) -> None:
    shop.objects.put(key, b"lost", content_type="image/png")
    found = _kinds(await _look(shop))
    assert found == ([] if "uploads" in key else [("orphan_object", key)])


async def test_an_object_its_own_job_does_not_know(shop: Workshop, job: dict[str, Any]) -> None:
    late = keys.work("default", job["id"], "late") + "front_0deg.png"
    extra = keys.out("default", job["id"], "extra.png")
    for key in (late, extra):
        shop.objects.put(key, b"late", content_type="image/png")
    assert sorted(_kinds(await _look(shop))) == sorted([("orphan_object", late), ("orphan_object", extra)])


async def test_a_missing_output(shop: Workshop, job: dict[str, Any]) -> None:
    key = keys.out("default", job["id"], "back_180deg.png")
    shop.objects.delete([key])
    assert _kinds(await _look(shop)) == [("missing_output", key)]


async def test_a_missing_manifest(shop: Workshop, job: dict[str, Any]) -> None:
    key = keys.manifest("default", job["id"])
    shop.objects.delete([key])
    assert _kinds(await _look(shop)) == [("missing_output", key)]


@pytest.mark.parametrize("data", [png((1, 2, 3, 4), 64), b""])
async def test_an_altered_output(shop: Workshop, job: dict[str, Any], data: bytes) -> None:
    key = keys.out("default", job["id"], "front_0deg.png")
    shop.objects.put(key, data, content_type="image/png")
    assert _kinds(await _look(shop)) == [("altered_output", key)]


async def test_an_altered_manifest(shop: Workshop, job: dict[str, Any]) -> None:
    key = keys.manifest("default", job["id"])
    shop.objects.put(key, b'{"outputs": []}', content_type="application/json")
    assert _kinds(await _look(shop)) == [("altered_output", key)]


async def test_a_media_entry_of_no_job(shop: Workshop, job: dict[str, Any], catalog: MemoryCatalog) -> None:
    lost = new_job_id(0)
    entry = MediaEntry(id="stray", url="file:///stray.png", job_id=lost, view="front_0deg", fabric_color="#000000")
    await catalog.associate(
        "default",
        "tee",
        Association(job_id=lost, fabric_color="#000000", entries=(entry,), thumbnail=None, replace=False),
    )
    assert _kinds(await _look(shop)) == [("orphan_media", "tee/stray")]


async def test_a_missing_media_entry(shop: Workshop, job: dict[str, Any], catalog: MemoryCatalog) -> None:
    gone = job["media_ids"][3]
    await catalog.remove_media("default", "tee", [gone])
    assert _kinds(await _look(shop)) == [("missing_media", f"tee/{gone}")]


async def test_a_missing_product(shop: Workshop, job: dict[str, Any], catalog: MemoryCatalog) -> None:
    await catalog.delete_product("default", "tee")
    assert _kinds(await _look(shop)) == [("missing_media", job["id"])]


async def test_a_doubled_media_entry(shop: Workshop, job: dict[str, Any], catalog: MemoryCatalog) -> None:
    class Doubling(MemoryCatalog):
        """A shop that shows one picture twice."""

        async def list_products(self, tenant: str) -> Sequence[Product]:
            products = await catalog.list_products(tenant)
            twice = [replace(entry, id="twin") for entry in products[0].media[:1]]
            return [replace(products[0], media=(*products[0].media, *twice))]

    report = await Audit(
        settings=shop.settings,
        sagas=shop.sagas,
        objects=shop.objects,
        catalog=Doubling(),
        leases=Planted(),
        temp_files=Planted(),
        clock=SystemClock(),
    ).run()
    assert _kinds(report) == [("doubled_media", f"tee/{job['media_ids'][0]}")]


@pytest.mark.parametrize("thumbnail", ["file:///other.png", "back_180deg.png"])
async def test_a_wrong_thumbnail(shop: Workshop, job: dict[str, Any], catalog: MemoryCatalog, thumbnail: str) -> None:
    await catalog.put_media("default", "tee", [], thumbnail=job["outputs"].get(thumbnail, thumbnail))
    assert _kinds(await _look(shop)) == [("wrong_thumbnail", "tee")]


async def test_a_stale_lease(shop: Workshop, job: dict[str, Any]) -> None:
    lease = Lease(saga_id=job["id"], owner="gone/1", epoch=9, granted_at_s=0.0, expires_at_s=9e9)
    assert _kinds(await _look(shop, Planted(leases=[lease]))) == [("stale_lease", job["id"])]


async def test_a_temporary_file(shop: Workshop, job: dict[str, Any], tmp_path: Path) -> None:
    planted = Planted(folders=[(job["id"], tmp_path / "a"), (new_job_id(0), tmp_path / "b")])
    assert [kind for kind, _ in _kinds(await _look(shop, planted))] == ["orphan_temp_file", "orphan_temp_file"]


async def test_a_retained_design_is_counted_and_then_found(shop: Workshop) -> None:
    async with shop.running():
        failed = await shop.service.submit(prepared(), failpoints="store_outputs.inside=raise*99")
        await shop.ended(failed["id"])
    assert (await _look(shop)).retained == 1
    object.__setattr__(shop.settings, "retry_days", 0.0)
    assert _kinds(await _look(shop)) == [("orphan_object", keys.design("default", failed["id"], 0))]
