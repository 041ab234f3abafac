"""Two starts of a run under one id: one of them gets it, with all of its own rows and none of the other's."""

import asyncio
import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from farm.domain import keys
from farm.domain.ids import new_run_id
from farm.errors import ManifestBroken
from farm.render.audit.orphans import UPLOAD_GRACE_S
from farm.render.bulkhead import blocking
from farm.render.catalog.row import Fault, Row
from tests.api.conftest import Open
from tests.catalogue_shop import CatalogueShop


@pytest.fixture
async def farm(opened: Open) -> CatalogueShop:
    return (await opened(catalog_batch_rows=2)).place


def rows(farm: CatalogueShop, name: str, count: int) -> list[Row | Fault]:
    cells = [{"design": farm.design(f"{name}-{number}.png")} for number in range(count)]
    return farm.items(cells)


def gated(items: list[Row | Fault], read: threading.Event, go_on: threading.Event) -> Iterator[Row | Fault]:
    """Items whose end is only known when somebody says so."""
    yield from items
    read.set()
    assert go_on.wait(30)


OPTIONS: dict[str, Any] = {"name": "spring", "manifest": "spring.csv"}


async def test_who_loses_clears_only_its_own_rows(farm: CatalogueShop) -> None:
    """The loser fails while the winner has written its rows and is not accepted yet."""
    run_id, read, go_on = new_run_id(1), threading.Event(), threading.Event()

    def broken() -> Iterator[Row | Fault]:
        yield from rows(farm, "loser", 3)
        assert read.wait(30)
        raise ManifestBroken(address="spring.csv", reason="it ends early")

    winner = asyncio.create_task(
        farm.service.start(gated(rows(farm, "winner", 5), read, go_on), run_id=run_id, **OPTIONS)
    )
    with pytest.raises(ManifestBroken):
        await farm.service.start(broken(), run_id=run_id, **OPTIONS)
    go_on.set()
    assert (await winner)["rows"] == 5
    async with farm.running():
        ended = await farm.ended(run_id)
    assert (ended["status"], ended["counts"]["completed"]) == ("completed", 5)
    assert {design.rpartition("/")[2][:6] for _, design in farm.painters.painted} == {"winner"}
    assert (await farm.audit()).clean


async def test_both_are_answered_the_run_of_the_one_that_came_first(farm: CatalogueShop) -> None:
    run_id, go_on = new_run_id(2), threading.Event()
    read = {name: threading.Event() for name in ("a", "b")}
    starts = [
        asyncio.create_task(farm.service.start(gated(rows(farm, name, n), read[name], go_on), run_id=run_id, **OPTIONS))
        for name, n in (("a", 3), ("b", 6))
    ]
    for event in read.values():
        assert await blocking(event.wait, 30)
    go_on.set()
    first, second = await asyncio.gather(*starts)
    assert first == second
    report = await farm.report(run_id)
    assert len(report) == first["rows"]
    tokens = {keys.rows_token(item.key) for item in farm.shop.objects.list(keys.run("default", run_id))}
    assert tokens == {first["rows_token"]}


async def test_rows_of_a_start_that_was_killed_are_found_by_the_audit(farm: CatalogueShop) -> None:
    run = await farm.service.start(rows(farm, "a", 2), **OPTIONS)
    stray = keys.run_rows("default", run["id"], "0" * 8, 0)
    farm.shop.objects.put(stray, b"x", content_type="application/gzip")
    assert (await farm.audit()).clean, "it may be a start at work"
    path = next((farm.home / "objects").rglob("00000000/000000.jsonl.gz"))
    old_s = path.stat().st_mtime - UPLOAD_GRACE_S - 60
    os.utime(path, (old_s, old_s))
    assert [(found.kind, found.subject) for found in (await farm.audit()).findings] == [("orphan_object", stray)]
