import asyncio
from dataclasses import replace

import pytest

from farm.adapters.memory_store import MemoryStore
from farm.domain import keys
from farm.domain.view import ALL_VIEWS
from farm.errors import BakeBroken, InvalidRequest, StorageUnavailable
from farm.render import bakes
from farm.render.baker import FILM_SAMPLES, BakeWish, bake
from farm.render.bakes import Bake, BakedPart, part_name
from farm.render.ports import BakeTask

HASH = "a" * 64


def part(name: str, **error: float) -> BakedPart:
    return BakedPart(
        name=name, key=f"bakes/tee/{HASH}/256/{name}.light", sha256="0" * 64, size_bytes=1, samples=4,
        renderer="cycles 5", seconds=1.0, error=error,
    )  # fmt: skip


def stored(store: MemoryStore, size_px: int, *names: str) -> Bake:
    made = Bake(template="tee", template_hash=HASH, size_px=size_px, parts={name: part(name) for name in names})
    store.put(bakes.index_key("tee", HASH, size_px), made.to_json(), content_type="application/json")
    return made


def wish(**changes: object) -> BakeWish:
    plain = BakeWish(template="tee", template_hash=HASH, size_px=256, samples=64)
    return replace(plain, **changes)  # type: ignore[arg-type]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_the_smallest_bake_that_is_large_enough_is_found(store: MemoryStore) -> None:
    for size_px in (128, 512, 1024):
        stored(store, size_px, "front_0deg")
    found = {size: bakes.find(store, "tee", HASH, size, ["front_0deg"]) for size in (64, 128, 129, 1024, 1025)}
    assert {size: one and one.size_px for size, one in found.items()} == {
        64: 128, 128: 128, 129: 512, 1024: 1024, 1025: None,
    }  # fmt: skip


def test_a_bake_without_the_view_is_passed_over(store: MemoryStore) -> None:
    stored(store, 256, "front_0deg")
    stored(store, 512, "front_0deg", "back_180deg")
    found = bakes.find(store, "tee", HASH, 200, ["back_180deg"])
    assert found is not None
    assert found.size_px == 512
    assert bakes.find(store, "tee", HASH, 200, ["left_90deg"]) is None


def test_views_without_an_index_are_no_bake(store: MemoryStore) -> None:
    store.put(f"{keys.bakes('tee', HASH, 512)}front_0deg.light", b"x", content_type="application/octet-stream")
    assert bakes.find(store, "tee", HASH, 256) is None
    assert bakes.sizes(store, "tee", HASH) == []


def test_another_version_of_the_template_has_no_bake(store: MemoryStore) -> None:
    stored(store, 512, "front_0deg")
    assert bakes.find(store, "tee", "b" * 64, 256) is None


def test_an_index_is_read_as_it_was_written() -> None:
    made = Bake(
        template="tee", template_hash=HASH, size_px=8, parts={"front_0deg": part("front_0deg", delta_e_mean=0.4)}
    )
    assert Bake.from_json(made.to_json()) == made
    assert made.delta_e(["front_0deg"]) == 0.4
    assert made.delta_e(["front_0deg", "front_0deg"]) == 0.4
    with pytest.raises(BakeBroken):
        Bake.from_json(b"{}")


def test_an_unmeasured_view_is_within_no_bound() -> None:
    made = Bake(template="tee", template_hash=HASH, size_px=8, parts={"front_0deg": part("front_0deg")})
    assert made.delta_e(["front_0deg"]) == float("inf")


def test_a_frame_that_stands_where_a_view_stands_shares_its_bake() -> None:
    assert part_name("front_0deg", 0.0) == "front_0deg"
    assert part_name("front_0deg", 360.0) == "front_0deg"
    assert part_name("front_0deg", 90.0) == "left_90deg"
    assert part_name("front_0deg", 10.0) == "turn_010.000"
    assert part_name("back_180deg") == "back_180deg"


def test_a_bakes_key_tells_whose_it_is() -> None:
    assert keys.bake_of(f"bakes/tee/{HASH}/256/bake.json") == ("tee", HASH, 256)
    assert keys.bake_of("bakes/tee/bake.json") is None
    assert keys.bake_of(f"bakes/tee/{HASH}/large/bake.json") is None


def test_a_film_is_baked_beside_the_views() -> None:
    tasks = wish(film_frames=36).tasks()
    # Of 36 frames, four stand at 0, 90, 180 and 270 degrees, where views stand.
    assert len(tasks) == 6 + 36 - 4
    frames = [task for task in tasks if task.azimuth_deg is not None]
    assert {task.samples for task in frames} == {FILM_SAMPLES}
    assert not any(task.measure for task in frames)
    assert [task.view for task in tasks[:6]] == list(ALL_VIEWS)


async def test_the_index_is_written_when_all_is_baked(store: MemoryStore) -> None:
    told: list[str] = []

    async def work(task: BakeTask) -> BakedPart:
        assert bakes.sizes(store, "tee", HASH) == [], "the index comes last"
        return part(part_name(task.view, task.azimuth_deg))

    async def on_part(one: BakedPart) -> None:
        told.append(one.name)

    made = await bake(wish(), work=work, store=store, on_part=on_part)
    assert made.covers(ALL_VIEWS)
    assert sorted(told) == sorted(ALL_VIEWS)
    assert bakes.find(store, "tee", HASH, 256, ALL_VIEWS) == made


async def test_what_was_baked_before_stays_in_the_index(store: MemoryStore) -> None:
    stored(store, 256, "left_90deg")

    async def work(task: BakeTask) -> BakedPart:
        return part(task.view)

    async def on_part(one: BakedPart) -> None: ...

    made = await bake(wish(views=("front_0deg",)), work=work, store=store, on_part=on_part)
    assert set(made.parts) == {"front_0deg", "left_90deg"}


async def test_a_failure_that_may_pass_is_tried_again_and_one_that_may_not_ends_it(store: MemoryStore) -> None:
    tries = 0

    async def shaky(task: BakeTask) -> BakedPart:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise StorageUnavailable(reason="a moment")
        return part(task.view)

    async def refused(task: BakeTask) -> BakedPart:
        raise InvalidRequest(reason="no such panel")

    async def on_part(one: BakedPart) -> None: ...

    made = await bake(wish(views=("front_0deg",)), work=shaky, store=store, on_part=on_part)
    assert (tries, set(made.parts)) == (2, {"front_0deg"})
    with pytest.raises(InvalidRequest):
        await bake(wish(), work=refused, store=MemoryStore(), on_part=on_part)


async def test_a_cancelled_bake_stops_its_views(store: MemoryStore) -> None:
    stopped: list[str] = []
    begun = asyncio.Event()

    async def work(task: BakeTask) -> BakedPart:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.append(task.view)
            raise
        raise AssertionError

    async def on_part(one: BakedPart) -> None: ...

    baking = asyncio.create_task(bake(wish(), work=work, store=store, on_part=on_part))
    await begun.wait()
    baking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await baking
    assert sorted(stopped) == sorted(ALL_VIEWS)
    assert bakes.sizes(store, "tee", HASH) == []


def test_a_wish_travels_as_json() -> None:
    one = wish(film_frames=4, force=True)
    assert BakeWish.from_dict(one.to_dict()) == one
