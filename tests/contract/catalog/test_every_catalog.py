"""What the farm's own catalogue promises, run in memory and in Redis."""

import asyncio

import pytest

from farm.adapters.own_catalog import OwnCatalog, ProductLink
from farm.adapters.product_history import MOST_CHANGES
from farm.errors import AlreadyExists, NotFound, ShopRefused
from farm.render.ports import Product
from tests.contract.catalog.wanted import PRODUCT, TENANT, by_hand, ids, owners, wanted


async def shown(catalog: OwnCatalog) -> Product:
    product = await catalog.get_product(TENANT, PRODUCT)
    assert product is not None
    return product


async def test_what_is_not_there(catalog: OwnCatalog) -> None:
    assert await catalog.get_product(TENANT, PRODUCT) is None
    assert await catalog.list_products(TENANT) == []
    assert await catalog.list_associations(TENANT) == []
    await catalog.dissociate(TENANT, PRODUCT, "a")
    await catalog.delete_product(TENANT, PRODUCT)
    with pytest.raises(NotFound):
        await catalog.put_media(TENANT, PRODUCT, [by_hand("h")])
    with pytest.raises(NotFound):
        await catalog.remove_media(TENANT, PRODUCT, ["h"])
    assert await catalog.list_products(TENANT) == []


async def test_a_job_creates_its_product_and_takes_it_back(catalog: OwnCatalog) -> None:
    answer = await catalog.associate(TENANT, PRODUCT, wanted("a", film=True))
    assert answer == {"media_ids": ["a.front", "a.back"], "superseded": [], "created_product": True}
    product = await shown(catalog)
    assert (product.tenant, product.id, product.created_by) == (TENANT, PRODUCT, "a")
    assert product.media == wanted("a").entries
    assert product.thumbnail == "https://farm/a/front"
    assert product.metadata == {"render_a": {"film.mp4": "https://farm/a/film.mp4"}}
    await catalog.dissociate(TENANT, PRODUCT, "a")
    assert await catalog.get_product(TENANT, PRODUCT) is None
    assert await catalog.list_products(TENANT) == []


async def test_a_created_product_goes_with_the_last_of_its_jobs(catalog: OwnCatalog) -> None:
    await catalog.associate(TENANT, PRODUCT, wanted("a"))
    answer = await catalog.associate(TENANT, PRODUCT, wanted("b"))
    assert answer["created_product"] is False
    await catalog.dissociate(TENANT, PRODUCT, "a")
    product = await shown(catalog)
    assert (ids(product), product.thumbnail, product.created_by) == (["b.front", "b.back"], "https://farm/b/front", "b")
    await catalog.dissociate(TENANT, PRODUCT, "b")
    assert await catalog.get_product(TENANT, PRODUCT) is None


async def test_a_created_product_stays_once_a_person_put_something_on_it(catalog: OwnCatalog) -> None:
    await catalog.associate(TENANT, PRODUCT, wanted("a"))
    await catalog.put_media(TENANT, PRODUCT, [by_hand("h")])
    await catalog.dissociate(TENANT, PRODUCT, "a")
    product = await shown(catalog)
    assert (ids(product), product.thumbnail, product.created_by) == (["h"], None, None)


async def test_associating_again_changes_nothing(catalog: OwnCatalog) -> None:
    await catalog.create_product(TENANT, PRODUCT)
    await catalog.associate(TENANT, PRODUCT, wanted("a"))
    first = await catalog.associate(TENANT, PRODUCT, wanted("b"))
    await catalog.associate(TENANT, PRODUCT, wanted("c", color="#000000"))
    before = await shown(catalog)
    assert await catalog.associate(TENANT, PRODUCT, wanted("b")) == first
    assert await shown(catalog) == before


async def test_dissociating_again_changes_nothing(catalog: OwnCatalog) -> None:
    await catalog.create_product(TENANT, PRODUCT, media=[by_hand("h")], thumbnail="https://hand/h")
    before = await shown(catalog)
    for _ in range(2):
        await catalog.dissociate(TENANT, PRODUCT, "a")
        assert await shown(catalog) == before
    await catalog.associate(TENANT, PRODUCT, wanted("a"))
    for _ in range(2):
        await catalog.dissociate(TENANT, PRODUCT, "a")
        assert await shown(catalog) == before


async def test_replacing_takes_the_farms_entries_of_that_colour_alone(catalog: OwnCatalog) -> None:
    await catalog.create_product(TENANT, PRODUCT, media=[by_hand("h")])
    await catalog.associate(TENANT, PRODUCT, wanted("white"))
    await catalog.associate(TENANT, PRODUCT, wanted("black", color="#000000"))
    await catalog.put_media(TENANT, PRODUCT, [by_hand("i")])
    answer = await catalog.associate(TENANT, PRODUCT, wanted("new", views=("front", "left", "back")))
    assert answer["superseded"] == ["white"]
    # In the place of the old ones: the merchant's order of pictures stays.
    assert ids(await shown(catalog)) == [
        "h", "new.front", "new.left", "new.back", "black.front", "black.back", "i",
    ]  # fmt: skip


async def test_appending_takes_nothing(catalog: OwnCatalog) -> None:
    await catalog.associate(TENANT, PRODUCT, wanted("a"))
    answer = await catalog.associate(TENANT, PRODUCT, wanted("b", replace=False))
    assert answer["superseded"] == []
    assert ids(await shown(catalog)) == ["a.front", "a.back", "b.front", "b.back"]


async def test_replaced_entries_come_back_to_their_places(catalog: OwnCatalog) -> None:
    await catalog.create_product(TENANT, PRODUCT, media=[by_hand("h")], metadata={"note": "mine"})
    await catalog.associate(TENANT, PRODUCT, wanted("a", film=True))
    await catalog.associate(TENANT, PRODUCT, wanted("b", replace=False, color="#000000"))
    await catalog.associate(TENANT, PRODUCT, wanted("c", replace=False))
    before = await shown(catalog)
    answer = await catalog.associate(TENANT, PRODUCT, wanted("d", film=True))
    assert answer["superseded"] == ["a", "c"]
    product = await shown(catalog)
    assert ids(product) == ["h", "d.front", "d.back", "b.front", "b.back"]
    assert set(product.metadata) == {"note", "render_d"}
    await catalog.dissociate(TENANT, PRODUCT, "d")
    assert await shown(catalog) == before


async def test_an_equal_picture_is_kept_and_changes_owner(catalog: OwnCatalog) -> None:
    same = {"back": "https://farm/cache/back"}
    await catalog.associate(TENANT, PRODUCT, wanted("a", urls=same))
    before = await shown(catalog)
    answer = await catalog.associate(TENANT, PRODUCT, wanted("b", urls=same))
    assert answer["media_ids"] == ["b.front", "a.back"]
    assert answer["superseded"] == ["a"]
    assert owners(await shown(catalog)) == {"b.front": "b", "a.back": "b"}
    await catalog.dissociate(TENANT, PRODUCT, "b")
    assert await shown(catalog) == before
    await catalog.associate(TENANT, PRODUCT, wanted("b", urls=same))
    await catalog.dissociate(TENANT, PRODUCT, "a")
    assert owners(await shown(catalog)) == {"b.front": "b", "a.back": "b"}


async def test_a_film_alone_replaces_no_picture(catalog: OwnCatalog) -> None:
    await catalog.associate(TENANT, PRODUCT, wanted("a"))
    answer = await catalog.associate(TENANT, PRODUCT, wanted("b", views=(), film=True))
    assert answer == {"media_ids": [], "superseded": [], "created_product": False}
    product = await shown(catalog)
    assert (ids(product), set(product.metadata)) == (["a.front", "a.back"], {"render_b"})
    assert product.thumbnail == "https://farm/a/front"
    await catalog.dissociate(TENANT, PRODUCT, "b")
    assert (await shown(catalog)).metadata == {}


@pytest.mark.parametrize("order", ["ab", "ba"])
async def test_two_jobs_at_once_may_go_in_either_order(catalog: OwnCatalog, order: str) -> None:
    await catalog.create_product(TENANT, PRODUCT, media=[by_hand("h")], thumbnail="https://hand/h")
    await catalog.associate(TENANT, PRODUCT, wanted("old"))
    before = await shown(catalog)
    await catalog.associate(TENANT, PRODUCT, wanted("a"))
    await catalog.associate(TENANT, PRODUCT, wanted("b"))
    await catalog.dissociate(TENANT, PRODUCT, order[0])
    survivor = order[1]
    product = await shown(catalog)
    assert ids(product) == ["h", f"{survivor}.front", f"{survivor}.back"]
    assert product.thumbnail == f"https://farm/{survivor}/front"
    await catalog.dissociate(TENANT, PRODUCT, survivor)
    assert await shown(catalog) == before


async def test_a_thumbnail_set_by_hand_stays(catalog: OwnCatalog) -> None:
    await catalog.create_product(TENANT, PRODUCT, thumbnail="https://hand/old")
    await catalog.associate(TENANT, PRODUCT, wanted("a"))
    await catalog.put_media(TENANT, PRODUCT, [], thumbnail="https://hand/new")
    await catalog.dissociate(TENANT, PRODUCT, "a")
    assert (await shown(catalog)).thumbnail == "https://hand/new"


async def test_changes_by_hand_survive_what_goes_around_them(catalog: OwnCatalog) -> None:
    await catalog.create_product(TENANT, PRODUCT, media=[by_hand("h"), by_hand("i")])
    await catalog.associate(TENANT, PRODUCT, wanted("a"))
    await catalog.remove_media(TENANT, PRODUCT, ["h", "a.back", "nothing"])
    await catalog.put_media(TENANT, PRODUCT, [by_hand("i", "https://hand/better"), by_hand("j")])
    await catalog.associate(TENANT, PRODUCT, wanted("b"))
    assert ids(await shown(catalog)) == ["i", "b.front", "b.back", "j"]
    await catalog.dissociate(TENANT, PRODUCT, "b")
    product = await shown(catalog)
    assert ids(product) == ["i", "a.front", "j"]
    assert product.media[0].url == "https://hand/better"
    await catalog.dissociate(TENANT, PRODUCT, "a")
    assert ids(await shown(catalog)) == ["i", "j"]


async def test_a_product_deleted_meanwhile_is_no_obstacle(catalog: OwnCatalog) -> None:
    await catalog.associate(TENANT, PRODUCT, wanted("a"))
    await catalog.delete_product(TENANT, PRODUCT)
    await catalog.dissociate(TENANT, PRODUCT, "a")
    assert await catalog.get_product(TENANT, PRODUCT) is None


async def test_an_id_in_use_is_refused_and_nothing_happens(catalog: OwnCatalog) -> None:
    await catalog.create_product(TENANT, PRODUCT, media=[by_hand("a.back")])
    before = await shown(catalog)
    with pytest.raises(ShopRefused) as caught:
        await catalog.associate(TENANT, PRODUCT, wanted("a"))
    assert caught.value.product_id == PRODUCT
    assert await shown(catalog) == before


async def test_a_product_is_created_once(catalog: OwnCatalog) -> None:
    await catalog.create_product(TENANT, PRODUCT)
    with pytest.raises(AlreadyExists):
        await catalog.create_product(TENANT, PRODUCT)


async def test_tenants_and_products_are_strangers(catalog: OwnCatalog) -> None:
    await catalog.associate("one", "b", wanted("a"))
    await catalog.associate("one", "a", wanted("b"))
    await catalog.associate("two", "a", wanted("c"))
    assert [product.id for product in await catalog.list_products("one")] == ["a", "b"]
    assert [product.id for product in await catalog.list_products("two")] == ["a"]
    await catalog.dissociate("two", "a", "b")
    assert ids(await catalog.get_product("one", "a")) == ["b.front", "b.back"]


async def test_associations_are_listed_superseded_ones_too(catalog: OwnCatalog) -> None:
    await catalog.associate(TENANT, PRODUCT, wanted("a"))
    await catalog.associate(TENANT, PRODUCT, wanted("b"))
    await catalog.associate(TENANT, "other", wanted("c", views=("front",)))
    assert await catalog.list_associations(TENANT) == [
        ProductLink(product_id="other", job_id="c", media_ids=("c.front",)),
        ProductLink(product_id=PRODUCT, job_id="a", media_ids=()),
        ProductLink(product_id=PRODUCT, job_id="b", media_ids=("b.front", "b.back")),
    ]


async def test_long_past_jobs_still_go_without_a_trace_of_their_own(catalog: OwnCatalog) -> None:
    await catalog.create_product(TENANT, PRODUCT, media=[by_hand("h")])
    jobs = [f"job{number}" for number in range(MOST_CHANGES + 5)]
    for job_id in jobs:
        await catalog.associate(TENANT, PRODUCT, wanted(job_id, replace=False, film=True))
    again = await catalog.associate(TENANT, PRODUCT, wanted(jobs[0], replace=False, film=True))
    assert again["media_ids"] == ["job0.front", "job0.back"]
    for job_id in jobs:
        await catalog.dissociate(TENANT, PRODUCT, job_id)
    product = await shown(catalog)
    assert (ids(product), product.thumbnail, product.metadata) == (["h"], None, {})


async def test_a_created_product_goes_with_the_last_of_very_many_jobs(catalog: OwnCatalog) -> None:
    jobs = [f"job{number}" for number in range(MOST_CHANGES + 2)]
    for job_id in jobs:
        await catalog.associate(TENANT, PRODUCT, wanted(job_id, replace=False))
    for job_id in reversed(jobs[1:]):
        await catalog.dissociate(TENANT, PRODUCT, job_id)
    product = await shown(catalog)
    assert (ids(product), product.created_by) == (["job0.front", "job0.back"], "job0")
    await catalog.dissociate(TENANT, PRODUCT, "job0")
    assert await catalog.get_product(TENANT, PRODUCT) is None


async def test_many_jobs_at_once_lose_nothing(catalog: OwnCatalog) -> None:
    await catalog.create_product(TENANT, PRODUCT, media=[by_hand("h")], thumbnail="https://hand/h")

    async def come(number: int) -> None:
        job = wanted(f"j{number}", color=f"#{number:06x}", views=("front",))
        # Twice at once: a zombie and its successor.
        await asyncio.gather(*(catalog.associate(TENANT, PRODUCT, job) for _ in range(2)))
        if number % 2:
            await asyncio.gather(*(catalog.dissociate(TENANT, PRODUCT, f"j{number}") for _ in range(2)))

    await asyncio.gather(*(come(number) for number in range(12)))
    product = await shown(catalog)
    assert sorted(ids(product)) == ["h", "j0.front", "j10.front", "j2.front", "j4.front", "j6.front", "j8.front"]
    assert product.thumbnail in {f"https://farm/j{number}/front" for number in range(0, 12, 2)}
