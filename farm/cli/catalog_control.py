"""``farm catalog`` after the start: watch, pause, resume, cancel, retry, report, list, show."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli.catalog_follow import (
    AsJson,
    Detach,
    Force,
    Report,
    RunId,
    Window,
    change,
    check_report,
    follow,
    write_report,
)
from farm.cli.console import err, out, print_json
from farm.cli.runs import run_table, runs_table
from farm.errors import InvalidRequest

if TYPE_CHECKING:
    from farm.cli.link import FarmLink
    from farm.wiring import Farm

app = typer.Typer()


@app.command()
def watch(run: RunId, report: Report = None, as_json: AsJson = False) -> None:
    """Follow a run until it ends; Ctrl-C leaves, the run goes on."""
    check_report(report)

    async def same(link: "FarmLink") -> dict[str, Any]:
        return await link.farm.catalogues.get(run)

    sys.exit(asyncio.run(follow(same, report, as_json=as_json)))


@app.command()
def pause(run: RunId, as_json: AsJson = False) -> None:
    """Begin no more rows; those under way are finished."""
    change(lambda farm: farm.catalogues.pause(run), as_json)


@app.command()
def resume(run: RunId, report: Report = None, detach: Detach = False, as_json: AsJson = False) -> None:
    """Go on after a pause, and follow."""
    check_report(report)

    async def again(link: "FarmLink") -> dict[str, Any]:
        return await link.farm.catalogues.resume(run)

    sys.exit(asyncio.run(follow(again, report, as_json=as_json, detach=detach)))


@app.command()
def cancel(run: RunId, report: Report = None, detach: Detach = False, as_json: AsJson = False) -> None:
    """End a run: rows under way are undone, finished ones stay, the others are never begun."""
    check_report(report)

    async def ask_for_it(link: "FarmLink") -> dict[str, Any]:
        return await link.farm.catalogues.cancel(run)

    sys.exit(asyncio.run(follow(ask_for_it, report, as_json=as_json, detach=detach, good="cancelled")))


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
    check_report(report)
    wanted = [part.strip() for part in only.split(",") if part.strip()]
    if not wanted or not set(wanted) <= {"failed", "skipped", "cancelled"}:
        raise InvalidRequest(reason=f"--only {only!r} must name some of failed, skipped, cancelled")

    async def again(link: "FarmLink") -> dict[str, Any]:
        return await link.farm.catalogues.retry(run, only=wanted, window=window, force=force)

    sys.exit(asyncio.run(follow(again, report, as_json=as_json, detach=detach)))


@app.command("report")
def write_the_report(
    run: RunId,
    to: Annotated[Path, typer.Option("--report", "-o", metavar="FILE", help=".parquet, .csv or .jsonl")],
    as_json: AsJson = False,
) -> None:
    """Write the report of a run as far as it is."""
    from farm.cli.command import ask

    check_report(to)

    async def write(farm: "Farm") -> dict[str, Any]:
        record = await farm.catalogues.get(run)
        await write_report(farm, record, to)
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
