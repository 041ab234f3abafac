"""What a run need not render: rows whose product shows the pictures, and pictures that are kept from other jobs."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from farm.render.catalog.plan import Plan, Planner
from tests.catalogue_shop import CatalogueShop, open_catalogue
from tests.crash.places import Place

TRACED = {"engine": "cycles", "samples": 1}


@pytest.fixture
async def farm(place: Place) -> AsyncIterator[CatalogueShop]:
    async with open_catalogue(place, cache_days=7.0) as shop:
        yield shop


def rows(farm: CatalogueShop, count: int, *, products: bool) -> list[dict[str, Any]]:
    lines = [{"design": farm.design(f"{number}.png", (number, 3, 4))} for number in range(1, count + 1)]
    return [{**line, "product_id": f"tee-{number}"} if products else line for number, line in enumerate(lines)]


async def plan(farm: CatalogueShop, lines: list[dict[str, Any]], **options: Any) -> Plan:
    return await Planner(farm.kit, tenant="default", cores=2, **options).plan(farm.items(lines, **TRACED))


async def run(farm: CatalogueShop, lines: list[dict[str, Any]], **options: Any) -> list[tuple[bool, str | None]]:
    run_id = await farm.start(lines, TRACED, **options)
    await farm.ended(run_id)
    return [(row.cached, row.code) for row in await farm.report(run_id)]


async def test_a_traced_row_whose_product_shows_it_is_unchanged(farm: CatalogueShop) -> None:
    lines = rows(farm, 3, products=True)
    async with farm.running():
        assert await run(farm, lines) == [(False, None)] * 3
        assert (await plan(farm, lines)).unchanged == 3
        assert await run(farm, lines) == [(True, "unchanged")] * 3
        farm.design("2.png", (200, 9, 9))
        assert await run(farm, lines) == [(True, "unchanged"), (False, None), (True, "unchanged")]
    assert len(farm.shop.painters.painted) == 4


async def test_a_row_without_a_product_takes_what_is_kept(farm: CatalogueShop) -> None:
    lines = rows(farm, 3, products=False)
    async with farm.running():
        assert (await plan(farm, lines)).kept == 0
        assert await run(farm, lines) == [(False, None)] * 3
        told, forced = await plan(farm, lines), await plan(farm, lines, force=True)
        assert (told.kept, told.views, told.to_render, told.unchanged) == (3, 0, 3, 0)
        assert (forced.kept, forced.views) == (0, 3)
        assert told.core_s < forced.core_s
        assert await run(farm, lines) == [(True, None)] * 3
        assert await run(farm, lines, force=True) == [(False, None)] * 3
    assert len(farm.shop.painters.painted) == 6
    assert (await farm.audit()).findings == []
