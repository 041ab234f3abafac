"""What pages may load: themselves, and pictures from where the object store sends browsers."""

from pathlib import Path

import pytest

from farm.adapters.file_store import FileStore
from farm.adapters.s3_store import S3Store
from serve_app.policy import Elsewhere, policy


def test_nothing_but_pictures_and_films_comes_from_elsewhere() -> None:
    at_home, beside = policy(), policy("https://pictures.example")
    assert at_home.count("'self'") == beside.count("'self'")
    changed = [told for told, before in zip(beside.split(";"), at_home.split(";"), strict=True) if told != before]
    assert [told.split()[0] for told in changed] == ["img-src", "media-src"]
    assert all(told.endswith(" https://pictures.example") for told in changed)


async def test_it_is_the_origin_that_addresses_are_signed_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "a-key-of-a-test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    inside = "http://minio:9000"
    for store, origin in (
        (FileStore(tmp_path), ""),
        (S3Store("tees"), "https://tees.s3.amazonaws.com"),
        (S3Store("tees", endpoint_url=inside), inside),
        (
            S3Store("tees", endpoint_url=inside, public_endpoint_url="https://s3.shop.example"),
            "https://s3.shop.example",
        ),
    ):
        assert await Elsewhere(store).origin() == origin


async def test_a_store_that_cannot_tell_yet_is_asked_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = S3Store("tees", endpoint_url="http://minio:9000")
    elsewhere = Elsewhere(store)
    assert await elsewhere.origin() == ""
    store.close()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "a-key-of-a-test")
    assert await elsewhere.origin() == "http://minio:9000"
