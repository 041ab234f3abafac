"""``farm keys``: who may use the job API."""

from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from farm.cli.command import ask
from farm.cli.console import err, out, print_json
from farm.domain.access import ApiKey, Scope
from farm.domain.ids import DEFAULT_TENANT

app = typer.Typer(help="Keys of the job API: make, list, revoke.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")]


@app.command()
def create(
    tenant: Annotated[str, typer.Option("--tenant", help="Whose jobs and products the key sees.")] = DEFAULT_TENANT,
    scope: Annotated[
        list[Scope] | None,
        typer.Option("--scope", help="What it opens; may be repeated. Default: jobs and catalogues."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="What you call it.")] = "",
    max_priority: Annotated[
        int | None,
        typer.Option(
            "--max-priority",
            min=0,
            max=100,
            help="The highest priority of its jobs. Default: 0, or 100 with the scope admin.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown once: the farm keeps only its hash."""
    scopes = scope or [Scope.JOBS_READ, Scope.JOBS_WRITE, Scope.CATALOG]
    key, token = ask(lambda farm: farm.keys.create(tenant=tenant, scopes=scopes, name=name, max_priority=max_priority))
    if as_json:
        print_json({**key.shown(), "key": token})
        return
    err().print(f"Key {key.id} for tenant {key.tenant} ({', '.join(key.scopes)}); it is not shown again:")
    print(token)


@app.command(name="list")
def list_keys(as_json: AsJson = False) -> None:
    """The keys there are, without their secrets."""
    keys: Sequence[ApiKey] = ask(lambda farm: farm.keys.list())
    if as_json:
        print_json([key.shown() for key in keys])
        return
    if not keys:
        err().print("No keys yet. `farm keys create` makes one; `farm serve` makes the first by itself.")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("key", "tenant", "scopes", "priority", "created", "name"):
        table.add_column(column, overflow="fold")
    for key in keys:
        table.add_row(key.id, key.tenant, " ".join(key.scopes), f"≤ {key.max_priority}", key.created_at, key.name)
    out().print(table)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="The key's id, as `farm keys list` shows it.")],
) -> None:
    """Take a key back, at once; browser sessions opened with it end too."""
    ask(lambda farm: farm.keys.revoke(key_id))
    err().print(f"Key {key_id} is revoked.")
