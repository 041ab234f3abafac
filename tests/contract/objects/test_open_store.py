"""An address opens the store it means, or names what is wrong with it."""

from pathlib import Path

import pytest

from farm.adapters.file_store import FileStore
from farm.adapters.s3_store import S3Store
from farm.adapters.storage import open_store
from farm.errors import InvalidSettings


def test_a_file_address_opens_a_folder(tmp_path: Path) -> None:
    store = open_store(f"{tmp_path.as_uri()}/my%20tees", endpoint_url=None, public_url="https://cdn.example/")
    assert isinstance(store, FileStore)
    assert store.root == tmp_path / "my tees"
    assert store.url("t/a") == "https://cdn.example/t/a"


def test_an_s3_address_opens_a_bucket() -> None:
    store = open_store("s3://tees.example/farm/one/", endpoint_url="http://minio:9000", public_url="")
    assert isinstance(store, S3Store)
    assert (store.bucket, store.prefix) == ("tees.example", "farm/one/")
    assert store.url("t/a") == "http://minio:9000/tees.example/farm/one/t/a"
    bare = open_store("s3://tees", endpoint_url="", public_url=None)
    assert isinstance(bare, S3Store)
    assert bare.prefix == ""


@pytest.mark.parametrize(
    "url",
    ["", "tees", "/srv/tees", "http://tees", "file://srv/tees", "file:///", "file:relative", "file:///a%00b", "s3://",
     "s3:///prefix", "s3://Tees", "s3://ab", "s3://tees/../x", "s3://tees?versionId=1", "s3://tees/a#b", "s3://[tees"],
)  # fmt: skip
def test_an_unusable_address_is_named(url: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        open_store(url, endpoint_url=None, public_url=None)
    assert (caught.value.variable, caught.value.value) == ("FARM_STORAGE_URL", url)


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(InvalidSettings) as caught:
        open_store("s3://key:secret@tees", endpoint_url=None, public_url=None)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("url", ["minio:9000", "ftp://minio", "http://", "http://minio:port", "http://minio?a=b"])
def test_an_unusable_web_address_is_named(url: str) -> None:
    for variable, endpoint_url, public_url in (
        ("FARM_S3_ENDPOINT_URL", url, None),
        ("FARM_PUBLIC_URL", None, url),
    ):
        with pytest.raises(InvalidSettings) as caught:
            open_store("s3://tees", endpoint_url=endpoint_url, public_url=public_url)
        assert caught.value.variable == variable
