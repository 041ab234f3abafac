"""``farm backup`` and ``farm restore``: the store in a file, and back."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from farm.cli.console import err, print_json, seconds
from farm.errors import Conflict
from farm.home.folder import Home
from farm.settings import Settings

_BACKUP = """
Write the store into FILE: jobs, events, products, keys, catalogue runs, as they are at one moment.

The farm may be up; whoever writes waits until it is read. Designs and pictures are not in it: they lie in the object
store, which has backups of its own. The file holds hashed API keys and the secret that signs sessions: keep it safe.
"""
_RESTORE = """
Give the store back what FILE holds. The farm must be down.

Jobs that ran when the backup was made are taken up where they were then. FILE is checked as a whole before anything
is changed.
"""


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("backup", help=_BACKUP)(backup)
    app.command("restore", help=_RESTORE)(restore)


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write; an older backup there is replaced.")],
    pause_s: Annotated[
        float, typer.Option("--pause", metavar="SECONDS", min=1, help="The longest that writers may have to wait.")
    ] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was written as JSON, nothing else.")] = False,
) -> None:
    from farm.adapters.backup_file import write_backup
    from farm.cli.link import open_link
    from farm.cli.progress import Silence
    from farm.home.folder import Need

    settings = Settings.load()

    async def run() -> "dict[str, object]":
        async with open_link(settings, Need.STORE, Silence()) as link:
            url = settings.redis_url or (link.host.store_url if link.host is not None else "")
            written = await asyncio.to_thread(write_backup, url, file, pause_s=pause_s)
        return {"file": str(file), "keys": written.keys, "size_bytes": written.size_bytes, "paused_s": written.paused_s}

    told = asyncio.run(run())
    if as_json:
        print_json(told)
        return
    console = err()
    console.print(f"{file}: {told['keys']} keys, {int(str(told['size_bytes'])) / 1e6:.1f} MB.")
    if told["paused_s"] is None:
        console.print(
            "This server cannot be paused: what was written meanwhile may be there in part. Use it with the farm down.",
            style="yellow",
        )
    else:
        console.print(f"Writers waited {float(str(told['paused_s'])):.2f} s.")
    console.print(f"Designs and pictures are not in it; they lie in {settings.effective_storage_url}.", style="dim")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `farm backup` wrote.")],
    replace: Annotated[bool, typer.Option("--replace", help="Remove what the store holds now.")] = False,
) -> None:
    from farm.adapters.backup_file import read_backup

    settings = Settings.load()
    began_s = time.monotonic()
    with _store_alone(settings) as url:
        read = read_backup(url, file, replace=replace)
    made = datetime.fromtimestamp(read.made_at_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    err().print(f"{read.keys} keys of {made} (farm {read.version}) in {seconds(time.monotonic() - began_s)}.")
    err().print("Jobs that ran then go on with `farm up`; `farm audit` compares what is there with the objects.")


@contextmanager
def _store_alone(settings: Settings) -> Iterator[str]:
    """The store's address, while no farm of this home uses it.

    Raises:
        Conflict: while a farm is up.
    """
    home = Home(settings.home)
    home.create()
    with home.try_gate() as free:
        if not free or home.host() is not None:
            raise Conflict(reason=f"a farm is up in {home.path}; end it with `farm down --now`")
        if settings.redis_url:
            yield settings.redis_url
            return
        from farm.adapters.embedded_store import EmbeddedStore

        store = EmbeddedStore.start(home.path)
        try:
            yield store.url
        finally:
            store.stop()
