"""``farm render``: a design in, six pictures on a product out."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli.console import err, out, print_accepted, print_json, warn
from farm.cli.placement import parse_placement
from farm.errors import InvalidRequest
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.cli.early import Early
    from farm.render.prepare import Prepared

_HELP = """
Render a design on a garment, from six sides, and attach the pictures to a product.

Nothing starts before design and request are found good. Ctrl-C cancels the job and undoes it.

A terminal that dies loses nothing: the farm finishes the job, `farm jobs download` fetches it.
"""

_EPILOG = """
[bold]Examples[/bold]

farm render logo.png -o shirt                           [dim]chest print, white tee[/dim]

farm render logo.png --preset back-large --fabric-color navy

farm render logo.png --product tee-42 --mode all        [dim]stills, film and 3D model, on tee-42[/dim]

farm render logo.png --size 1080x1350 --format jpeg     [dim]4:5, for a feed[/dim]

farm render logo.png --views none --model               [dim]the 3D model alone[/dim]

farm render logo.png --views front_0deg --quality draft [dim]a quick look[/dim]

farm render logo.png --placement panel=sleeve_left,y=8,width=7

farm render logo.png --engine auto                      [dim]in a moment, where the garment is baked[/dim]

farm render logo.png --dry-run                          [dim]check only: engine, time, cost, what is kept[/dim]

farm render logo.png --json | jq -r .status             [dim]for scripts[/dim]
"""

_WHAT, _WHERE, _LOOK, _HOW = "What", "Where on the garment", "Look", "How"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("render", help=_HELP, epilog=_EPILOG)(render)


def render(
    designs: Annotated[
        list[Path],
        typer.Argument(
            metavar="DESIGN",
            help="PNG or JPEG; - reads standard input. Further files are layers: --placement design=1,…",
            show_default=False,
        ),
    ],
    out_folder: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Folder for the pictures.", show_default="renders/<design>"),
    ] = None,
    product: Annotated[
        str | None, typer.Option(help="The product that gets the pictures.", metavar="ID", rich_help_panel=_WHAT)
    ] = None,
    template: Annotated[
        str | None, typer.Option(help="The garment.", metavar="NAME", show_default="crew-tee", rich_help_panel=_WHAT)
    ] = None,
    media: Annotated[
        str | None,
        typer.Option(
            metavar="replace|append",
            help="Do earlier pictures of the product in this fabric colour give way?",
            show_default="replace",
            rich_help_panel=_WHAT,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A named place: chest-large, back-large, …",
            show_default="chest-large",
            rich_help_panel=_WHERE,
        ),
    ] = None,
    placement: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE,…",
            help="Free placement in cm, instead of a preset; may be repeated, bottom layer first. Keys: panel, x, y "
            "(the middle; from the collar seam), width, height, rotation, fit, blend, opacity, "
            "underbase (no: the ink dyes the cloth), design.",
            rich_help_panel=_WHERE,
        ),
    ] = None,
    fabric_color: Annotated[
        str | None,
        typer.Option(
            metavar="COLOUR",
            help="#RRGGBB, a CSS name, or navy, heather-grey, …",
            show_default="white",
            rich_help_panel=_LOOK,
        ),
    ] = None,
    background: Annotated[
        str | None,
        typer.Option(metavar="COLOUR", help="Behind the garment.", show_default="transparent", rich_help_panel=_LOOK),
    ] = None,
    shadow: Annotated[
        str | None,
        typer.Option(
            metavar="none|soft",
            help="A soft shadow on the ground below the garment; in the alpha channel where the background is "
            "transparent.",
            show_default="none",
            rich_help_panel=_LOOK,
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="images-only|animation-only|all",
            help="Stills, a turntable film, or both and a 3D model.",
            show_default="images-only",
            rich_help_panel=_LOOK,
        ),
    ] = None,
    views: Annotated[
        str | None,
        typer.Option(
            metavar="A,B,…",
            help="Which of the six views, such as front_0deg,back_180deg; or none.",
            show_default="all six",
            rich_help_panel=_LOOK,
        ),
    ] = None,
    model: Annotated[
        bool | None,
        typer.Option(
            "--model/--no-model",
            help="An interactive 3D model (GLB) too; --views none --model makes it alone.",
            show_default="with --mode all",
            rich_help_panel=_LOOK,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="PX|WxH",
            help="The longer side in pixels, or both, such as 1080x1350.",
            show_default="1024",
            rich_help_panel=_LOOK,
        ),
    ] = None,
    aspect: Annotated[
        str | None,
        typer.Option(
            metavar="W:H",
            help="Such as 4:5, 3:4 or 16:9; the garment is never cropped.",
            show_default="1:1",
            rich_help_panel=_LOOK,
        ),
    ] = None,
    picture_format: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="png|jpeg|webp", help="Of the stills.", show_default="png", rich_help_panel=_LOOK
        ),
    ] = None,
    quality: Annotated[
        str | None,
        typer.Option(
            metavar="draft|standard|high", help="8, 16 or 64 samples.", show_default="standard", rich_help_panel=_LOOK
        ),
    ] = None,
    samples: Annotated[
        int | None, typer.Option(metavar="N", help="Paths per pixel; instead of --quality.", rich_help_panel=_LOOK)
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="cycles|relight|auto",
            help="Trace paths, or shade by the light that was baked for the garment; auto shades where the light's "
            "measured error is small enough, and traces elsewhere.",
            show_default="auto",
            rich_help_panel=_HOW,
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Render also what was rendered before and is kept.", rich_help_panel=_HOW),
    ] = False,
    saga: Annotated[
        str | None,
        typer.Option(
            metavar="granular|simple",
            help="Seven journaled steps, or one.",
            show_default="granular",
            rich_help_panel=_HOW,
        ),
    ] = None,
    priority: Annotated[
        int | None,
        typer.Option(metavar="N", help="-100 to 100; higher runs first.", show_default="0", rich_help_panel=_HOW),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Do not wait: print the job's id and leave.", rich_help_panel=_HOW)
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check all, estimate time and cost, change nothing.", rich_help_panel=_HOW)
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the finished job's record, nothing else.", rich_help_panel=_HOW)
    ] = False,
) -> None:
    settings = Settings.load()
    began_s = time.monotonic()
    given = {
        "product_id": product,
        "template": template,
        "preset": preset,
        "placements": [parse_placement(text, number) for number, text in enumerate(placement)] if placement else None,
        "fabric_color": fabric_color,
        "background_color": background,
        "shadow": shadow,
        "mode": mode,
        "model": model,
        "views": _views(views),
        **sides(size, aspect),
        "quality": quality,
        "samples": samples,
        "format": picture_format,
        "saga": saga,
        "engine": engine,
        "priority": priority,
        "media": media,
    }
    from farm.cli.early import Early

    folder = out_folder or Path("renders") / (designs[0].stem if str(designs[0]) != "-" else "stdin")
    request = {name: value for name, value in given.items() if value is not None}
    with contextlib.closing(Early(settings)) as early:
        prepared = _prepare(settings, request, designs, None if dry_run or detach else early)
        if dry_run:
            _show_dry_run(prepared, _forecast(settings, prepared, force=force), as_json=as_json)
            return
        from farm.cli.download import check_folder

        if not detach:
            check_folder(folder)
        _check_engine(settings, prepared)
        _announce_drills(settings)
        took_s = time.monotonic() - began_s
        run = _run(settings, prepared, designs, folder, took_s, early, force=force, detach=detach, as_json=as_json)
        status = asyncio.run(run)
    sys.exit(status)


def _prepare(settings: Settings, given: dict[str, Any], files: Sequence[Path], early: "Early | None") -> "Prepared":
    from farm.domain.request import parse_request
    from farm.render.prepare import prepare

    request = parse_request(given)
    used = {placement.design for placement in request.placements} or {0}
    for number, file in enumerate(files):
        if number not in used:
            reason = (
                f"no layer uses {file.name}: place it with --placement 'design={number},…', "
                "or render each design with a command of its own"
            )
            raise InvalidRequest(reason=reason, errors=[{"pointer": f"/designs/{number}", "reason": reason}])
    data = [_read(file, settings.design_max_bytes) for file in files]
    if early is not None:
        early.begin(request)
    return prepare(settings, request, data)


def _views(text: str | None) -> list[str] | None:
    if text is None:
        return None
    return [view.strip() for view in text.split(",") if view.strip()] if text.strip() != "none" else []


def sides(size: str | None, aspect: str | None) -> dict[str, Any]:
    """``--size`` and ``--aspect`` as the request has them: the longer side, and the sides' proportion.

    Raises:
        InvalidRequest: when the size is no number and no two of them, or both say a proportion.
    """
    if size is None:
        return {"size": None, "aspect": aspect}
    width, times, height = size.lower().partition("x")
    if not width.isdecimal() or (times and not height.isdecimal()):
        reason = f"{size!r} is neither a number of pixels nor two of them, such as 1080x1350"
        raise InvalidRequest(reason=reason, errors=[{"pointer": "/size", "reason": reason}])
    if not times:
        return {"size": int(width), "aspect": aspect}
    if aspect is not None:
        reason = "--size WxH says the proportion already: leave --aspect out"
        raise InvalidRequest(reason=reason, errors=[{"pointer": "/aspect", "reason": reason}])
    return {"size": max(int(width), int(height)), "aspect": f"{width}:{height}"}


def _read(file: Path, limit_bytes: int) -> bytes:
    """The file, but never much more of it than may be used: it could be a device."""
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(limit_bytes + 1)
        with file.open("rb") as design:
            return design.read(limit_bytes + 1)
    except OSError as error:
        reason = f"{file}: {(error.strerror or str(error)).lower()}"
        raise InvalidRequest(reason=reason, errors=[{"pointer": "/designs", "reason": reason}]) from error


def _check_engine(settings: Settings, prepared: "Prepared") -> None:
    """Refuse what cannot be relit before a farm is started for it; the object store alone knows.

    Raises:
        BakeMissing, FilmBakeMissing, BakeTooSmall: when the job would be refused when it is submitted.
    """
    if prepared.request["engine"] == "relight":
        from farm.adapters.storage import store_of
        from farm.render.making import choose

        choose(settings, store_of(settings), prepared.request, prepared.template)


def _forecast(settings: Settings, prepared: "Prepared", *, force: bool) -> dict[str, Any]:
    """What the job would be; asks the object store alone, so no farm is started for it."""
    from farm.adapters.storage import store_of
    from farm.domain.ids import DEFAULT_TENANT
    from farm.render.forecast import forecast
    from farm.render.results import ResultCache

    store = store_of(settings)
    results = ResultCache(store, days=settings.cache_days)
    return forecast(settings, store, results, prepared, tenant=DEFAULT_TENANT, force=force)


def _show_dry_run(prepared: "Prepared", told: dict[str, Any], *, as_json: bool) -> None:
    warnings = [dict(warning) for warning in prepared.warnings]
    if as_json:
        designs = [{"width_px": d.width_px, "height_px": d.height_px, "sha256": d.sha256} for d in prepared.designs]
        print_json(
            {
                "request": dict(prepared.request),
                "template": dict(prepared.template),
                "designs": designs,
                "warnings": warnings,
                **told,
            }
        )
        return
    from farm.cli.summary import forecast_lines, request_table

    console = out()
    console.print("[green]✓[/green] the request is good; nothing was started")
    console.print(request_table(prepared.request))
    console.print(forecast_lines(told))
    for warning in warnings:
        warn(console, warning["code"], warning["message"])


def _announce_drills(settings: Settings) -> None:
    if settings.failpoints:
        from farm.saga.failpoint import parse_failpoints

        parse_failpoints(settings.failpoints)
        warn(err(), "DRILL", f"FARM_FAILPOINTS={settings.failpoints} travels with this job: it is meant to fail there")


async def _run(
    settings: Settings,
    prepared: "Prepared",
    designs: Sequence[Path],
    folder: Path,
    decoded_s: float,
    early: "Early",
    *,
    force: bool,
    detach: bool,
    as_json: bool,
) -> int:
    from farm.cli.early import arriving
    from farm.cli.link import FarmLink, shown
    from farm.cli.outcome import Outcome, await_outcome, tell
    from farm.cli.progress import progress_for
    from farm.cli.summary import title
    from farm.cli.wait import OnInterrupt, hearing_interrupts
    from farm.home.folder import Need

    names = ", ".join(file.name for file in designs)
    progress = progress_for(title(names, prepared.request), quiet=as_json)
    progress.phase("design", decoded_s)
    outcome: Outcome | None = None
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(shown(settings, progress))
        arrivals = None if detach else await stack.enter_async_context(arriving(early, prepared, folder, progress))
        link = await stack.enter_async_context(FarmLink(settings, Need.FARM, progress))
        # From here on Ctrl-C cancels: heard before the job is accepted, it is obeyed right after.
        interrupts = await stack.enter_async_context(hearing_interrupts())
        record = await link.farm.service.submit(prepared, failpoints=settings.failpoints, force=force)
        if arrivals is not None:
            outcome = await await_outcome(
                link, record, progress, interrupts, folder=folder, on_interrupt=OnInterrupt.CANCEL, arrivals=arrivals
            )
    if outcome is not None:
        return tell(outcome, as_json=as_json)
    print_accepted(record, as_json=as_json)
    return 0
