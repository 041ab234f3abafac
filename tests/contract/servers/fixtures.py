"""Session-wide S3 servers as fixtures; a conftest imports the ones it wants."""

from collections.abc import Iterator

import pytest

from tests.contract.servers import s3


@pytest.fixture(scope="session")
def s3_credentials() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in s3.ENVIRONMENT.items():
            patch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def moto_server(s3_credentials: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.S3Server]:
    with s3.moto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session")
def rclone_server(s3_credentials: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.S3Server]:
    with s3.rclone(tmp_path_factory.mktemp("rclone")) as server:
        yield server
