"""Stores behind TLS, and stores that Sentinels name."""

import asyncio
import datetime
import ssl
from collections.abc import Callable
from contextlib import ExitStack
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from farm.adapters.redis_address import Address
from farm.adapters.redis_heartbeat import ping
from farm.doctor.parts import ping_store
from farm.errors import InvalidSettings, StoreUnavailable
from farm.saga.store import Store
from farm.settings import Settings
from tests.contract.journal_stores import CREATED, projection
from tests.contract.servers.doorway import doorway
from tests.contract.servers.valkey import in_step, sentinel, valkey


def certificate(folder: Path) -> Path:
    """Of a server on 127.0.0.1, signed by itself, with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "store")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "store.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


async def test_a_store_behind_tls_is_used_with_its_user_and_only_if_its_certificate_is_right(
    tmp_path: Path, open_store: Callable[[str], Store]
) -> None:
    pem = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with valkey(tmp_path / "data") as server, server.admin() as admin:
        admin.execute_command("ACL", "SETUSER", "farm", "on", ">s/cret", "~farm:*", "&farm:*", "+@all", "-@dangerous")
        async with doorway(server.port, tls=context) as door:
            right = f"rediss://farm:s%2Fcret@127.0.0.1:{door.port}/0?ssl_ca_certs={pem}"
            Settings.load({"FARM_REDIS_URL": right})
            store = open_store(right)
            await store.journal.create("a", CREATED, projection())
            await store.ping()
            check = await asyncio.to_thread(ping_store, right, what="FARM_REDIS_URL")
            assert check.ok, check
            await asyncio.to_thread(ping, right)  # as workers reach it
            stranger = open_store(f"rediss://farm:s%2Fcret@127.0.0.1:{door.port}/0")
            with pytest.raises(StoreUnavailable, match=r"(?i)certificate") as refused:
                await stranger.ping()
            assert "cret@" not in str(refused.value)
            with pytest.raises(StoreUnavailable):
                await open_store(f"redis://farm:s%2Fcret@127.0.0.1:{door.port}/0?socket_timeout=2").ping()


async def test_sentinels_name_the_primary_also_the_next_one(tmp_path: Path, open_store: Callable[[str], Store]) -> None:
    with ExitStack() as stack:
        one, two = (stack.enter_context(valkey(tmp_path / name)) for name in ("one", "two"))
        two.follow(one)
        in_step(one)
        watcher = stack.enter_context(sentinel(tmp_path / "sentinel", one))
        gone = "127.0.0.1:1"  # not every Sentinel need be up
        url = f"redis+sentinel://{gone},127.0.0.1:{watcher.port}/farm/0"
        Settings.load({"FARM_REDIS_URL": url})
        store = open_store(url)
        await store.journal.create("a", CREATED, projection())
        check = await asyncio.to_thread(ping_store, url, what="FARM_REDIS_URL")
        assert check.ok, check
        await asyncio.to_thread(ping, url)
        with one.admin() as admin:
            admin.incr("test:written")
        in_step(one)
        with watcher.admin() as asking:
            asking.execute_command("SENTINEL", "DEBUG", "INFO-PERIOD", 200, "PING-PERIOD", 100)  # else it is slow
            async with asyncio.timeout(20):
                while True:
                    try:
                        asking.execute_command("SENTINEL", "FAILOVER", "farm")
                        break
                    except redis.ResponseError:  # it does not know the replica well enough yet
                        await asyncio.sleep(0.1)
                while cast(Any, asking.sentinel_masters())["farm"]["port"] != two.port:
                    await asyncio.sleep(0.1)
        async with asyncio.timeout(20):
            # The old primary was not told yet, and would take what is lost when it is.
            await store.ping()
            while True:
                try:
                    await store.journal.create("b", CREATED, projection())
                    break
                except StoreUnavailable:
                    await asyncio.sleep(0.1)
        assert await store.records.count() == 2
        with two.admin() as admin:
            assert admin.zcard("farm:all") == 2
        await asyncio.to_thread(ping, url)


def test_an_address_of_sentinels_is_taken_apart() -> None:
    url = "rediss+sentinel://farm:p%40ss@one:26379,two/my%20farm/3?sentinel_username=w&sentinel_password=x&ssl_ca_certs=/ca.pem"
    address = Address.parse(url)
    assert (address.kind, address.service) == ("tls", "my farm")
    assert address.sentinels == (("one", 26379), ("two", 26379))
    options = dict(address.options)
    assert {options[name] for name in ("username", "password", "db")} == {"farm", "p@ss", 3}
    assert address.sentinel_options == {"username": "w", "password": "x", "ssl": True, "ssl_ca_certs": "/ca.pem"}


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://:secret@one,two", "redis+sentinel://:secret@/farm", "redis+sentinel://:secret@one:port/farm",
        "sentinel://:secret@one/farm", "rediss+sentinel://:se/cret@one,two/farm",
    ],
)  # fmt: skip
def test_an_address_of_sentinels_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    for attempt in (lambda: Settings.load({"FARM_REDIS_URL": url}), lambda: Address.parse(url)):
        with pytest.raises(InvalidSettings) as refused:
            attempt()
        assert "cret" not in str(refused.value)
