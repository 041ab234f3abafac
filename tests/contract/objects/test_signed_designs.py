"""Designs by signed addresses of a bucket, from a real server that holds a signature to its method."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from farm.adapters.design_source import Designs
from farm.adapters.manifest_file import open_manifest
from farm.adapters.s3_client import s3_client
from farm.adapters.s3_store import S3Store
from farm.errors import DesignNotFound, FetchRefused
from farm.settings import Settings
from tests.contract.servers.s3 import BUCKET, S3Server

LIMIT_BYTES = 100_000


@pytest.fixture
def bucket(rclone_server: S3Server, s3_credentials: None) -> Iterator[S3Store]:
    store = S3Store(BUCKET, "signed", endpoint_url=rclone_server.endpoint_url)
    yield store
    store.close()


@pytest.fixture
def designs() -> Iterator[Designs]:
    designs = Designs.of(Settings(home=Path("/nowhere"), fetch_hosts="127.0.0.1", design_max_bytes=LIMIT_BYTES))
    yield designs
    designs.web.close()


def test_what_is_signed_for_get_has_an_identity_though_head_is_forbidden(bucket: S3Store, designs: Designs) -> None:
    bucket.put("t/grün.png", b"picture", content_type="image/png")
    url = str(bucket.signed_url("t/grün.png", 60))
    assert httpx.head(url).status_code == 403, "or this test shows nothing"
    data, identity = designs.fetch(url)
    assert data == b"picture"
    assert identity is not None
    assert identity == designs.identity(url)


def test_a_wrong_signature_and_a_missing_object_are_told_apart(bucket: S3Store, designs: Designs) -> None:
    for use in (designs.fetch, designs.identity):
        with pytest.raises(FetchRefused, match="signature has expired or is wrong"):
            use(str(bucket.signed_url("t/grün.png", 60)).replace("X-Amz-Expires=60", "X-Amz-Expires=61"))
        with pytest.raises(DesignNotFound):
            use(str(bucket.signed_url("t/none.png", 60)))


@pytest.mark.parametrize("door", ["s3", "web"])
def test_a_packed_object_is_unpacked_and_bounded_by_what_it_unpacks_to(
    door: str, moto_server: S3Server, s3_credentials: None, designs: Designs
) -> None:
    """As ``aws s3 cp --content-encoding gzip`` leaves them in a bucket."""
    client = s3_client(moto_server.endpoint_url, read_timeout_s=5.0)
    files = {
        "a.png": gzip.compress(b"picture"),
        "bomb.png": gzip.compress(bytes(50 * LIMIT_BYTES)),
        "m.jsonl": gzip.compress(b'{"design": "a"}\n'),
        "deflated.png": zlib.compress(b"picture"),
    }
    for name, data in files.items():
        packing = "deflate" if name.startswith("deflated") else "gzip"
        client.put_object(Bucket=BUCKET, Key=f"packed/{name}", Body=data, ContentEncoding=packing)
    signing = S3Store(BUCKET, "packed", endpoint_url=moto_server.endpoint_url)
    at = {name: f"s3://{BUCKET}/packed/{name}" if door == "s3" else str(signing.signed_url(name, 60)) for name in files}
    client.close()
    signing.close()
    assert len(files["bomb.png"]) < LIMIT_BYTES
    there = Designs.of(replace(designs.settings, s3_endpoint_url=moto_server.endpoint_url))
    assert there.fetch(at["a.png"])[0] == there.fetch(at["deflated.png"])[0] == b"picture"
    with pytest.raises(FetchRefused, match="more than"):
        there.fetch(at["bomb.png"])
    with open_manifest(at["m.jsonl"], there) as manifest:
        assert list(manifest.lines()) == [(1, {"design": "a"})]
    there.web.close()
    there.s3.close()
