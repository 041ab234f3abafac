"""Following a run from the command line: until it ends or the person leaves, and its report written."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli.console import err, out, print_accepted, print_json
from farm.cli.runs import run_view
from farm.errors import FarmError
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.cli.link import FarmLink
    from farm.wiring import Farm

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or its name (then the newest).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")]
Report = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write the report: .parquet, .csv or .jsonl, a line for each row."),
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


def check_report(report: Path | None) -> None:
    """Refuse a report that could not be written, before anything begins."""
    if report is not None:
        from farm.adapters.report_file import check_report

        check_report(report)


def change(question: "Callable[[Farm], Awaitable[dict[str, Any]]]", as_json: bool) -> None:
    """Ask for a change of a run, and show it."""
    from farm.cli.command import ask

    record = ask(question)
    if as_json:
        print_json(record)
    else:
        out().print(run_view(record), crop=False)


async def write_report(farm: "Farm", record: dict[str, Any], path: Path) -> None:
    """The report of a run as far as it is, slice by slice."""
    from farm.adapters.report_file import open_report
    from farm.render.bulkhead import blocking

    with open_report(path) as sink:
        async for rows in (await farm.catalogues.report(record["id"])).parts():
            await blocking(sink.add, rows)


async def follow(
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
            print_accepted(record, as_json=as_json)
            return 0
        async with hearing_interrupts() as interrupts:
            ended = await screen.until_ended(link, record["id"], interrupts)
        if ended is None:
            err().print(f"Left. The farm goes on with it: farm catalog watch {record['id']}", soft_wrap=True)
            return 1
        trouble: FarmError | None = None
        if report is not None:
            try:
                await write_report(link.farm, ended, report)
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
