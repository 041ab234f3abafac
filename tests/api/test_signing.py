"""The secret that signs sessions and upload addresses: never empty, never short, and no reader makes one."""

import logging
import subprocess
import sys

import httpx
import pytest
import redis
import redis.asyncio
from itsdangerous import URLSafeTimedSerializer

from farm.adapters.redis_keys import RedisKeys
from farm.domain.access import EVERYTHING
from farm.domain.signing import LEAST_BYTES, SigningSecret
from farm.settings import Settings
from serve_app.proxy import KeyGuard
from tests.api.conftest import Open, Shopfront

KEPT = "farm:signing-secret"
WEAK = (b"", b"fresh", b"x" * (LEAST_BYTES - 1))
UPLOAD = "upl_" + "0" * 26

SIGNER = """
import asyncio, sys
import redis.asyncio
from farm.adapters.redis_keys import RedisKeys
async def main():
    async with redis.asyncio.Redis.from_url(sys.argv[1]) as client:
        sys.stdin.readline()
        for _ in range(200):
            secret, replaced = await RedisKeys(client).settle_signing_secret()
            print(secret.value.decode(), int(replaced))
print("ready", flush=True)
asyncio.run(main())
"""
GUARD = """
import asyncio, sys
import redis.asyncio
from farm.settings import Settings
from serve_app.proxy import KeyGuard
async def main():
    async with redis.asyncio.Redis.from_url(sys.argv[1]) as client:
        guard = KeyGuard(Settings.load(), client)
        sys.stdin.readline()
        for _ in range(200):
            assert await guard.admits(bearer=None, cookie=None, ticket="forged") is None
            assert await guard.admits(bearer=None, cookie="forged", ticket=None) is None
print("ready", flush=True)
asyncio.run(main())
"""


def forged_ticket(secret: bytes) -> str:
    return str(URLSafeTimedSerializer(secret, salt="farm-upload").dumps(["default", UPLOAD, "planted.png", 5]))


def forged_session(secret: bytes, key_id: str) -> dict[str, str]:
    return {"Cookie": "farm_session=" + str(URLSafeTimedSerializer(secret, salt="farm-session").dumps([key_id, "c"]))}


def test_a_secret_that_is_empty_or_short_cannot_be_made() -> None:
    for weak in WEAK:
        with pytest.raises(ValueError, match="at least 32 bytes"):
            SigningSecret(weak)
        assert SigningSecret.kept(weak) is None
    assert len(SigningSecret.new().value) > LEAST_BYTES
    assert SigningSecret.new() != SigningSecret.new()
    assert "x" * 40 not in repr(SigningSecret(b"x" * 40))


@pytest.mark.parametrize("kept", [None, b"", b"short"])
def test_signers_and_guards_that_race_on_a_store_agree_on_one_strong_secret(store_url: str, kept: bytes | None) -> None:
    """Two signers and two guards, each a process of its own, on a store without a secret, or with a weak one."""
    with redis.Redis.from_url(store_url) as client:
        client.flushdb()
        if kept is not None:
            client.set(KEPT, kept)
        racers = [
            subprocess.Popen(
                [sys.executable, "-c", code, store_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
            for code in (GUARD, SIGNER, GUARD, SIGNER)
        ]
        for racer in racers:
            assert racer.stdout is not None
            assert racer.stdout.readline() == "ready\n"
        said = []
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("\n")
            racer.stdin.flush()
        for racer in racers:
            said += racer.communicate(timeout=60)[0].split("\n")[:-1]
            assert racer.returncode == 0
        secrets = {line.split()[0] for line in said}
        assert {secret.encode() for secret in secrets} == {client.get(KEPT)}
        assert len(secrets.pop()) > LEAST_BYTES
        assert sum(int(line.split()[1]) for line in said) == (0 if kept is None else 1), "told once"


async def test_a_reader_never_writes(store_url: str) -> None:
    async with redis.asyncio.Redis.from_url(store_url) as client:
        for kept in (None, *WEAK):
            await client.flushdb()
            if kept is not None:
                await client.set(KEPT, kept)
            guard = KeyGuard(Settings.load(), client)
            assert await guard.admits(bearer=None, cookie="x", ticket=None) is None
            assert await guard.admits(bearer=None, cookie=None, ticket=forged_ticket(kept or b"")) is None
            assert await RedisKeys(client).signing_secret() is None
            assert await client.get(KEPT) == kept


@pytest.mark.parametrize("weak", WEAK)
async def test_what_was_signed_with_a_weak_secret_is_refused_after_the_start_which_says_so(
    opened: Open, store_url: str, weak: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with redis.asyncio.Redis.from_url(store_url) as client:
        await client.set(KEPT, weak)
        with caplog.at_level(logging.WARNING, "farm.adapters.redis_keys"):
            shop = await opened()
        assert "it was replaced" in caplog.text
        key, _ = await RedisKeys(client).create(tenant="default", scopes=EVERYTHING, name="known id")
        guard = KeyGuard(Settings.load(), client)
        cookie = forged_session(weak, key.id)
        stranger = shop.connect()
        assert (await stranger.get("/session", headers=cookie)).status_code == 401
        assert (await stranger.get("/v1/jobs", headers=cookie)).status_code == 401
        ticket = forged_ticket(weak)
        put = await stranger.put(f"/v1/uploads/{UPLOAD}", params={"ticket": ticket}, content=b"hello")
        assert (put.status_code, put.json()["code"]) == (401, "unauthorised")
        assert await guard.admits(bearer=None, cookie=None, ticket=ticket) is None
        assert await guard.admits(bearer=None, cookie=cookie["Cookie"].partition("=")[2], ticket=None) is None
    await _genuine(shop)


async def test_a_strong_secret_stays(opened: Open, store_url: str, caplog: pytest.LogCaptureFixture) -> None:
    strong = b"k" * LEAST_BYTES
    async with redis.asyncio.Redis.from_url(store_url) as client:
        await client.set(KEPT, strong)
        shop = await opened()
        assert await client.get(KEPT) == strong
    assert "replaced" not in caplog.text
    await _genuine(shop)


async def _genuine(shop: Shopfront) -> None:
    """What the farm signs itself is believed."""
    upload = (await shop.client.post("/v1/uploads", json={"size_bytes": 5, "name": "a.png"})).json()
    stranger: httpx.AsyncClient = shop.connect()
    put = await stranger.put(upload["url"].removeprefix("http://localhost"), content=b"hello")
    assert put.status_code in (200, 201, 204), put.text
