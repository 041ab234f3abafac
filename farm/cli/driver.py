"""The child of ``farm serve`` that drives Ray Serve (`serve_app.driver`): started, heard, ended."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from farm.cli.told import ToldError
from farm.errors import ClusterUnavailable
from farm.home.folder import Home
from farm.home.state import HostState

END_S = 45.0
"""How long it may take to end: requests that run have thirty seconds (`serve_app.app`)."""


class Driver:
    """One child, for as long as the farm's Ray that it was started on."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    async def ready(self) -> None:
        """Wait until the application is served.

        Raises:
            ToldError: what the child could not do.
            ClusterUnavailable: when it ended without a word; its log is the host's.
        """
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            with contextlib.suppress(ValueError):  # somebody else's words on its output
                told = json.loads(line)
                if "error" in told:
                    raise ToldError(**told["error"])
                if told.get("ready"):
                    return
        raise ClusterUnavailable(reason="the web service did not start; `farm logs` shows more")

    async def end(self, *, within_s: float) -> None:
        """Have it take the application down; killed when it does not, as when its Ray is gone."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(within_s):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def driving(home: Home, state: HostState, *, host: str, port: int) -> AsyncIterator[Driver]:
    """A driver on that host's Ray for the time of the block.

    Args:
        host: the address to listen on; port: the port.
    """
    command = [sys.executable, "-P", "-m", "serve_app.driver", "--host", host, "--port", str(port)]
    command += ["--store-url", state.store_url, "--ray-address", state.ray_address]
    environment = home.host_environment()
    environment.pop("NOTIFY_SOCKET", None)
    with home.log_file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the command, which then ends its child in order
        )
    driver = Driver(process)
    try:
        yield driver
    finally:
        found = HostState.read(home.state_file)
        same = found is not None and found.alive and found.ray_address == state.ray_address
        # On a Ray that is gone nothing can be taken down, and the child would wait for it.
        await asyncio.shield(driver.end(within_s=END_S if same else 0.5))
