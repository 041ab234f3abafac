"""What the farm's S3 clients really send, seen by a server in front of a real one."""

import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from farm.adapters.design_source import Designs
from farm.adapters.manifest_file import open_manifest
from farm.adapters.s3_store import S3Store
from farm.adapters.storage import bare_store_of
from farm.settings import Settings
from tests.contract.servers.faulty import FaultyServer, faulty
from tests.contract.servers.s3 import BUCKET, S3Server

REFUSED = (
    "x-amz-checksum-",
    "x-amz-sdk-checksum",
    "x-amz-trailer",
    "x-amz-decoded-content-length",
    "transfer-encoding",
)
"""What Backblaze, R2, Ceph and older MinIO answer with an error."""
PNG = "image/png"


@pytest.fixture
def seen(moto_server: S3Server) -> Iterator[FaultyServer]:
    with faulty(moto_server.endpoint_url) as server:
        yield server


def refused_of(server: FaultyServer) -> list[str]:
    """Headers and parameters that a server without the newer checksums would refuse, of all requests so far."""
    found = []
    for method, path, headers in server.requests:
        told = {name.lower(): value for name, value in headers.items()}
        found += [f"{method} {path}: {name}" for name in told if name.startswith(REFUSED)]
        found += [f"{method} {path}" for word in REFUSED if word in path.lower()]
        if "aws-chunked" in told.get("content-encoding", "") or "TRAILER" in told.get("x-amz-content-sha256", ""):
            found.append(f"{method} {path}: {told}")
    return found


def test_no_client_sends_what_s3_alikes_refuse(
    seen: FaultyServer, s3_at: Callable[..., S3Store], s3_credentials: None
) -> None:
    store = s3_at(seen.endpoint_url, prefix="plain")
    for name in ("a", "b", "m.jsonl"):
        store.put(f"t/{name}", b'{"design": "a"}', content_type=PNG)
    store.copy("t/a", "t/c")
    store.get("t/a")
    list(store.list("t/"))
    designs = Designs.of(Settings(home=Path("/nowhere"), s3_endpoint_url=seen.endpoint_url))
    designs.fetch(f"s3://{BUCKET}/plain/t/a")
    designs.identity(f"s3://{BUCKET}/plain/t/a")
    with open_manifest(f"s3://{BUCKET}/plain/t/m.jsonl", designs) as manifest:
        assert list(manifest.lines()) == [(1, {"design": "a"})]
    store.delete(["t/a", "t/b"])
    store.delete_prefix("t/")
    assert list(store.list("")) == []
    designs.s3.close()
    assert {method for method, _, _ in seen.requests} == {"PUT", "HEAD", "GET", "POST"}
    assert refused_of(seen) == []


def test_the_deletion_of_many_carries_the_checksum_that_all_know(
    seen: FaultyServer, s3_at: Callable[..., S3Store]
) -> None:
    store = s3_at(seen.endpoint_url)
    store.delete(["t/ü", "t/b"])
    [(headers, body)] = [
        (headers, body)
        for (method, _, headers), body in zip(seen.requests, seen.bodies, strict=True)
        if method == "POST"
    ]
    wanted = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    assert headers["Content-MD5"] == wanted


@pytest.fixture
def both_ends(rclone_server: S3Server, s3_credentials: None) -> Iterator[S3Store]:
    """A store that the farm reaches by one address and browsers by another; this server checks signatures."""
    inside = rclone_server.endpoint_url
    settings = Settings(
        home=Path("/nowhere"),
        storage_url=f"s3://{BUCKET}/both",
        s3_endpoint_url=inside,
        s3_public_endpoint_url=inside.replace("127.0.0.1", "localhost"),
    )
    store = bare_store_of(settings)
    assert isinstance(store, S3Store)
    yield store
    store.close()


def test_what_browsers_get_is_signed_for_the_address_they_use(both_ends: S3Store) -> None:
    both_ends.put("t/ü.png", b"picture", content_type=PNG)
    upload = both_ends.signed_upload("t/up", size_bytes=3, content_type=PNG, expires_s=60)
    shown = both_ends.signed_url("t/ü.png", 60)
    assert upload is not None
    assert shown is not None
    assert {urlsplit(url).hostname for url in (upload, shown, both_ends.url("t/ü.png"))} == {"localhost"}
    with urlopen(shown) as answer:
        assert answer.read() == b"picture"
    with urlopen(Request(upload, b"abc", {"Content-Type": PNG}, method="PUT")) as answer:
        assert answer.status == 200
    assert both_ends.get("t/up") == b"abc"


def test_without_one_they_are_signed_for_the_farms_own(rclone_server: S3Server, s3_credentials: None) -> None:
    settings = Settings(
        home=Path("/nowhere"), storage_url=f"s3://{BUCKET}/one", s3_endpoint_url=rclone_server.endpoint_url
    )
    store = bare_store_of(replace(settings, s3_public_endpoint_url=""))
    assert str(store.signed_url("t/a", 60)).startswith(rclone_server.endpoint_url)
    store.close()  # type: ignore[union-attr]
