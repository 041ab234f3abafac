"""One orphan or broken promise of each kind, planted in the real parts behind the farm's back: each must be named."""

import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from farm.adapters.builtin_catalog import BuiltinCatalog
from farm.adapters.file_store import FileStore
from farm.adapters.temp_folders import TempFolders
from farm.domain import keys
from farm.domain.ids import new_job_id
from farm.render.audit import Audit
from farm.render.ports import Association, MediaEntry
from farm.saga.clock import SystemClock
from tests.crash.places import Place, open_shop
from tests.workshop import Workshop, prepared


@pytest.fixture
async def ended(place: Place) -> AsyncIterator[tuple[Workshop, dict[str, Any]]]:
    """A farm at rest with one completed job."""
    async with open_shop(place) as shop, shop.running():
        accepted = await shop.service.submit(prepared(product_id="tee"))
        yield shop, await shop.ended(accepted["id"])


async def _findings(shop: Workshop, temp: TempFolders) -> set[tuple[str, str]]:
    report = await Audit(
        settings=shop.settings,
        sagas=shop.sagas,
        objects=shop.objects,
        catalog=shop.catalog,
        leases=shop.sagas.leases,
        temp_files=temp,
        clock=SystemClock(),
    ).run()
    return {(finding.kind, finding.subject) for finding in report.findings}


async def test_everything_that_was_planted_is_named(
    ended: tuple[Workshop, dict[str, Any]], place: Place, tmp_path: Path
) -> None:
    shop, job = ended
    temp = TempFolders(tmp_path / "temp")
    assert await _findings(shop, temp) == set()
    root, catalog = place.home / "objects", shop.catalog
    assert isinstance(shop.objects, FileStore)
    assert isinstance(catalog, BuiltinCatalog)
    planted: set[tuple[str, str]] = set()

    orphan = keys.out("default", new_job_id(0), "front_0deg.png")
    (root / orphan).parent.mkdir(parents=True)
    (root / orphan).write_bytes(b"nobody's")
    planted.add(("orphan_object", orphan))

    half = root / ".incoming" / "half-written"
    half.parent.mkdir(exist_ok=True)
    half.write_bytes(b"half")
    os.utime(half, (time.time() - 7200, time.time() - 7200))

    missing = keys.out("default", job["id"], "back_180deg.png")
    (root / missing).unlink()
    planted.add(("missing_output", missing))

    altered = keys.out("default", job["id"], "left_90deg.png")
    with (root / altered).open("r+b") as picture:
        picture.seek(40)
        picture.write(b"\xff\x00\xff")
    planted.add(("altered_output", altered))

    lost = new_job_id(1)
    entry = MediaEntry(id="stray", url="file:///stray.png", job_id=lost, view="front_0deg", fabric_color="#000000")
    wanted = Association(job_id=lost, fabric_color="#000000", entries=(entry,), thumbnail=None, replace=False)
    await catalog.associate("default", "tee", wanted)
    planted.add(("orphan_media", "tee/stray"))

    await catalog.remove_media("default", "tee", [job["media_ids"][2]])
    planted.add(("missing_media", f"tee/{job['media_ids'][2]}"))

    await catalog.put_media("default", "tee", [], thumbnail="file:///not-ours.png")
    planted.add(("wrong_thumbnail", "tee"))

    async with redis.asyncio.Redis.from_url(place.store_url) as client:
        await client.zadd(f"{place.namespace}:leased", {job["id"]: (time.time() + 60) * 1000})
    planted.add(("stale_lease", job["id"]))

    folder = temp.make(temp.attempt(job["id"], "token", "front_0deg", "1:1"))
    (folder / "raw.png").write_bytes(b"left behind")
    planted.add(("orphan_temp_file", str(folder)))

    found = await _findings(shop, temp)
    assert planted <= found
    halves = {finding for finding in found - planted if "half-written" in finding[1]}
    assert len(halves) == 1
    assert found - planted == halves, "something was named that nobody planted"


async def test_a_live_job_is_no_orphan(place: Place) -> None:
    async with open_shop(place) as shop:
        accepted = await shop.service.submit(prepared(product_id="tee"))
        shop.painters.seconds = 0.02
        async with shop.running():
            looks = 0
            while (await shop.service.get(accepted["id"]))["finished_at"] is None:
                assert (await shop.audit()).findings == []
                looks += 1
        assert looks >= 2


async def test_an_overdue_job_is_named(place: Place) -> None:
    async with open_shop(place) as shop:
        accepted = await shop.service.submit(prepared())
        late = replace(shop, settings=replace(shop.settings, job_deadline_s=-100.0))
        assert [(finding.kind, finding.subject) for finding in (await late.audit()).findings] == [
            ("job_overdue", accepted["id"])
        ]
