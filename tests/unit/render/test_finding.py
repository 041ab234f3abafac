"""Jobs are found by a part of what people remember of them."""

from pathlib import Path

import pytest

from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.memory_journal import open_memory
from farm.adapters.memory_store import MemoryStore
from farm.render import finding
from tests.workshop import Workshop, prepared, workshop


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path, open_memory(), MemoryStore(), MemoryCatalog())


async def test_a_part_of_id_or_product_finds(shop: Workshop) -> None:
    ids = [(await shop.service.submit(prepared(product_id=f"Badge-{n}"), tenant="a"))["id"] for n in range(5)]
    other = (await shop.service.submit(prepared(product_id="badge-1"), tenant="b"))["id"]

    async def found(text: str, **wanted: object) -> set[str]:
        records, cursor = await shop.service.find(text, tenant="a", **wanted)  # type: ignore[arg-type]
        assert cursor is None
        return {record["id"] for record in records}

    assert await found("badge") == set(ids)
    assert await found("Badge-3") == await found("adge-3") == {ids[3]}
    assert await found(ids[2]) == await found(ids[2][-9:]) == {ids[2]}
    assert await found("badge", status="completed") == set()
    assert await found(other) == set(), "another tenant's"
    assert await found("hoodie") == set()


async def test_what_is_found_comes_in_pages_and_none_twice(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "LOOKED_THROUGH", 8)
    monkeypatch.setattr(finding, "_PAGE", 4)
    names = ["tee", "cap"] * 12
    ids = [(await shop.service.submit(prepared(product_id=f"{name}-{n}")))["id"] for n, name in enumerate(names)]
    seen: list[str] = []
    cursor, asked = None, 0
    while asked == 0 or cursor is not None:
        records, cursor = await shop.service.find("cap-", cursor=cursor, limit=3)
        assert len(records) <= 3
        seen += [record["id"] for record in records]
        asked += 1
    assert sorted(seen) == sorted(ids[1::2])
    records, cursor = await shop.service.find("tee-0")
    assert [record["product_id"] for record in records] == ["tee-0"], "a whole product is found however old"
