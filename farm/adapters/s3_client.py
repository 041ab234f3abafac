"""The one place that makes S3 clients, so that none of them sends what S3-alikes refuse.

Amazon's newer clients add checksum headers and trailers to what they send and ask for, which Backblaze, R2, Ceph and
older MinIO do not know. The farm compares what it wrote and read by itself; where the protocol demands a checksum (the
deletion of many), it is the ``Content-MD5`` that all of them know.
"""

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client


def s3_client(
    endpoint_url: str | None, *, connect_timeout_s: float = 5.0, read_timeout_s: float, connections: int = 32
) -> "S3Client":
    """A client with credentials from where AWS's tools find them; nothing is connected yet.

    Args:
        endpoint_url: of an S3-alike; paths in place of host names then carry the bucket. ``None``: Amazon.
        connect_timeout_s: to reach the server.
        read_timeout_s: of silence from the server.
        connections: kept open at once.
    """
    config = Config(
        signature_version="s3v4",
        connect_timeout=connect_timeout_s,
        read_timeout=read_timeout_s,
        retries={"total_max_attempts": 2, "mode": "standard"},
        s3={"addressing_style": "path" if endpoint_url else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        max_pool_connections=connections,
        tcp_keepalive=True,
    )
    # A session of its own: boto3's default one is not safe to open clients from in two threads.
    session = boto3.session.Session()
    region = session.region_name or "us-east-1"
    client = session.client("s3", endpoint_url=endpoint_url, region_name=region, config=config)
    client.meta.events.register("before-call.s3", _plain)
    return client


def _plain(params: dict[str, Any], **_: Any) -> None:
    """Before a request is made: ``Content-MD5`` in place of a checksum that the protocol demands."""
    checksum = params["context"].get("checksum", {})
    if checksum.pop("request_algorithm", None) is not None:
        checksum.pop("request_algorithm_header", None)
        digest = hashlib.md5(params["body"], usedforsecurity=False).digest()
        params["headers"]["Content-MD5"] = base64.b64encode(digest).decode()
