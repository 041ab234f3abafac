"""``farm catalog``: whole catalogues, from a manifest to a report."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli.console import err, out, print_json
from farm.cli.runs import plan_view, run_table, run_view, runs_table
from farm.errors import FarmError, InvalidRequest
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.adapters.manifest_file import ManifestFile
    from farm.cli.link import FarmLink
    from farm.render.catalog.row import Fault, Row
    from farm.wiring import Farm

_HELP = """
Render whole catalogues: one manifest, any number of rows, one honest report.

A manifest is Parquet, CSV with a header, or JSON; a file, [bold]s3://…[/bold] or [bold]https://…[/bold]. Its
columns are named as the options of [bold]farm render[/bold]: design (path beside the manifest, s3:// or https://),
product_id, preset, placements (JSON), fabric_color (one, or white|black|navy), views, size, format, engine, …

A row that cannot be done is reported with its number and what to do, and stops nothing.
"""

_EPILOG = """
[bold]Examples[/bold]

farm catalog plan spring.csv                          [dim]what would it do, cost and take?[/dim]

farm catalog run spring.csv --engine relight --report spring.parquet

farm catalog run spring.csv --report spring.parquet   [dim]again: only what changed is rendered[/dim]

farm catalog watch spring                             [dim]by name, or by the run's id[/dim]

farm catalog retry spring --report again.parquet      [dim]only rows that failed[/dim]
"""

app = typer.Typer(help=_HELP, epilog=_EPILOG, no_args_is_help=True, rich_markup_mode="rich")

Manifest = Annotated[
    str, typer.Argument(metavar="MANIFEST", help="Path, s3://… or https://… of a .parquet, .csv or .jsonl (.gz)")
]
RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or its name (then the newest).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")]
EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine", metavar="cycles|relight|auto", help="For rows that name none.", show_default="as farm render"
    ),
]
Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write the report: .parquet, .csv or .jsonl, a line for each row."),
]
Designs = Annotated[
    str | None,
    typer.Option("--designs", metavar="DIR", help="What relative designs are relative to.", show_default="manifest"),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="For rows without their own, such as size=512; repeatable."),
]
Maps = Annotated[
    list[str] | None,
    typer.Option(
        "--map", metavar="FIELD=COLUMN", help='Which column is which, such as design="Image Src"; repeatable.'
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Render also what is there already.")]
Window = Annotated[
    int | None,
    typer.Option("--window", metavar="N", min=1, help="Rows under way at once.", show_default="by the cluster"),
]
MostFailures = Annotated[
    str | None,
    typer.Option(
        "--max-failures", metavar="N|N%", help="Stop the run when more rows than this fail.", show_default="never stop"
    ),
]
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait: print the run's id and leave.")]


@app.command()
def plan(
    manifest: Manifest,
    engine: EngineOption = None,
    sets: Sets = None,
    maps: Maps = None,
    designs: Designs = None,
    errors: Annotated[
        Path | None, typer.Option("--errors", metavar="FILE", help="Write every bad row to this file, as JSON Lines.")
    ] = None,
    cores: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Cores to estimate the time for.", show_default="here")
    ] = None,
    remote: Annotated[
        bool, typer.Option("--remote", help="Ask servers which version of a design they have, one by one.")
    ] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Validate every row and tell what a run would do: counts, errors, time, cost. Changes nothing.

    Exit code 0 when all rows are good, 1 when some are not.
    """
    from farm.cli.command import ask
    from farm.domain.ids import DEFAULT_TENANT
    from farm.render.catalog.plan import Plan, Planner
    from farm.wiring import NoWorkers

    settings, mapping = Settings.load(), _mapping(maps)

    async def work(farm: "Farm") -> Plan:
        from farm.adapters.design_source import Designs as Source
        from farm.adapters.manifest_file import open_manifest

        with (
            open_manifest(manifest, Source.of(settings), base=_base(designs), mapping=mapping) as opened,
            _fault_file(errors) as told,
        ):
            nobody = NoWorkers()
            planner = Planner(
                farm.kit(nobody, nobody),
                tenant=DEFAULT_TENANT,
                cores=cores or os.cpu_count() or 1,
                remote=remote,
                force=force,
                on_fault=told,
                on_rows=_counter("looked at", quiet=as_json),
            )
            return await planner.plan(_items(opened, _defaults(engine, sets)))

    found = ask(work)
    if as_json:
        print_json(found.to_dict())
    else:
        out().print(plan_view(found.to_dict()), crop=False)
    sys.exit(1 if found.bad else 0)


@app.command()
def run(
    manifest: Manifest,
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call the run.", show_default="the manifest's name")
    ] = None,
    engine: EngineOption = None,
    sets: Sets = None,
    maps: Maps = None,
    designs: Designs = None,
    window: Window = None,
    max_failures: MostFailures = None,
    force: Force = False,
    report: Report = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Render every row of a manifest that is not rendered yet, and report on each.

    Ctrl-C leaves, the run goes on: `farm catalog pause|resume|cancel` change that. It needs neither the manifest nor
    this terminal any more, only the designs. Exit code 0 when every row is completed, 1 otherwise.
    """
    from farm.adapters.design_source import Designs as Source
    from farm.adapters.manifest_file import open_manifest

    settings = Settings.load()
    _check(report)
    defaults, mapping = _defaults(engine, sets), _mapping(maps)

    async def begin(link: "FarmLink") -> dict[str, Any]:
        notes: list[Fault] = []
        with open_manifest(manifest, Source.of(settings), base=_base(designs), mapping=mapping) as opened:
            return await link.farm.catalogues.start(
                _items(opened, defaults, notes),
                name=_name(name or opened.name),
                manifest=manifest,
                window=window,
                max_failures=None if max_failures is None else _failures(max_failures),
                max_failure_share=None if max_failures is None else _share(max_failures),
                force=force,
                notes=notes,
                failpoints=settings.failpoints,
            )

    sys.exit(asyncio.run(_follow(begin, report, as_json=as_json, detach=detach)))


@app.command()
def watch(run: RunId, report: Report = None, as_json: AsJson = False) -> None:
    """Follow a run until it ends; Ctrl-C leaves, the run goes on."""
    _check(report)

    async def same(link: "FarmLink") -> dict[str, Any]:
        return await link.farm.catalogues.get(run)

    sys.exit(asyncio.run(_follow(same, report, as_json=as_json)))


@app.command()
def pause(run: RunId, as_json: AsJson = False) -> None:
    """Begin no more rows; those under way are finished."""
    _change(lambda farm: farm.catalogues.pause(run), as_json)


@app.command()
def resume(run: RunId, report: Report = None, detach: Detach = False, as_json: AsJson = False) -> None:
    """Go on after a pause, and follow."""
    _check(report)

    async def again(link: "FarmLink") -> dict[str, Any]:
        return await link.farm.catalogues.resume(run)

    sys.exit(asyncio.run(_follow(again, report, as_json=as_json, detach=detach)))


@app.command()
def cancel(run: RunId, report: Report = None, detach: Detach = False, as_json: AsJson = False) -> None:
    """End a run: rows under way are undone, finished ones stay, the others are never begun."""
    _check(report)

    async def ask_for_it(link: "FarmLink") -> dict[str, Any]:
        return await link.farm.catalogues.cancel(run)

    sys.exit(asyncio.run(_follow(ask_for_it, report, as_json=as_json, detach=detach, good="cancelled")))


@app.command()
def retry(
    run: RunId,
    only: Annotated[
        str, typer.Option(metavar="failed,skipped,cancelled", help="Which rows to do again.")
    ] = "failed,skipped,cancelled",
    window: Window = None,
    force: Force = False,
    report: Report = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Start a new run with the rows of an ended one that were not completed."""
    _check(report)
    wanted = [part.strip() for part in only.split(",") if part.strip()]
    if not wanted or not set(wanted) <= {"failed", "skipped", "cancelled"}:
        raise InvalidRequest(reason=f"--only {only!r} must name some of failed, skipped, cancelled")

    async def again(link: "FarmLink") -> dict[str, Any]:
        return await link.farm.catalogues.retry(run, only=wanted, window=window, force=force)

    sys.exit(asyncio.run(_follow(again, report, as_json=as_json, detach=detach)))


@app.command("report")
def write_report(
    run: RunId,
    to: Annotated[Path, typer.Option("--report", "-o", metavar="FILE", help=".parquet, .csv or .jsonl")],
    as_json: AsJson = False,
) -> None:
    """Write the report of a run as far as it is."""
    from farm.cli.command import ask

    _check(to)

    async def write(farm: "Farm") -> dict[str, Any]:
        record = await farm.catalogues.get(run)
        await _write_report(farm, record, to)
        return record

    record = ask(write)
    if as_json:
        print_json(record)
    else:
        err().print(f"{record['rows']} rows in {to}", soft_wrap=True)


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option("-n", metavar="N", min=1, max=500, help="How many.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Runs, newest first."""
    from farm.cli.command import ask

    records = ask(lambda farm: farm.catalogues.list(limit=limit))
    if as_json:
        print_json(records)
    elif not records:
        err().print("No runs. `farm catalog run MANIFEST` makes one.")
    else:
        out().print(runs_table(records))


@app.command()
def show(run: RunId, as_json: AsJson = False) -> None:
    """All that is known of one run."""
    from farm.cli.command import ask

    record = ask(lambda farm: farm.catalogues.get(run))
    if as_json:
        print_json(record)
    else:
        out().print(run_table(record), crop=False)


# --- shared -----------------------------------------------------------------------------------------------------------


def _items(
    manifest: "ManifestFile", defaults: dict[str, Any], notes: "list[Fault] | None" = None
) -> Iterator["Row | Fault"]:
    """The manifest's rows and faults, in order; how it is read, and unknown columns, are told on the terminal once."""
    from farm.render.catalog.columns import Reading

    told: set[tuple[str, str | None]] = set()

    def tell(faults: "Sequence[Fault]") -> None:
        for fault in faults:
            if (fault.code, fault.column) not in told:
                told.add((fault.code, fault.column))
                if notes is not None:
                    notes.append(fault)
                err().print(f"[yellow]⚠[/yellow] {fault.code}  {fault.message} {fault.hint}", soft_wrap=True)

    return manifest.items(Reading(base=manifest.base, defaults=defaults), tell)


def _defaults(engine: str | None, sets: list[str] | None) -> dict[str, Any]:
    from farm.cli.jobs import parse_overrides
    from farm.render.catalog.columns import checked_defaults

    defaults = parse_overrides(sets or [])
    if engine is not None:
        defaults["engine"] = engine
    return checked_defaults(defaults, "--set")


def _mapping(maps: list[str] | None) -> dict[str, str]:
    from farm.render.catalog.columns import checked_mapping

    mapping: dict[str, str] = {}
    for text in maps or []:
        name, equals, column = text.partition("=")
        if not equals:
            raise InvalidRequest(reason=f"--map {text!r} is not FIELD=COLUMN")
        mapping[name.strip()] = column.strip()
    return checked_mapping(mapping, "--map")


def _base(folder: str | None) -> str:
    if folder is None:
        return ""
    if "://" in folder:
        return folder.rstrip("/") + "/"
    path = Path(folder).absolute()
    if not path.is_dir():
        raise InvalidRequest(reason=f"--designs {folder}: there is no such folder")
    return path.as_uri().rstrip("/") + "/"


def _name(text: str) -> str:
    name = text.strip()[:100]
    if not name or name.startswith("run_") or any(ord(character) < 32 for character in name):
        raise InvalidRequest(reason=f"--name {text[:40]!r}: give it 1 to 100 characters, not beginning with run_")
    return name


def _failures(text: str) -> int | None:
    return None if text.endswith("%") else _number(text, 1 << 31)


def _share(text: str) -> float | None:
    return _number(text[:-1], 100) / 100 if text.endswith("%") else None


def _number(text: str, most: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= most:
        raise InvalidRequest(reason=f"--max-failures {text!r} is no number of rows, and no share such as 5%")
    return number


def _check(report: Path | None) -> None:
    if report is not None:
        from farm.adapters.report_file import check_report

        check_report(report)


class _fault_file:
    """Writes faults as they come; nothing without a path."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def __enter__(self) -> Callable[["Fault"], None]:
        if self._path is None:
            self._file = None
            return lambda fault: None
        try:
            self._file = self._path.open("w", encoding="utf-8")
        except OSError as error:
            raise InvalidRequest(reason=f"--errors {self._path}: {error.strerror}") from error
        file = self._file
        return lambda fault: print(json.dumps(fault.to_dict(), ensure_ascii=False), file=file)

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _counter(what: str, *, quiet: bool) -> Callable[[int], None]:
    """Says on a terminal now and then how far it is."""
    console = err()
    if quiet or not console.is_terminal:
        return lambda count: None

    def say(count: int) -> None:
        if count % 10_000 < 500:
            console.print(f"{what} {count:,} rows …", end="\r", style="dim")

    return say


def _change(question: "Callable[[Farm], Awaitable[dict[str, Any]]]", as_json: bool) -> None:
    from farm.cli.command import ask

    record = ask(question)
    if as_json:
        print_json(record)
    else:
        out().print(run_view(record), crop=False)


async def _write_report(farm: "Farm", record: dict[str, Any], path: Path) -> None:
    from farm.adapters.report_file import open_report
    from farm.render.steps.parts import blocking

    with open_report(path) as sink:
        async for rows in (await farm.catalogues.report(record["id"])).parts():
            await blocking(sink.add, rows)


async def _follow(
    begin: "Callable[[FarmLink], Awaitable[dict[str, Any]]]",
    report: Path | None,
    *,
    as_json: bool,
    detach: bool = False,
    good: str = "completed",
) -> int:
    """Do ``begin``, wait for that run's end, write the report; the exit code."""
    from farm.cli.link import open_link
    from farm.cli.run_screen import run_screen
    from farm.cli.wait import hearing_interrupts
    from farm.home.folder import Need

    screen = run_screen(quiet=as_json)
    async with open_link(Settings.load(), Need.FARM, screen) as link:
        record = await begin(link)
        if detach:
            if as_json:
                print_json(record)
            else:
                out().print(record["id"], markup=False)
            return 0
        async with hearing_interrupts() as interrupts:
            ended = await screen.until_ended(link, record["id"], interrupts)
        if ended is None:
            err().print(f"Left. The farm goes on with it: farm catalog watch {record['id']}", soft_wrap=True)
            return 1
        trouble: FarmError | None = None
        if report is not None:
            try:
                await _write_report(link.farm, ended, report)
            except FarmError as error:
                trouble = error
    if as_json:
        print_json({**ended, "report": str(report) if report else None})
    else:
        out().print(run_view(ended, report), crop=False)
    if trouble is not None:
        raise trouble
    whole = ended["counts"]["failed"] == 0 if good == "completed" else True
    return 0 if ended["status"] == good and whole else 1
