"""``farm``: the commands, and how each ends."""

import sys
from typing import Annotated, NoReturn

import typer

import farm
from farm.cli import (
    audit,
    backup,
    catalog,
    config,
    doctor,
    jobs,
    keys,
    pictures,
    preview,
    products,
    render,
    serve,
    template,
    up,
    webhooks,
)
from farm.cli.console import exit_code, show_error
from farm.errors import FarmError

_EPILOG = """
[bold]First steps[/bold]

farm doctor                      [dim]has this machine what it takes?[/dim]

farm render logo.png -o shirt    [dim]six pictures into ./shirt[/dim]

farm preview logo.png -o tee.png [dim]one picture at once, where the template is baked[/dim]

farm up                          [dim]keep a farm warm: renders start at once[/dim]

farm serve                       [dim]the job API on localhost:8000[/dim]

farm jobs list                   [dim]what was rendered, what failed, and why[/dim]

Exit codes: 0 done, 1 failed or cancelled, 2 bad usage or bad input.
"""

app = typer.Typer(
    name="farm",
    help="A render farm for t-shirt product pictures: a design in, six pictures on a product out, or nothing at all.",
    epilog=_EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
render.register(app)
preview.register(app)
app.add_typer(jobs.app, name="jobs")
app.add_typer(products.app, name="products")
app.add_typer(template.app, name="template")
app.add_typer(catalog.app, name="catalog")
audit.register(app)
backup.register(app)
up.register(app)
serve.register(app)
app.add_typer(keys.app, name="keys")
app.add_typer(pictures.app, name="pictures")
app.add_typer(webhooks.app, name="webhooks")
doctor.register(app)
config.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"farm {farm.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options that stand before the command."""


def run() -> NoReturn:
    """Run the command on the command line; a `FarmError` is shown with its code and hint, never as a traceback."""
    try:
        app()
    except FarmError as error:
        show_error(error)
        sys.exit(exit_code(error))
    sys.exit(0)
