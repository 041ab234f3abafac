"""``farm serve``: the job API and the web pages, on the farm of this home."""

import asyncio
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli.console import err, seconds
from farm.concurrency import stop_all
from farm.domain.access import EVERYTHING
from farm.domain.ids import DEFAULT_TENANT
from farm.errors import Conflict, FarmError, InvalidSettings
from farm.home import readiness
from farm.home.folder import Home, Need
from farm.home.state import HostState, write_atomically
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.cli.driver import Driver
    from farm.cli.link import FarmLink
    from serve_app.standing_in import StandIn

LOOK_S = 0.2
SILENT_S = 60.0
"""How long Ray Serve may leave the port without a proxy before all that serves is started again."""
FIRST_WAIT_S = 0.1
MOST_WAIT_S = 20.0
"""Between two tries to start it again; doubles from the first, for as long as no life is longer than that."""
KEY_FILE = "api-key"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(serve)


def serve(
    host: Annotated[str, typer.Option("--host", help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Serve the job API and the web pages until Ctrl-C; the farm is started if it is not up.

    The first time it makes an API key, prints it once and keeps it in FARM_HOME/api-key, readable by you alone.

    Try it:  curl -H "Authorization: Bearer $(cat $FARM_HOME/api-key)" localhost:8000/v1/jobs
    """
    settings = Settings.load()
    if host not in LOOPBACK and not settings.http_hosts:
        reason = f"a service on {host} must know its own names: set it to the host names that clients use"
        raise InvalidSettings(variable="FARM_HTTP_HOSTS", value="", reason=reason)
    sys.exit(asyncio.run(_serve(settings, host, port)))


async def _serve(settings: Settings, host: str, port: int) -> int:
    """Serve until the person ends it, or the farm is ended with `farm down`."""
    from farm.cli.wait import hearing_interrupts
    from serve_app.standing_in import StandIn

    _check_free(host, port)
    async with hearing_interrupts() as interrupts:
        stand_in = StandIn(host, port)
        standing_in = asyncio.create_task(stand_in.watch())
        serving = asyncio.create_task(Service(settings, host, port, stand_in).run())
        try:
            while not (interrupts.count or interrupts.gone or serving.done()):
                readiness.tell("WATCHDOG=1")
                await interrupts.pause(LOOK_S)
            readiness.tell("STOPPING=1")
        finally:
            await stop_all(standing_in, serving)
        if not serving.cancelled() and (error := serving.exception()) is not None:
            raise error
    err().print("The service is down.")
    return 0


class Service:
    """What is served, through all deaths of the farm's own processes."""

    def __init__(self, settings: Settings, host: str, port: int, stand_in: "StandIn") -> None:
        self._settings = settings
        self._stand_in = stand_in
        self._home = Home(settings.home)
        self._host = host
        self._port = port
        self._was_up = False

    async def run(self) -> None:
        """Until cancelled, or the farm is ended by `farm down`.

        Raises:
            FarmError: what keeps it from starting; once it was up, only what no waiting mends.
        """
        wait_s = FIRST_WAIT_S
        while True:
            began_s = time.monotonic()
            try:
                why = await self._life()
            except FarmError as error:
                if not self._was_up or not error.retryable:
                    raise
                why = f"It cannot be started ({error.code}: {error.message})"
            if time.monotonic() - began_s > MOST_WAIT_S:
                wait_s = FIRST_WAIT_S
            if HostState.read(self._home.state_file) is None:
                err().print("The farm was ended; so ends its service.")
                return
            readiness.tell(f"STATUS={why}; it is started again.")
            err().print(f"{why}; starting it again.", style="yellow")
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, MOST_WAIT_S)

    async def _life(self) -> str:
        """Serve on one host's one Ray; why that ended."""
        from farm.cli.driver import driving
        from farm.cli.link import open_link
        from farm.cli.progress import progress_for

        began_s = time.monotonic()
        progress = progress_for("starting the farm", quiet=False)
        async with open_link(self._settings, Need.FARM, progress) as link:
            assert link.host is not None
            await _settle_secret(link)
            await _first_key(link, self._settings)
            async with driving(self._home, link.host, host=self._host, port=self._port) as driver:
                if (why := await self._until_ready(driver, link.host)) is not None:
                    return why
                ready_s = time.monotonic()
                again = " again" if self._was_up else ""
                self._was_up = True
                address = f"http://{'localhost' if self._host in LOOPBACK else self._host}:{self._port}"
                took = seconds(time.monotonic() - began_s)
                readiness.tell("READY=1", f"STATUS=It serves at {address}.")
                err().print(f"The farm serves{again} at [bold]{address}[/bold] after {took}. Ctrl-C ends.")
                while not driver.ended:
                    if (lost := self._lost(link.host)) is not None:
                        return lost
                    if min(self._stand_in.alone_s, time.monotonic() - ready_s) > SILENT_S:
                        return "Nobody serves at the port"
                    await asyncio.sleep(LOOK_S)
                return "The process that serves has died"

    async def _until_ready(self, driver: "Driver", host: HostState) -> str | None:
        """Wait for the driver, but not beyond the Ray that it is on; why that is no more.

        Raises:
            FarmError: when it does not come up.
        """
        ready = asyncio.ensure_future(driver.ready())
        try:
            while not ready.done():
                if (why := self._lost(host)) is not None:
                    return why
                await asyncio.wait([ready], timeout=LOOK_S)
            if (why := self._lost(host)) is None:
                ready.result()
            return why
        finally:
            ready.cancel()

    def _lost(self, host: HostState) -> str | None:
        """Why what was joined is no more; ``None`` while it is as it was."""
        found = self._home.host()
        if found is None or found.process != host.process:
            return "The farm's host has died"
        return "The farm's Ray has died" if found.ray_address != host.ray_address else None


async def _settle_secret(link: "FarmLink") -> None:
    """Have the secret that signs sessions and upload addresses before anything is served."""
    _, replaced = await link.farm.keys.settle_signing_secret()
    if replaced:
        err().print(
            "The secret that signs sessions and upload addresses was empty or short: anybody could have forged them. "
            "It was replaced; everybody logs in again. Look at `farm keys list` and the webhooks: are all yours?",
            style="bold yellow",
        )


async def _first_key(link: "FarmLink", settings: Settings) -> None:
    """Make a key where this home has none yet, and say so."""
    kept = settings.home / KEY_FILE
    with suppress(FileNotFoundError):
        if await link.farm.keys.admit(kept.read_text("utf-8").strip()) is not None:
            return
    _, token = await link.farm.keys.create(tenant=DEFAULT_TENANT, scopes=EVERYTHING, name="first key")
    write_atomically(kept, f"{token}\n".encode(), durable=True)
    err().print(f"API key (kept in {kept}, readable by you alone; it is not shown again):")
    print(token, flush=True)


def _check_free(host: str, port: int) -> None:
    """Refuse a port that is taken, before Serve finds out by itself and says so at length.

    Raises:
        Conflict: naming the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Conflict(reason=f"{host}:{port} cannot be listened on ({error.strerror}); try --port") from error
