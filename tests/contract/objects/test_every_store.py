"""What every object store promises, run against each of them."""

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from farm.adapters.file_store import FileStore
from farm.adapters.memory_store import MemoryStore
from farm.adapters.s3_store import S3Store
from farm.errors import InvalidRequest, ObjectAltered, ObjectMissing, StorageUnavailable
from farm.render.ports import ObjectStore

PNG = "image/png"


def keys_of(store: ObjectStore, prefix: str = "") -> list[str]:
    return [info.key for info in store.list(prefix)]


def test_what_was_put_is_got_with_its_hash(store: ObjectStore) -> None:
    data = bytes(range(256)) * 5000
    sha256 = store.put("t/shop/jobs/a/out/front_0deg.png", data, content_type=PNG)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert store.get("t/shop/jobs/a/out/front_0deg.png", sha256=sha256) == data


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    store.put("t/empty", b"", content_type=PNG)
    assert store.get("t/empty") == b""
    found = store.head("t/empty")
    assert found is not None
    assert found.size_bytes == 0


def test_a_put_replaces_what_was_there(store: ObjectStore) -> None:
    store.put("t/a", b"first, and longer", content_type=PNG)
    store.put("t/a", b"second", content_type=PNG)
    assert store.get("t/a") == b"second"
    assert keys_of(store) == ["t/a"]


def test_other_bytes_than_the_recorded_ones_are_refused(store: ObjectStore) -> None:
    store.put("t/a", b"these", content_type=PNG)
    with pytest.raises(ObjectAltered) as caught:
        store.get("t/a", sha256=hashlib.sha256(b"those").hexdigest())
    assert caught.value.key == "t/a"


def test_what_is_not_there_is_said_so(store: ObjectStore) -> None:
    store.put("t/folder/a", b"a", content_type=PNG)
    for key in ("nothing", "t/folder", "t/folder/a/below", "t/folder/b"):
        with pytest.raises(ObjectMissing) as caught:
            store.get(key)
        assert caught.value.key == key
        assert store.head(key) is None
    with pytest.raises(ObjectMissing) as caught:
        store.copy("nothing", "t/b")
    assert caught.value.key == "nothing"
    assert keys_of(store) == ["t/folder/a"]


def test_head_tells_size_and_age(store: ObjectStore) -> None:
    before_s = time.time()
    store.put("t/a", b"12345", content_type=PNG)
    found = store.head("t/a")
    assert found is not None
    assert (found.key, found.size_bytes) == ("t/a", 5)
    assert before_s - 2 <= found.modified_s <= time.time() + 2


def test_listing_goes_by_key_and_takes_any_prefix(store: ObjectStore) -> None:
    keys = ["t/a.b", "t/a/1", "t/a/10", "t/a/2/deep", "t/ab/1", "t/é/x", "u/1"]
    for key in reversed(keys):
        store.put(key, key.encode(), content_type=PNG)
    assert keys_of(store) == sorted(keys, key=str.encode)
    assert keys_of(store, "t/a/") == ["t/a/1", "t/a/10", "t/a/2/deep"]
    assert keys_of(store, "t/a/1") == ["t/a/1", "t/a/10"]
    assert keys_of(store, "t/a") == ["t/a.b", "t/a/1", "t/a/10", "t/a/2/deep", "t/ab/1"]
    assert keys_of(store, "nothing/") == []
    assert [info.size_bytes for info in store.list("t/a/")] == [5, 6, 10]


def test_folders_are_told_without_what_lies_in_them(store: ObjectStore) -> None:
    for key in ("t/b/jobs/1", "t/a/x", "t/a/y/z", "t/file", "t/é/1", "u/c/1"):
        store.put(key, b"1", content_type=PNG)
    assert sorted(store.folders("t/")) == ["a", "b", "é"]
    assert list(store.folders("t/b/")) == ["jobs"]
    assert list(store.folders("nothing/")) == []
    with pytest.raises(InvalidRequest):
        list(store.folders("t"))


def test_a_copy_is_an_object_of_its_own(store: ObjectStore) -> None:
    data = bytes(range(256)) * 1000
    store.put("t/cache/é +%", data, content_type=PNG)
    store.copy("t/cache/é +%", "t/jobs/a/out/x.png")
    store.delete(["t/cache/é +%"])
    assert store.get("t/jobs/a/out/x.png") == data


def test_a_copy_onto_an_object_replaces_it(store: ObjectStore) -> None:
    store.put("t/a", b"a", content_type=PNG)
    store.put("t/b", b"another", content_type=PNG)
    store.copy("t/a", "t/b")
    assert store.get("t/b") == b"a"


def test_deleting_is_deaf_to_what_is_not_there(store: ObjectStore) -> None:
    store.put("t/a/1", b"", content_type=PNG)
    store.put("t/a/2", b"", content_type=PNG)
    store.delete(["t/a/1", "t/none", "none", "t/a/deep/none"])
    store.delete(["t/a/1"])
    store.delete([])
    assert keys_of(store) == ["t/a/2"]


def test_a_prefix_is_deleted_and_its_neighbours_are_not(store: ObjectStore) -> None:
    for key in ("t/jobs/a/1", "t/jobs/a/deep/2", "t/jobs/ab/1", "t/jobs/a.txt"):
        store.put(key, b"x", content_type=PNG)
    assert store.delete_prefix("t/jobs/a/") == 2
    assert store.delete_prefix("t/jobs/a/") == 0
    assert keys_of(store) == ["t/jobs/a.txt", "t/jobs/ab/1"]


@pytest.mark.parametrize("prefix", ["", "/", "t/jobs/a", "t/../"])
def test_a_prefix_that_might_take_too_much_is_refused(store: ObjectStore, prefix: str) -> None:
    store.put("t/jobs/a/1", b"x", content_type=PNG)
    with pytest.raises(InvalidRequest):
        store.delete_prefix(prefix)
    assert keys_of(store) == ["t/jobs/a/1"]


LEADING_ELSEWHERE = [
    "", "/", "/etc/passwd", "../a", "a/../b", "a/..", "./a", "a//b", "a/", ".incoming/a",
    "a\0b", "a\nb", "a\\b", "\x7f", "a\ud800", "a" * 256, "a/" * 512 + "a",
]  # fmt: skip


def test_keys_that_lead_elsewhere_are_refused(store: ObjectStore) -> None:
    store.put("t/a", b"x", content_type=PNG)
    for key in LEADING_ELSEWHERE:
        uses: list[Callable[[], object]] = [
            partial(store.put, key, b"x", content_type=PNG),
            partial(store.get, key),
            partial(store.head, key),
            partial(store.copy, "t/a", key),
            partial(store.copy, key, "t/b"),
            partial(store.delete, ["t/a", key]),
            partial(store.url, key),
        ]
        for use in uses:
            with pytest.raises(InvalidRequest):
                use()
    assert keys_of(store) == ["t/a"]


def test_names_of_all_kinds_come_back_as_they_went(store: ObjectStore) -> None:
    names = ["a b", "é", "日本", "a+b", "100%", "a?b", "a#b", "a&b=c", "...", "a'b\"c", "{x}~", "%2e"]
    keys = [f"t/{name}/{name}" for name in names]
    for key in keys:
        store.put(key, key.encode(), content_type=PNG)
    assert [store.get(key) for key in keys] == [key.encode() for key in keys]
    assert keys_of(store) == sorted(keys, key=str.encode)
    for name, key in zip(names, keys, strict=True):
        assert keys_of(store, f"t/{name}/") == [key]
    store.delete(keys)
    assert keys_of(store) == []


def test_writers_at_once_leave_one_whole_object(store: ObjectStore) -> None:
    bodies = [bytes([number]) * 200_000 for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        # At a server a writer may read back another's bytes; then it says so, and its caller tries again.
        outcomes = list(pool.map(lambda body: _put_or_none(store, body), bodies))
    assert any(outcomes)
    assert store.get("t/a") in bodies


def _put_or_none(store: ObjectStore, body: bytes) -> str | None:
    try:
        return store.put("t/a", body, content_type=PNG)
    except (ObjectAltered, StorageUnavailable):
        return None


def test_puts_and_deletions_in_one_folder_do_not_meet(store: ObjectStore) -> None:
    def come_and_go(number: int) -> None:
        for _ in range(10):
            store.put(f"t/deep/folder/{number}", b"x", content_type=PNG)
            store.delete([f"t/deep/folder/{number}"])
        store.put(f"t/deep/folder/{number}", b"stays", content_type=PNG)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(come_and_go, range(4)))
    assert keys_of(store) == [f"t/deep/folder/{number}" for number in range(4)]


def test_nothing_unfinished_is_left_behind(store: MemoryStore | FileStore | S3Store) -> None:
    store.put("t/a", b"a", content_type=PNG)
    store.copy("t/a", "t/b")
    with pytest.raises(ObjectMissing):
        store.copy("t/none", "t/c")
    assert list(store.list_incoming()) == []
    assert store.sweep_incoming(older_than_s=0) == 0


def test_an_address_is_lasting_and_escaped(store: ObjectStore) -> None:
    address = store.url("t/shop/out/front 0°.png")
    assert address == store.url("t/shop/out/front 0°.png")
    assert address.endswith("/t/shop/out/front%200%C2%B0.png")


def test_an_address_for_an_upload_takes_those_bytes_and_no_others(store: ObjectStore) -> None:
    data = b"x" * 5000
    url = store.signed_upload("t/up/a.png", size_bytes=len(data), content_type=PNG, expires_s=60)
    if url is None:
        assert not isinstance(store, S3Store)
        return
    assert "content-length" in parse_qs(urlsplit(url).query)["X-Amz-SignedHeaders"][0].split(";")
    assert httpx.put(url, content=data, headers={"Content-Type": PNG}).status_code == 200
    assert store.get("t/up/a.png") == data
