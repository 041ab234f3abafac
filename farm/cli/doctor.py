"""``farm doctor``: does this machine have what a farm takes?"""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from farm.cli.console import err, out, print_json
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.doctor import Check


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("doctor", help="Check machine and settings; exit code 0 when nothing stands in the way of a job.")(
        doctor
    )


def doctor(
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Look at every node of the farm's cluster instead: is it fit for it?")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON, nothing else.")] = False,
) -> None:
    from farm.doctor import check_cluster, run_checks

    settings = Settings.load()
    console = err()
    look = check_cluster if cluster else run_checks
    if console.is_terminal:
        with console.status("looking at the cluster …" if cluster else "looking at this machine …"):
            checks = look(settings)
    else:
        checks = look(settings)
    broken = [check for check in checks if not check.ok and check.fatal]
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        out().print(checks_table(checks))
        warnings = sum(not check.ok and not check.fatal for check in checks)
        if broken:
            out().print(Text(f"\n{len(broken)} to mend before a job can run.", style="bold red"))
        elif warnings:
            out().print(Text(f"\nReady, with {warnings} {'warning' if warnings == 1 else 'warnings'}.", style="yellow"))
        else:
            out().print(Text("\nReady.", style="green"))
    sys.exit(1 if broken else 0)


def checks_table(checks: Sequence["Check"]) -> Table:
    """One row per check, its hint below."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        mark = (
            Text("✓", style="green")
            if check.ok
            else Text("✗", style="bold red")
            if check.fatal
            else Text("⚠", style="yellow")
        )
        what = Text(check.detail)
        if check.hint:
            what.append(f"\n{check.hint}", style="dim" if check.ok else "bold")
        table.add_row(mark, check.name, what)
    return table
