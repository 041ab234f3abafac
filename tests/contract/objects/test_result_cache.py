"""The result cache on every store: what is kept comes back whole or not at all, whoever else is at it."""

import hashlib
from concurrent.futures import ThreadPoolExecutor

from farm.domain import keys
from farm.domain.artifact import Artifact, Kind
from farm.render.results import ResultCache
from tests.contract.objects.conftest import AnyStore

DESIGNS = ["a" * 64, "b" * 64]
PRINT = "1" * 64


def stored(store: AnyStore, name: str, data: bytes) -> Artifact:
    """A finished picture in its attempt."""
    key = keys.work("shop", "job", name) + "front_0deg.png"
    sha256 = store.put(key, data, content_type="image/png")
    return Artifact(
        kind=Kind.STILL, name="front_0deg.png", key=key, sha256=sha256, size_bytes=len(data), content_type="image/png",
        width_px=8, height_px=8, view="front_0deg", fingerprint=PRINT,
    )  # fmt: skip


def keep(results: ResultCache, artifact: Artifact) -> None:
    results.keep("shop", DESIGNS, artifact, renderer="cycles 5", device="cpu", seconds=1.0)


def test_what_is_kept_comes_back_and_goes_with_its_design(store: AnyStore) -> None:
    results = ResultCache(store, days=1)
    artifact = stored(store, "one", b"picture" * 1000)
    target = keys.work("shop", "other", "two") + "front_0deg.png"
    assert results.take("shop", DESIGNS, [PRINT], target) is None
    keep(results, artifact)
    assert sorted(item.key for item in store.list(keys.cache("shop"))) == sorted(
        [keys.cached("shop", PRINT), *(keys.cached_of("shop", design, PRINT) for design in DESIGNS)]
    )
    kept = results.take("shop", DESIGNS, [PRINT], target)
    assert kept is not None
    assert store.get(target, sha256=kept.sha256) == b"picture" * 1000
    assert results.forget("shop", DESIGNS[1:]) == 1
    assert results.forget("shop", DESIGNS[:1]) == 1
    assert list(store.list(keys.cache("shop"))) == []


def test_a_damaged_picture_is_removed_and_not_given(store: AnyStore) -> None:
    results = ResultCache(store, days=1)
    keep(results, stored(store, "one", b"picture"))
    store.put(keys.cached("shop", PRINT), b"pictures", content_type="image/png")
    target = keys.work("shop", "other", "two") + "front_0deg.png"
    assert results.take("shop", DESIGNS, [PRINT], target) is None
    assert store.head(target) is None
    assert list(store.list(keys.cache("shop"))) == []


def test_many_at_once_never_give_a_wrong_picture(store: AnyStore) -> None:
    """No store need write conditionally: whoever comes between two writes finds nothing, never a mixture."""
    results = ResultCache(store, days=1)
    artifacts = [stored(store, f"writer-{number}", bytes([number]) * 5000) for number in range(4)]
    good = {artifact.sha256 for artifact in artifacts}

    def one(number: int) -> str | None:
        keep(results, artifacts[number % 4])
        target = keys.work("shop", "other", f"reader-{number}") + "front_0deg.png"
        kept = results.take("shop", DESIGNS, [PRINT], target)
        return None if kept is None else hashlib.sha256(store.get(target)).hexdigest()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(one, range(12)))
    assert set(found) - {None} <= good
    keep(results, artifacts[0])
    assert one(0) == artifacts[0].sha256, "and it mends itself"
