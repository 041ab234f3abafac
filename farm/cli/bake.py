"""``farm template bake``: light, once and for all."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from farm.cli.console import err, out, print_json, seconds, size
from farm.cli.told import ToldError
from farm.errors import InvalidRequest
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.cli.link import FarmLink
    from farm.cli.wait import Interrupts
    from farm.render.baker import BakeWish
    from farm.render.bakes import Bake

_HELP = """
Bake a template: keep its light, so that a new design's pictures are shaded in a moment instead of traced for a minute.

A bake serves every design, fabric colour, background and picture size up to its own, and larger ones that were
measured. It lies in the object store, and is needed once for each version of a template. At the end some designs are
traced and relit on every view; the difference is shown, kept with the bake, and decides what `--engine auto` does.

Ctrl-C stops it; what is finished is kept, and the same command goes on from there. Jobs go first.
"""

_EPILOG = """
[bold]Examples[/bold]

farm template bake                        [dim]the crew tee, for pictures up to 1024 pixels[/dim]

farm template bake crew-tee --size 512    [dim]a quarter of the time: for previews[/dim]

farm template bake --larger 2048          [dim]and see how true twice that size is from it[/dim]

farm template bake --film                 [dim]the turntable's frames too[/dim]

farm template bake --ship                 [dim]for the garment's own folder: it comes with its light[/dim]
"""

LOOK_S = 0.5
DEFAULT_SIZE_PX = 1024


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("bake", help=_HELP, epilog=_EPILOG)(bake)


def bake(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The template.")] = "crew-tee",
    size_px: Annotated[
        int, typer.Option("--size", metavar="PX", min=64, max=2048, help="The largest picture it is good for.")
    ] = DEFAULT_SIZE_PX,
    samples: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=4096, help="Paths per pixel.", show_default="FARM_BAKE_SAMPLES"),
    ] = None,
    views: Annotated[str | None, typer.Option(metavar="A,B,…", help="Only these views.", show_default="all")] = None,
    film: Annotated[bool, typer.Option("--film", help="Bake the turntable's frames too.")] = False,
    measure: Annotated[bool, typer.Option(help="Measure the error of every view.")] = True,
    larger_px: Annotated[
        int,
        typer.Option(
            "--larger",
            metavar="PX",
            min=0,
            max=4096,
            help="Measure pictures of this size too, made of the same light: auto relights up to it then.",
            show_default="none",
        ),
    ] = 0,
    force: Annotated[bool, typer.Option("--force", help="Bake what is baked already.")] = False,
    ship: Annotated[
        bool, typer.Option("--ship", help="Put it into the template's folder too, to come with the garment.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the bake's index as JSON, nothing else.")] = False,
) -> None:
    from farm.domain import template as templates
    from farm.domain.view import ALL_VIEWS
    from farm.render.baker import BakeWish

    settings = Settings.load()
    garment = templates.find(settings.template_folders, name)
    chosen = tuple(view.strip() for view in views.split(",") if view.strip()) if views else tuple(map(str, ALL_VIEWS))
    for view in chosen:
        if view not in set(ALL_VIEWS):
            reason = f"there is no view {view}; there are {', '.join(ALL_VIEWS)}"
            raise InvalidRequest(reason=reason, errors=[{"pointer": "/views", "reason": reason}])
    wish = BakeWish(
        template=garment.id,
        template_hash=garment.hash,
        size_px=size_px,
        samples=samples or settings.bake_samples,
        views=chosen,
        film_frames=settings.film_frames if film else 0,
        measure=measure,
        larger_px=larger_px,
        force=force,
    )
    result = asyncio.run(_run(settings, wish, quiet=as_json, ship=garment.folder if ship else None))
    if result is None:
        err().print("Stopped. What is finished is kept: the same command goes on from there.")
        raise typer.Exit(1)
    if as_json:
        import json

        print_json(json.loads(result.to_json()))
    else:
        out().print(bake_table(result))


async def _run(settings: Settings, wish: "BakeWish", *, quiet: bool, ship: Path | None) -> "Bake | None":
    from farm.adapters.redis_bakes import RedisBakes
    from farm.adapters.shipped_light import write_light
    from farm.cli.link import open_link
    from farm.cli.progress import progress_for
    from farm.cli.wait import hearing_interrupts
    from farm.home.folder import Need
    from farm.render import bakes

    progress = progress_for(f"baking {wish.template} at {wish.size_px} px", quiet=quiet)
    async with open_link(settings, Need.FARM, progress) as link, hearing_interrupts() as interrupts:
        board = RedisBakes(link.farm.redis)
        await board.wish(wish)
        try:
            if not await _until_baked(link, board, wish, interrupts, quiet=quiet):
                return None
        finally:
            await board.withdraw(wish.id)
        store = link.farm.store
        found = await asyncio.to_thread(
            bakes.find, store, wish.template, wish.template_hash, wish.size_px, wish.views
        )  # fmt: skip
        if found is not None and ship is not None:
            await asyncio.to_thread(write_light, ship, found, store)
        return found


async def _until_baked(
    link: "FarmLink", board: Any, wish: "BakeWish", interrupts: "Interrupts", *, quiet: bool
) -> bool:
    """Look on until it is baked.

    Raises:
        ToldError: what it ended with instead.
    """
    from farm.adapters.redis_heartbeat import RedisProgressBoard

    began_s = time.monotonic()
    shares = RedisProgressBoard(link.farm.redis)
    told: set[str] = set()
    with Live(console=err(), auto_refresh=False, transient=True) as live:
        while not (interrupts.count or interrupts.gone):
            if link.broken:
                await link.mend()
            outcome = await board.outcome(wish.id)
            if "error" in outcome:
                raise ToldError(**outcome["error"])
            if "bake" in outcome:
                return True
            if not quiet:
                running = await shares.read(wish.id)
                if err().is_terminal:
                    live.update(_progress_table(wish, outcome, running, time.monotonic() - began_s), refresh=True)
                else:
                    for name in outcome.get("done", ()):
                        if name not in told:
                            told.add(name)
                            err().print(f"{name} baked after {seconds(time.monotonic() - began_s)}")
            await interrupts.pause(LOOK_S)
    return False


def _progress_table(wish: "BakeWish", outcome: Mapping[str, Any], running: Mapping[str, float], past_s: float) -> Table:
    done = list(outcome.get("done", ()))
    views = int(outcome.get("views", 0)) or len(wish.tasks())
    share = (len(done) + sum(value for name, value in running.items() if name not in done)) / max(1, views)
    table = Table.grid(padding=(0, 2))
    left = f", about {seconds(past_s * (1 - share) / share)} left" if share > 0.02 else ""
    table.add_row(Text(f"{wish.template} at {wish.size_px} px", style="bold"), f"{share:.0%}{left}")
    for name in done[-6:]:
        table.add_row(Text(name), Text("✓ baked", style="green"))
    for name, value in sorted(running.items()):
        if name not in done:
            bar = "━" * round(20 * value)
            table.add_row(Text(name), Text(f"{bar:<20} {value:.0%}", style="cyan"))
    return table


def bake_table(result: "Bake") -> Table:
    """The views of a bake, with what they cost and how true they are."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("view", "size", "took", "ΔE00 mean", "ΔE00 p99", "PSNR"):
        table.add_column(column, justify="left" if column == "view" else "right")
    for name, part in result.parts.items():
        error = part.error
        figures = (
            (f"{error['delta_e_mean']:.2f}", f"{error['delta_e_p99']:.2f}", f"{error['psnr_db']:.1f} dB")
            if error
            else ("–", "–", "–")
        )
        table.add_row(name, size(part.size_bytes), seconds(part.seconds), *figures)
    table.caption = f"{result.template} at {result.size_px} px, bake {result.id[:12]}"
    table.caption_justify = "left"
    return table
