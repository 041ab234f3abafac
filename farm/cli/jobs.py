"""``farm jobs``: look at jobs, wait for them, fetch their pictures, cancel, retry, delete."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from farm.cli.console import ago, err, made, out, print_accepted, print_json, status_text
from farm.errors import InvalidRequest
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.cli.link import FarmLink
    from farm.wiring import Farm

_EPILOG = """
[bold]Examples[/bold]

farm jobs list --status failed

farm jobs watch JOB                           [dim]Ctrl-C leaves, the job goes on[/dim]

farm jobs retry JOB --set samples=64 -o shirt

farm jobs list --status failed --json | jq -r '.[].id'
"""

app = typer.Typer(
    help="List, show, watch, download, retry, cancel and delete jobs.",
    epilog=_EPILOG,
    no_args_is_help=True,
)

JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id, as `farm jobs list` shows it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")]
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait for the job's end.")]
OutFolder = Annotated[Path | None, typer.Option("--out", "-o", metavar="DIR", help="Folder for the pictures.")]


@app.command("list")
def list_jobs(
    status: Annotated[
        str | None,
        typer.Option(metavar="STATUS", help="pending, compositing, rendering, completed, failed or cancelled."),
    ] = None,
    product: Annotated[str | None, typer.Option(metavar="ID", help="Jobs of this product.")] = None,
    find: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Jobs with this in their id or their product.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many, newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """The newest jobs."""
    from farm.cli.command import ask

    async def collect(farm: "Farm") -> tuple[list[dict[str, Any]], bool]:
        records: list[dict[str, Any]] = []
        cursor = None
        while len(records) < limit:
            most = min(200, limit - len(records))
            page, cursor = await (
                farm.service.find(find, status=status, product_id=product, cursor=cursor, limit=most)
                if find
                else farm.service.list(status=status, product_id=product, cursor=cursor, limit=most)
            )
            records += page
            if cursor is None:
                break
        return records, cursor is not None

    records, more = ask(collect)
    if as_json:
        print_json(records)
        return
    if not records:
        err().print("No jobs." if status is None and product is None and find is None else "No such jobs.")
        return
    console = out()
    console.print(jobs_table(records, width=console.width))
    if more:
        err().print(f"There are more: farm jobs list -n {limit * 5}", style="dim")


def jobs_table(records: list[dict[str, Any]], *, width: int) -> Table:
    """One row per job; what does not fit into the terminal is folded, so that an id is always whole."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("job", no_wrap=True, min_width=30)
    table.add_column("status", no_wrap=True)
    table.add_column("created", no_wrap=True)
    table.add_column("product", overflow="fold", min_width=8, max_width=20)
    table.add_column("", min_width=12)
    for record in records:
        error = record["error"]
        if error is not None and record["status"] != "cancelled":
            note = Text(f"{error['code']}" if width < 100 else f"{error['code']}: {error['message']}", style="red")
        elif record["phase"] == "forward":
            note = Text(f"{record['progress']:.0f} %, {made(record)}")
        else:
            note = Text(f"superseded by {record['superseded_by']}" if record.get("superseded_by") else "", style="dim")
        table.add_row(
            record["id"], status_text(record), ago(record["created_at"]), str(record["product_id"] or "–"), note
        )
    return table


@app.command()
def show(job: JobId, as_json: AsJson = False) -> None:
    """All that is known of one job."""
    from farm.cli.command import ask
    from farm.cli.summary import job_table

    record = ask(lambda farm: farm.service.get(job))
    if as_json:
        print_json(record)
    else:
        out().print(job_table(record), crop=False)


@app.command()
def watch(
    job: JobId,
    events: Annotated[bool, typer.Option("--events", help="Print each event as a line of JSON instead.")] = False,
    out_folder: OutFolder = None,
    as_json: AsJson = False,
) -> None:
    """Follow a job until it ends; Ctrl-C leaves, the job goes on."""
    if events:
        sys.exit(asyncio.run(_print_events(job)))

    async def same(link: "FarmLink") -> Mapping[str, Any]:
        return await link.farm.service.get(job)

    sys.exit(asyncio.run(_wait_for(same, f"watching {job}", out_folder, as_json=as_json)))


async def _print_events(job: str) -> int:
    from farm.cli.link import open_link
    from farm.cli.progress import Silence
    from farm.home.folder import Need

    kind = ""
    async with open_link(Settings.load(), Need.FARM, Silence()) as link:
        async for event in link.farm.service.follow(job):
            sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")
            sys.stdout.flush()
            kind = event["type"]
    return 0 if kind == "render.job.completed" else 1


@app.command()
def download(
    job: JobId,
    out_folder: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the pictures.")],
    as_json: AsJson = False,
) -> None:
    """Fetch the pictures of a completed job."""
    from farm.cli.command import ask
    from farm.cli.download import check_folder, save_outputs
    from farm.cli.outcome import Outcome, tell
    from farm.errors import Conflict
    from farm.render.bulkhead import blocking

    check_folder(out_folder)

    async def fetch(farm: "Farm") -> Outcome:
        record = await farm.service.get(job)
        if record["status"] != "completed":
            raise Conflict(reason=f"job {job} is {record['status']}: it has no pictures")
        files = await blocking(save_outputs, farm.store, record, out_folder)
        return Outcome(record=record, folder=out_folder, files=tuple(files))

    sys.exit(tell(ask(fetch), as_json=as_json))


@app.command()
def retry(
    job: JobId,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Change a field, such as samples=64; may be repeated."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Render also views that were finished and are kept.")] = False,
    out_folder: OutFolder = None,
    detach: Detach = False,
    as_json: AsJson = False,
) -> None:
    """Start a new job with an ended job's design and settings; views that are kept are not rendered again."""
    changes = parse_overrides(overrides or [])
    if out_folder is not None:
        from farm.cli.download import check_folder

        check_folder(out_folder)

    async def again(link: "FarmLink") -> Mapping[str, Any]:
        return await link.farm.service.retry(job, changes, force=force)

    sys.exit(asyncio.run(_wait_for(again, f"retry of {job}", out_folder, as_json=as_json, detach=detach, cancel=True)))


def parse_overrides(texts: list[str]) -> dict[str, Any]:
    """``field=value`` pairs; a value that reads as JSON is taken as such, another one as text.

    Raises:
        InvalidRequest: for a pair without ``=``.
    """
    changes: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise InvalidRequest(reason=f"--set {text!r} is not field=value")
        try:
            changes[name.strip()] = json.loads(value)
        except ValueError:
            changes[name.strip()] = [part.strip() for part in value.split(",")] if name.strip() == "views" else value
    return changes


@app.command()
def cancel(job: JobId, detach: Detach = False, as_json: AsJson = False) -> None:
    """Cancel a job and undo what it did; exit code 0 once it is cancelled."""

    async def ask_for_it(link: "FarmLink") -> Mapping[str, Any]:
        return await link.farm.service.cancel(job)

    code = asyncio.run(
        _wait_for(ask_for_it, f"cancelling {job}", None, as_json=as_json, detach=detach, good="cancelled")
    )
    sys.exit(code)


@app.command()
def compensate(job: JobId, as_json: AsJson = False) -> None:
    """Finish undoing a failed job whose compensation had to be given up; exit code 0 once nothing is left."""
    from farm.cli.command import ask
    from farm.cli.summary import summary

    # Undoing needs no worker, so no Ray is started for it.
    record = ask(lambda farm: farm.service.compensate(job))
    if as_json:
        print_json(record)
    else:
        out().print(summary(record, [], None), crop=False)
    sys.exit(1 if record["compensation_pending"] else 0)


@app.command()
def delete(
    job: JobId,
    keep_media: Annotated[
        bool, typer.Option("--keep-media", help="Leave shop and pictures; only forget the job.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove an ended job: its media entries, its pictures, its record."""
    from farm.cli.command import ask

    if not yes and sys.stdin.isatty():
        typer.confirm(
            f"Delete {job}{'' if keep_media else ', its pictures and its media entries'}?", abort=True, err=True
        )

    async def remove(farm: "Farm") -> None:
        await farm.service.delete(job, keep_media=keep_media)

    ask(remove)
    err().print(f"{job} is deleted.")


async def _wait_for(
    begin: Any, title: str, folder: Path | None, *, as_json: bool, detach: bool = False, cancel: bool = False,
    good: str = "completed",
) -> int:  # fmt: skip
    """Do ``begin`` (link → record), then wait for that job's end; the exit code is 0 when it ends as ``good``."""
    from farm.cli.arrivals import Arrivals
    from farm.cli.link import open_link
    from farm.cli.outcome import await_outcome, tell
    from farm.cli.progress import progress_for
    from farm.cli.wait import OnInterrupt, hearing_interrupts
    from farm.home.folder import Need

    on_interrupt = OnInterrupt.CANCEL if cancel else OnInterrupt.LEAVE
    progress = progress_for(title, quiet=as_json)
    async with open_link(Settings.load(), Need.FARM, progress) as link:
        async with hearing_interrupts() as interrupts:
            record = await begin(link)
            if detach:
                print_accepted(record, as_json=as_json)
                return 0
            arrivals = Arrivals(folder, progress) if folder is not None else None
            try:
                outcome = await await_outcome(
                    link, record, progress, interrupts, folder=folder, on_interrupt=on_interrupt, arrivals=arrivals
                )
            finally:
                if arrivals is not None and (told := arrivals.undo()):
                    progress.say(told)
    code = tell(outcome, as_json=as_json)
    if outcome.left or good == "completed":
        return code
    return 0 if outcome.record["status"] == good and not outcome.record["compensation_pending"] else 1
