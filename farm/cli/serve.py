"""``farm serve``: the job API and the web pages, on the farm of this home."""

import asyncio
import socket
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli.console import err, seconds
from farm.domain.access import EVERYTHING
from farm.domain.ids import DEFAULT_TENANT
from farm.errors import Conflict, InvalidSettings
from farm.home.folder import Home
from farm.home.state import write_atomically
from farm.home.token import know_token
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.cli.link import FarmLink

LOOK_S = 0.5
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
    from farm.cli.link import open_link
    from farm.cli.progress import progress_for
    from farm.home.folder import Need

    while True:
        began_s = time.monotonic()
        progress = progress_for("starting the farm", quiet=False)
        async with open_link(settings, Need.FARM, progress) as link:
            await _settle_secret(link)
            await _first_key(link, settings)
            if await _one_life(link, settings, host, port, began_s):
                break
        err().print("The farm's host has died; starting it again.", style="yellow")
    err().print("The service is down.")
    return 0


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


async def _one_life(link: "FarmLink", settings: Settings, host: str, port: int, began_s: float) -> bool:
    """Serve until the person ends it (``True``) or the host dies (``False``)."""
    from farm.cli.wait import hearing_interrupts

    _check_free(host, port)
    know_token(Home(settings.home), own=not settings.ray_address)
    from serve_app.app import serving

    assert link.host is not None
    store_url = link.host.store_url or settings.redis_url
    with serving(
        settings,
        store_url=store_url,
        ray_address=link.host.ray_address,
        host=host,
        port=port,
    ):
        address = f"http://{'localhost' if host in LOOPBACK else host}:{port}"
        err().print(
            f"The farm serves at [bold]{address}[/bold] after {seconds(time.monotonic() - began_s)}. Ctrl-C ends."
        )
        async with hearing_interrupts() as interrupts:  # after Ray, which takes the handlers for itself
            while not (interrupts.count or interrupts.gone):
                await interrupts.pause(LOOK_S)
                if link.broken:
                    return False
    return True


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
