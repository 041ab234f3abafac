"""``farm products``: the products of the catalogue, their media and thumbnail."""

from collections.abc import Sequence
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
    table.add_column("product", no_wrap=True, overflow="ellipsis")
    table.add_column("pictures", justify="right")
    table.add_column("fabric colours")
    table.add_column("thumbnail", overflow="ellipsis", no_wrap=True, ratio=1)
    for product in products:
        colours = sorted({entry.fabric_color for entry in product.media if entry.fabric_color})
        table.add_row(
            product.id, str(len(product.media)), ", ".join(colours), Text(product.thumbnail or "–", style="dim")
        )
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
    parts: list[RenderableType] = [Text(product.id, style="bold"), whole_line(f"thumbnail {product.thumbnail or '–'}")]
    parts += [whole_line(f"{name} {value}") for name, value in product.metadata.items()]
    for entry in product.media:
        owner = entry.job_id or "put there by hand"
        parts += [
            Text(""),
            Text.assemble(entry.view or entry.id, "  ", entry.fabric_color or "", "  ", (owner, "dim")),
            whole_line(f"  {entry.url}"),
        ]
    if not product.media:
        parts.append(Text("no pictures", style="dim"))
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
