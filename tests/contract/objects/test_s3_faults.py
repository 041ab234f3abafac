"""What S3 and the way to it do to requests: always a typed error, always in bounded time, never wrong bytes."""

import hashlib
import pickle
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from farm.adapters.s3_store import S3Store
from farm.errors import FarmError, ObjectAltered, StorageForbidden, StorageUnavailable
from tests.contract.servers.faulty import Fault, FaultyServer, Kind, faulty
from tests.contract.servers.s3 import S3Server

PNG = "image/png"
OpenAt = Callable[..., S3Store]


@pytest.fixture
def proxy(moto_server: S3Server) -> Iterator[FaultyServer]:
    with faulty(moto_server.endpoint_url) as server:
        yield server


@contextmanager
def within(seconds: float) -> Iterator[None]:
    begun_s = time.monotonic()
    yield
    assert time.monotonic() - begun_s < seconds


def every_use(store: S3Store) -> dict[str, Callable[[], object]]:
    return {
        "put": lambda: store.put("t/new", b"new", content_type=PNG),
        "get": lambda: store.get("t/a"),
        "head": lambda: store.head("t/a"),
        "list": lambda: list(store.list("t/")),
        "copy": lambda: store.copy("t/a", "t/b"),
        "delete": lambda: store.delete(["t/a"]),
        "delete_prefix": lambda: store.delete_prefix("t/"),
    }


def all_methods(**fault: object) -> list[Fault]:
    return [Fault(method=method, **fault) for method in ("GET", "PUT", "HEAD", "POST")]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (500, "InternalError", StorageUnavailable),
        (503, "SlowDown", StorageUnavailable),
        (429, "TooManyRequests", StorageUnavailable),
        (400, "RequestTimeout", StorageUnavailable),
        (403, "AccessDenied", StorageForbidden),
        (403, "SignatureDoesNotMatch", StorageForbidden),
        (401, "Unauthorized", StorageForbidden),
        (404, "NoSuchBucket", StorageForbidden),
    ],
)
def test_an_error_answer_has_a_type(
    proxy: FaultyServer, s3_at: OpenAt, status: int, code: str, expected: type[FarmError]
) -> None:
    store = s3_at(proxy.endpoint_url)
    store.put("t/a", b"a", content_type=PNG)
    proxy.faults += all_methods(kind=Kind.ANSWER, status=status, code=code)
    for name, use in every_use(store).items():
        if code in ("NoSuchBucket", "RequestTimeout") and name == "head":
            continue  # an answer to HEAD has no body, and so no code
        proxy.seen.clear()
        with within(8.0), pytest.raises(expected) as caught:
            use()
        assert caught.value.retryable is (expected is StorageUnavailable)
        assert len(proxy.seen) <= 2
    proxy.faults.clear()
    assert [info.key for info in store.list("")] == ["t/a"]


def test_one_bad_answer_is_no_failure(proxy: FaultyServer, s3_at: OpenAt) -> None:
    store = s3_at(proxy.endpoint_url)
    proxy.faults += all_methods(kind=Kind.ANSWER, times=1, status=503, code="SlowDown")
    store.put("t/a", b"a", content_type=PNG)
    assert store.get("t/a") == b"a"
    store.delete(["t/a"])
    assert store.head("t/a") is None


def test_silence_ends(proxy: FaultyServer, s3_at: OpenAt) -> None:
    store = s3_at(proxy.endpoint_url)
    store.put("t/a", b"a", content_type=PNG)
    proxy.faults += all_methods(kind=Kind.SILENCE, seconds=30.0)
    uses = every_use(store)
    for name in ("put", "get", "list"):
        with within(8.0), pytest.raises(StorageUnavailable):
            uses[name]()


def test_half_a_body_is_no_object(proxy: FaultyServer, s3_at: OpenAt) -> None:
    store = s3_at(proxy.endpoint_url)
    store.put("t/a", b"a" * 100_000, content_type=PNG)
    proxy.faults.append(Fault(kind=Kind.TRUNCATE, method="GET"))
    for use in (lambda: store.get("t/a"), lambda: list(store.list(""))):
        with within(8.0), pytest.raises(StorageUnavailable):
            use()


def test_a_dripping_body_is_given_up(proxy: FaultyServer, s3_at: OpenAt) -> None:
    store = s3_at(proxy.endpoint_url)
    store.put("t/a", b"a" * 10_000, content_type=PNG)
    proxy.faults.append(Fault(kind=Kind.DRIP, method="GET", seconds=30.0))
    with within(8.0), pytest.raises(StorageUnavailable):
        store.get("t/a")


def test_a_write_whose_answer_was_lost_is_written_once_more(proxy: FaultyServer, s3_at: OpenAt) -> None:
    store = s3_at(proxy.endpoint_url)
    proxy.faults.append(Fault(kind=Kind.LOSE, method="PUT", times=1))
    assert store.put("t/a", b"a", content_type=PNG) == hashlib.sha256(b"a").hexdigest()
    assert [info.key for info in store.list("")] == ["t/a"]


def test_a_write_that_arrived_altered_does_not_count(proxy: FaultyServer, s3_at: OpenAt) -> None:
    store = s3_at(proxy.endpoint_url)
    proxy.faults.append(Fault(kind=Kind.ALTER, method="PUT", path="/t/a"))
    with pytest.raises(ObjectAltered) as caught:
        store.put("t/a", b"design", content_type=PNG)
    assert caught.value.retryable


def test_a_read_that_arrived_altered_is_noticed(proxy: FaultyServer, s3_at: OpenAt) -> None:
    store = s3_at(proxy.endpoint_url)
    sha256 = store.put("t/a", b"design", content_type=PNG)
    proxy.faults.append(Fault(kind=Kind.ALTER, method="GET", times=1))
    with pytest.raises(ObjectAltered):
        store.get("t/a", sha256=sha256)
    assert store.get("t/a", sha256=sha256) == b"design"


def test_a_server_without_batch_deletion_is_asked_one_by_one(proxy: FaultyServer, s3_at: OpenAt) -> None:
    store = s3_at(proxy.endpoint_url)
    for number in range(3):
        store.put(f"t/{number}", b"", content_type=PNG)
    proxy.faults.append(Fault(kind=Kind.ANSWER, method="POST", status=501, code="NotImplemented"))
    store.delete(["t/0", "t/1", "t/none"])
    assert [info.key for info in store.list("")] == ["t/2"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [("AccessDenied", StorageForbidden), ("InternalError", StorageUnavailable), ("SlowDown", StorageUnavailable)],
)
def test_one_line_of_a_batch_may_fail(proxy: FaultyServer, s3_at: OpenAt, code: str, expected: type[FarmError]) -> None:
    store = s3_at(proxy.endpoint_url)
    proxy.faults.append(Fault(kind=Kind.ANSWER, method="POST", status=200, body=batch_answer(store, "t/b", code)))
    with pytest.raises(expected) as caught:
        store.delete(["t/a", "t/b"])
    assert "t/b" in caught.value.message


def test_a_line_of_a_batch_that_was_not_there_is_no_failure(proxy: FaultyServer, s3_at: OpenAt) -> None:
    store = s3_at(proxy.endpoint_url)
    answer = batch_answer(store, "t/b", "NoSuchKey")
    proxy.faults.append(Fault(kind=Kind.ANSWER, method="POST", status=200, body=answer))
    store.delete(["t/a", "t/b"])
    assert proxy.seen == ["POST"]


def batch_answer(store: S3Store, key: str, code: str) -> str:
    line = f"<Error><Key>{store.prefix}{key}</Key><Code>{code}</Code><Message>drill</Message></Error>"
    return f"<?xml version='1.0'?><DeleteResult>{line}</DeleteResult>"


def test_a_copy_that_only_says_so_does_not_count(proxy: FaultyServer, s3_at: OpenAt) -> None:
    store = s3_at(proxy.endpoint_url)
    store.put("t/a", b"new bytes", content_type=PNG)
    store.put("t/b", b"old bytes", content_type=PNG)
    answer = '<?xml version="1.0"?><CopyObjectResult><ETag>"0"</ETag></CopyObjectResult>'
    proxy.faults.append(Fault(kind=Kind.ANSWER, method="PUT", status=200, body=answer))
    for target in ("t/b", "t/c"):
        with pytest.raises(ObjectAltered) as caught:
            store.copy("t/a", target)
        assert caught.value.key == target


def test_nobody_there_is_told_in_time(s3_at: OpenAt) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        store = s3_at(f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with within(8.0), pytest.raises(StorageUnavailable):
            store.put("t/a", b"", content_type=PNG)


def test_pages_and_batches_cover_everything(moto_server: S3Server, s3_at: OpenAt) -> None:
    store = s3_at(moto_server.endpoint_url, batch=3)
    keys = [f"t/{number:02}" for number in range(10)]
    for key in keys:
        store.put(key, b"", content_type=PNG)
    assert [info.key for info in store.list("")] == keys
    assert store.delete_prefix("t/") == 10
    assert list(store.list("")) == []


def test_a_wrong_bucket_is_a_clear_refusal(moto_server: S3Server, s3_at: OpenAt) -> None:
    store = s3_at(moto_server.endpoint_url, bucket="no-such-bucket")
    with pytest.raises(StorageForbidden) as caught:
        store.put("t/a", b"", content_type=PNG)
    assert "NoSuchBucket" in caught.value.message


def test_wrong_credentials_are_a_clear_refusal(
    rclone_server: S3Server, s3_at: OpenAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StorageForbidden) as caught:
        s3_at(rclone_server.endpoint_url).put("t/a", b"", content_type=PNG)
    assert "SignatureDoesNotMatch" in caught.value.message


def test_no_credentials_are_a_clear_refusal(
    moto_server: S3Server, s3_at: OpenAt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with within(8.0), pytest.raises(StorageForbidden) as caught:
        s3_at(moto_server.endpoint_url).put("t/a", b"", content_type=PNG)
    assert "credentials" in caught.value.message


def test_a_store_travels_to_another_process(moto_server: S3Server, s3_at: OpenAt) -> None:
    store = s3_at(moto_server.endpoint_url)
    store.put("t/a", b"a", content_type=PNG)
    copied: S3Store = pickle.loads(pickle.dumps(store))
    try:
        assert copied.get("t/a") == b"a"
    finally:
        copied.close()


def test_addresses_of_a_bucket() -> None:
    key = "t/shop/jobs/a/out/x y.png"
    assert S3Store("tees", "farm", public_url="https://cdn.example/p").url(key) == (
        "https://cdn.example/p/t/shop/jobs/a/out/x%20y.png"
    )
    assert S3Store("tees", "farm", endpoint_url="http://minio:9000/").url("t/a") == "http://minio:9000/tees/farm/t/a"
