"""A socket that vanishes under a live farm: the host looks at the socket, not at the process alone."""

import time
from pathlib import Path

import pytest
import redis

from farm.adapters.embedded_store import EmbeddedStore
from farm.home.folder import Home, Need
from tests.e2e.terminal import Terminal

PATIENCE_S = 30.0


@pytest.mark.timeout(90)
def test_the_host_starts_a_store_again_whose_socket_was_removed(terminal: Terminal) -> None:
    home = Home(terminal.home)
    home.create()
    with home.present(Need.STORE):
        listed = terminal.farm("jobs", "list")
        assert listed.returncode == 0, listed.stderr
        first = EmbeddedStore.connect(terminal.home)
        assert first is not None
        with redis.Redis.from_url(first.url) as client:
            client.set("kept", "yes")
        socket = Path(first.url.removeprefix("unix://"))
        socket.unlink()
        deadline_s = time.monotonic() + PATIENCE_S
        while not socket.exists() and time.monotonic() < deadline_s:
            time.sleep(0.1)
        second = EmbeddedStore.start(terminal.home)  # the one that runs; waits until it answers
        assert second.pid != first.pid
        assert second.url == first.url, "whoever knew it finds it again"
        with redis.Redis.from_url(second.url) as client:
            assert client.get("kept") == b"yes"
        assert terminal.farm("jobs", "list").returncode == 0
