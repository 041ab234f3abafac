"""``farm catalog``: whole catalogues, from a manifest to a report."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli import catalog_control
from farm.cli.catalog_follow import AsJson, Detach, Force, MostFailures, Report, Window, check_report, follow
from farm.cli.console import out, print_json
from farm.cli.manifest import (
    Designs,
    EngineOption,
    Manifest,
    Maps,
    Sets,
    base_of,
    counter,
    defaults_of,
    fault_file,
    items_of,
    mapping_of,
    most_failure_share,
    most_failures,
    name_of,
)
from farm.cli.runs import plan_view
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.cli.link import FarmLink
    from farm.render.catalog.row import Fault
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

    settings, mapping = Settings.load(), mapping_of(maps)

    async def work(farm: "Farm") -> Plan:
        from farm.adapters.design_source import Designs as Source
        from farm.adapters.manifest_file import open_manifest

        with (
            open_manifest(manifest, Source.of(settings), base=base_of(designs), mapping=mapping) as opened,
            fault_file(errors) as told,
        ):
            nobody = NoWorkers()
            planner = Planner(
                farm.kit(nobody, nobody),
                tenant=DEFAULT_TENANT,
                cores=cores or os.cpu_count() or 1,
                remote=remote,
                force=force,
                on_fault=told,
                on_rows=counter("looked at", quiet=as_json),
            )
            return await planner.plan(items_of(opened, defaults_of(engine, sets)))

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
    check_report(report)
    defaults, mapping = defaults_of(engine, sets), mapping_of(maps)

    async def begin(link: "FarmLink") -> dict[str, Any]:
        notes: list[Fault] = []
        with open_manifest(manifest, Source.of(settings), base=base_of(designs), mapping=mapping) as opened:
            return await link.farm.catalogues.start(
                items_of(opened, defaults, notes),
                name=name_of(name or opened.name),
                manifest=manifest,
                window=window,
                max_failures=None if max_failures is None else most_failures(max_failures),
                max_failure_share=None if max_failures is None else most_failure_share(max_failures),
                force=force,
                notes=notes,
                failpoints=settings.failpoints,
            )

    sys.exit(asyncio.run(follow(begin, report, as_json=as_json, detach=detach)))


app.add_typer(catalog_control.app)
