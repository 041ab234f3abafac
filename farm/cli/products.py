"""``farm products``: the products of the catalogue, their media and thumbnail."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from farm.cli.console import err, out, print_json, whole_line
from farm.errors import Conflict, InvalidRequest, NotFound

if TYPE_CHECKING:
    from farm.render.ports import Product
    from farm.wiring import Farm

app = typer.Typer(help="List products, show their pictures, create one.", no_args_is_help=True)

WIDEST_ID = 40
"""Columns an id may take before it is folded, so that the rest fits beside it into 80."""
PREFIX = "render_"
"""Before the job's id in a product's metadata, where its film and its model are named."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")]
ProductId = Annotated[str, typer.Argument(metavar="ID", help="The product's id.")]


@app.command("list")
def list_products(as_json: AsJson = False) -> None:
    """All products of the catalogue."""
    from farm.cli.command import ask
    from farm.domain.ids import DEFAULT_TENANT

    products = ask(lambda farm: farm.catalog.list_products(DEFAULT_TENANT))
    if as_json:
        print_json([asdict(product) for product in products])
    elif not products:
        err().print("No products. `farm render DESIGN --product ID` makes one.")
    else:
        out().print(products_table(products))


def products_table(products: Sequence["Product"]) -> Table:
    """One row per product."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    # Ids are what the next command needs: they are whole, however narrow the terminal is; addresses are `show`'s.
    longest = max((len(product.id) for product in products), default=0)
    table.add_column("product", overflow="fold", min_width=min(longest, WIDEST_ID))
    table.add_column("pictures", justify="right", no_wrap=True)
    table.add_column("thumbnail", no_wrap=True)
    table.add_column("fabric colours")
    for product in products:
        colours = sorted({entry.fabric_color for entry in product.media if entry.fabric_color})
        shown = next((entry.view or "yes" for entry in product.media if entry.url == product.thumbnail), None)
        thumbnail = shown or ("other" if product.thumbnail else "–")
        table.add_row(product.id, str(len(product.media)), Text(thumbnail, style="dim"), ", ".join(colours))
    return table


@app.command()
def show(product: ProductId, as_json: AsJson = False) -> None:
    """A product's pictures and thumbnail."""
    from farm.cli.command import ask
    from farm.domain.ids import DEFAULT_TENANT

    found = ask(lambda farm: farm.catalog.get_product(DEFAULT_TENANT, product))
    if found is None:
        raise NotFound(kind="product", id=product)
    if as_json:
        print_json(asdict(found))
    else:
        out().print(product_table(found), crop=False)


def product_table(product: "Product") -> RenderableType:
    """A product with its media, in their order; addresses are on lines of their own, to be copied."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("product", Text(product.id, style="bold"))
    facts.add_row("pictures", str(len(product.media)) if product.media else "none")
    pictures = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("picture", "fabric", "job", ""):
        pictures.add_column(column, no_wrap=True)
    for entry in product.media:
        mark = "thumbnail" if entry.url == product.thumbnail else ""
        owner = entry.job_id or "put there by hand"
        pictures.add_row(entry.view or entry.id, entry.fabric_color or "–", owner, Text(mark, style="dim"))
    files = [(entry.view or entry.id, entry.url) for entry in product.media]
    if product.thumbnail and product.thumbnail not in {url for _, url in files}:
        files.append(("thumbnail", product.thumbnail))
    for name, value in product.metadata.items():
        if isinstance(value, Mapping) and all(isinstance(url, str) for url in value.values()):
            files += [(f"{kind} of {name.removeprefix(PREFIX)}", url) for kind, url in value.items()]
        else:
            facts.add_row(name, json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value)
    parts: list[RenderableType] = [facts]
    if product.media:
        parts += [Text(""), pictures]
    for what, url in files:
        parts += [Text(""), Text(what, style="dim"), whole_line(url)]
    return Group(*parts)


@app.command()
def create(product: ProductId, as_json: AsJson = False) -> None:
    """Add an empty product to the built-in catalogue."""
    from farm.cli.command import ask
    from farm.domain.ids import DEFAULT_TENANT, PRODUCT_ID

    if not PRODUCT_ID.fullmatch(product):
        raise InvalidRequest(reason="a product id has 1 to 128 letters, digits, dots, colons, dashes or underscores")

    async def add(farm: "Farm") -> "Product":
        from farm.adapters.own_catalog import OwnCatalog

        if not isinstance(farm.catalog, OwnCatalog):
            raise Conflict(reason="products of a shop are made in the shop (FARM_SHOP_URL is set)")
        return await farm.catalog.create_product(DEFAULT_TENANT, product)

    made = ask(add)
    if as_json:
        print_json(asdict(made))
    else:
        err().print(f"{made.id} is there, without pictures.")
