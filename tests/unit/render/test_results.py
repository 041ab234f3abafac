import hashlib
from dataclasses import replace

import pytest

from farm.adapters.memory_store import MemoryStore
from farm.domain import keys
from farm.domain.artifact import Artifact, Kind
from farm.errors import StorageUnavailable
from farm.render.results import DAY_S, ResultCache

PICTURE = b"a picture"
PRINT, OTHER = "1" * 64, "2" * 64
DESIGN, SECOND = "a" * 64, "b" * 64
HERE, THERE = "t/shop/jobs/one/work/x/front.png", "t/shop/jobs/two/work/y/front.png"


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Away(MemoryStore):
    """A store that stops answering."""

    away = False

    def get(self, key: str, *, sha256: str | None = None) -> bytes:
        if self.away:
            raise StorageUnavailable(reason="away")
        return super().get(key, sha256=sha256)


@pytest.fixture
def store() -> Away:
    store = Away()
    store.put(HERE, PICTURE, content_type="image/png")
    return store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def results(store: Away, clock: Clock) -> ResultCache:
    return ResultCache(store, days=7, now_s=clock)


def artifact(fingerprint: str = PRINT) -> Artifact:
    return Artifact(
        kind=Kind.STILL, name="front_0deg.png", key=HERE, sha256=hashlib.sha256(PICTURE).hexdigest(),
        size_bytes=len(PICTURE), content_type="image/png", width_px=64, height_px=48, view="front_0deg",
        fingerprint=fingerprint,
    )  # fmt: skip


def keep(results: ResultCache, *designs: str, fingerprint: str = PRINT) -> None:
    results.keep("shop", designs or (DESIGN,), artifact(fingerprint), renderer="cycles 5", device="cpu", seconds=4.2)


def left(store: MemoryStore) -> set[str]:
    return {item.key for item in store.list("t/shop/cache/")}


def test_what_is_kept_is_taken_with_all_that_is_known_of_it(store: Away, results: ResultCache) -> None:
    keep(results)
    kept = results.take("shop", [DESIGN], [OTHER, PRINT], THERE)
    assert kept is not None
    assert store.get(THERE) == PICTURE
    assert kept.artifact(name="front_0deg.png", key=HERE, view="front_0deg") == artifact()
    assert (kept.renderer, kept.device, kept.seconds) == ("cycles 5", "cpu", 4.2)
    assert left(store) == {keys.cached("shop", PRINT), keys.cached_of("shop", DESIGN, PRINT)}
    assert all(keys.is_cached(key) for key in left(store))


def test_what_is_not_kept_is_not_taken(store: Away, results: ResultCache) -> None:
    keep(results)
    assert results.take("shop", [DESIGN], [OTHER], THERE) is None
    assert results.take("shop", [DESIGN], [], THERE) is None
    assert results.take("rival", [DESIGN], [PRINT], THERE) is None, "another tenant's"
    assert store.head(THERE) is None


@pytest.mark.parametrize("spoil", ["altered", "gone", "facts altered", "facts of another", "other schema"])
def test_what_is_not_whole_counts_as_never_kept_and_goes(store: Away, results: ResultCache, spoil: str) -> None:
    keep(results)
    picture, facts = keys.cached("shop", PRINT), keys.cached_of("shop", DESIGN, PRINT)
    match spoil:
        case "altered":
            store.put(picture, PICTURE[:-1], content_type="image/png")
        case "gone":
            store.delete([picture])
        case "facts altered":
            store.put(facts, b"{", content_type="application/json")
        case "facts of another":
            store.put(facts, store.get(facts).replace(PRINT.encode(), OTHER.encode()), content_type="application/json")
        case _:
            store.put(facts, store.get(facts).replace(b'"schema": 1', b'"schema": 9'), content_type="")
    assert results.take("shop", [DESIGN], [PRINT], THERE) is None
    assert left(store) == set()
    assert store.head(THERE) is None
    keep(results)
    assert results.take("shop", [DESIGN], [PRINT], THERE) is not None


def test_a_damaged_one_does_not_hide_a_good_one(store: Away, results: ResultCache) -> None:
    keep(results)
    keep(results, fingerprint=OTHER)
    store.put(keys.cached("shop", PRINT), b"x", content_type="image/png")
    kept = results.take("shop", [DESIGN], [PRINT, OTHER], THERE)
    assert kept is not None
    assert kept.fingerprint == OTHER


def test_nothing_is_taken_that_was_kept_too_long(results: ResultCache, clock: Clock) -> None:
    keep(results)
    clock.now_s += 7 * DAY_S
    assert results.find("shop", [DESIGN], [PRINT]) is not None
    clock.now_s += 1
    assert results.find("shop", [DESIGN], [PRINT]) is None
    assert results.take("shop", [DESIGN], [PRINT], THERE) is None


def test_without_days_nothing_is_kept(store: Away) -> None:
    none = ResultCache(store, days=0)
    keep(none)
    assert left(store) == set()
    assert none.take("shop", [DESIGN], [PRINT], THERE) is None
    assert none.find("shop", [DESIGN], [PRINT]) is None


def test_a_store_that_is_away_has_nothing_kept(store: Away, results: ResultCache) -> None:
    keep(results)
    store.away = True
    assert results.take("shop", [DESIGN], [PRINT], THERE) is None
    assert results.find("shop", [DESIGN], [PRINT]) is None
    keep(results, fingerprint=OTHER)  # cannot copy, and does not raise
    store.away = False
    assert results.take("shop", [DESIGN], [PRINT], THERE) is not None, "it was away, not damaged"


def test_forgetting_a_design_takes_all_that_was_made_of_it(store: Away, results: ResultCache) -> None:
    keep(results, DESIGN, SECOND)
    keep(results, SECOND, fingerprint=OTHER)
    assert results.forget("rival", [DESIGN]) == 0
    assert results.forget("shop", [DESIGN]) == 1
    assert results.find("shop", [DESIGN, SECOND], [PRINT]) is None
    assert results.take("shop", [SECOND, DESIGN], [PRINT], THERE) is None, "its picture is gone"
    assert results.take("shop", [SECOND], [OTHER], THERE) is not None
    assert results.forget("shop", [SECOND]) == 1
    assert left(store) == set()


def test_there_is_never_a_picture_that_its_design_does_not_lead_to(store: Away, results: ResultCache) -> None:
    """A process may be killed between any two writes: what it leaves must be found by design."""
    written: list[str] = []

    class Watched(MemoryStore):
        def put(self, key: str, data: bytes, *, content_type: str) -> str:
            written.append(key)
            return super().put(key, data, content_type=content_type)

    watched = Watched()
    watched.put(HERE, PICTURE, content_type="image/png")
    keep(ResultCache(watched, days=7), DESIGN, SECOND)
    assert written[1:] == [
        keys.cached_of("shop", DESIGN, PRINT), keys.cached_of("shop", SECOND, PRINT), keys.cached("shop", PRINT),
    ]  # fmt: skip
    half = ResultCache(watched, days=7)
    watched.delete([keys.cached("shop", PRINT)])
    assert half.take("shop", [DESIGN], [PRINT], THERE) is None


def test_a_forced_one_takes_the_place_of_the_old(store: Away, results: ResultCache) -> None:
    keep(results)
    store.put(HERE, b"another", content_type="image/png")
    newer = replace(artifact(), sha256=hashlib.sha256(b"another").hexdigest(), size_bytes=7)
    results.keep("shop", [DESIGN], newer, renderer="cycles 5", device="cpu", seconds=1.0)
    assert results.take("shop", [DESIGN], [PRINT], THERE) is not None
    assert store.get(THERE) == b"another"
