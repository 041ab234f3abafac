"""``farm up``, ``down``, ``status``, ``logs``: the farm's own process in ``FARM_HOME``."""

import asyncio
import os
import sys
import time
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from farm.cli.console import err, out, print_json, seconds
from farm.errors import Conflict
from farm.home.folder import Home, Need, Order
from farm.home.join import differing
from farm.home.state import HostState, Phase
from farm.settings import Settings

LOOK_S = 0.2


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command(help="Start the farm and keep it: later commands find it warm. It goes on until `farm down`.")(up)
    app.command(help="End the farm after its running jobs; with --now at once: its jobs go on at the next start.")(down)
    app.command(help="Is a farm up, since when, with how many jobs? Exit code 0 when it is, else 1.")(status)
    app.command(help="The log of the farm in FARM_HOME.")(logs)


def up(
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Be the farm, until SIGTERM or Ctrl-C: for containers and systemd.")
    ] = False,
) -> None:
    settings = Settings.load()
    if foreground:
        _be_the_host(settings)
    sys.exit(asyncio.run(_up(settings)))


def _be_the_host(settings: Settings) -> None:
    home = Home(settings.home)
    home.create()
    if home.host() is not None:
        raise Conflict(reason=f"a farm is up in {home.path} already; end it with `farm down`")
    environment = home.host_environment()
    sys.stdout.flush()
    sys.stderr.flush()
    command = home.host_command(stay=True)
    os.execve(command[0], command, environment)


async def _up(settings: Settings) -> int:
    from farm.cli.link import warn_of_otherwise
    from farm.cli.progress import progress_for
    from farm.home.join import join

    began_s = time.monotonic()
    warn_of_otherwise(settings)
    former = Home(settings.home).host()
    with progress_for("starting the farm", quiet=False) as progress:
        async with join(settings, Need.FARM, progress.host, stay=True) as host:
            took_s = time.monotonic() - began_s
    if former is not None and former.process == host.process and former.phase is Phase.READY:
        said = "The farm is up already" if former.stay else "The farm was up for a job; now it stays"
        err().print(f"{said}. End it with `farm down`.")
    else:
        err().print(f"The farm is up after {seconds(took_s)}. End it with `farm down`.")
    return 0


def down(
    now: Annotated[
        bool, typer.Option("--now", help="Do not wait for running jobs: they go on when the farm is started again.")
    ] = False,
    timeout_s: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", help="Give up waiting after this; the farm ends all the same."),
    ] = None,
) -> None:
    home = Home(Settings.load().home)
    host = home.host()
    if host is None:
        err().print("No farm is up.")
        return
    home.order(host, Order.NOW if now else Order.DOWN)
    console = err()
    what = (
        "stopping the farm …" if now else "waiting for running jobs to end … (Ctrl-C leaves, the farm ends by itself)"
    )
    deadline_s = time.monotonic() + timeout_s if timeout_s is not None else None
    if console.is_terminal:
        with console.status(what):
            gone = _wait_gone(host, deadline_s)
    else:
        gone = _wait_gone(host, deadline_s)
    console.print("The farm is down." if gone else "The farm is still ending its jobs.")
    sys.exit(0 if gone else 1)


def _wait_gone(host: HostState, deadline_s: float | None) -> bool:
    while host.alive:
        if deadline_s is not None and time.monotonic() > deadline_s:
            return False
        time.sleep(LOOK_S)
    return True


def status(as_json: Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")] = False) -> None:
    settings = Settings.load()
    host = Home(settings.home).host()
    jobs = asyncio.run(_live_jobs(settings, host)) if host is not None and _has_store(host) else None
    if as_json:
        print_json(status_dict(settings, host, jobs))
    elif host is None:
        out().print(Text.assemble("no farm is up", (f"  {settings.home}", "dim")))
    else:
        out().print(status_table(settings, host, jobs))
    sys.exit(0 if host is not None else 1)


def _has_store(host: HostState) -> bool:
    return host.phase not in (Phase.STARTING, Phase.STORE, Phase.ENDING, Phase.FAILED)


async def _live_jobs(settings: Settings, host: HostState) -> int:
    from farm.wiring import open_farm

    # A look from outside: the host need not know of it, so no presence is left.
    async with open_farm(settings, store_url=host.store_url or settings.redis_url) as farm:
        return await farm.service.live_count()


def status_dict(settings: Settings, host: HostState | None, jobs: int | None) -> dict[str, Any]:
    """The status as plain JSON."""
    if host is None:
        return {"up": False, "home": str(settings.home)}
    return {
        "up": True,
        "home": str(settings.home),
        "phase": str(host.phase),
        "stay": host.stay,
        "version": host.version,
        "process": host.process,
        "up_s": round(time.time() - host.started_at_s, 1),
        "phases_s": dict(host.seconds),
        "live_jobs": jobs,
        "store_url": host.store_url,
        "otherwise": {variable: {"here": own, "farm": theirs} for variable, own, theirs in differing(host, settings)},
    }


_PHASE_WORDS = {
    Phase.READY: "up",
    Phase.IDLE: "up for reading only (no Ray)",
    Phase.DRAINING: "going down after its running jobs",
    Phase.ENDING: "going down",
}


def status_table(settings: Settings, host: HostState, jobs: int | None) -> Table:
    """The status for a person."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    state = _PHASE_WORDS.get(host.phase, f"starting: {host.phase}")
    style = "bold green" if host.phase is Phase.READY else "yellow"
    table.add_row("farm", Text.assemble((state, style), f" for {seconds(time.time() - host.started_at_s)}"))
    table.add_row("ends", "with `farm down`" if host.stay else "by itself, when there is nothing to do")
    if jobs is not None:
        table.add_row("jobs", f"{jobs} running or waiting" if jobs else "none running")
    table.add_row("start", ", ".join(f"{name} {seconds(took_s)}" for name, took_s in host.seconds.items()) or "–")
    table.add_row("version", host.version)
    table.add_row("process", host.process.partition(":")[0])
    table.add_row("home", str(settings.home))
    for variable, own, theirs in differing(host, settings):
        table.add_row(
            "otherwise", Text(f"it runs with {variable}={theirs}, not {own}: `farm down` first", style="yellow")
        )
    return table


def logs(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="So many lines from its end.")] = 40,
) -> None:
    home = Home(Settings.load().home)
    if not home.log_file.exists():
        err().print(f"There is no log yet in {home.path}.")
        return
    tail = home.log_tail(lines)
    if tail:
        print(tail)
    if follow:
        _follow(home)


def _follow(home: Home) -> None:
    with home.log_file.open("r", encoding="utf-8", errors="replace") as log:
        log.seek(0, os.SEEK_END)
        while True:
            text = log.read()
            if text:
                sys.stdout.write(text)
                sys.stdout.flush()
            time.sleep(LOOK_S)
