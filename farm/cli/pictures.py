"""``farm pictures``: addresses of pictures, signed here, and the keys that sign them."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli.command import ask
from farm.cli.console import err, print_json
from farm.cli.placement import parse_placement
from farm.cli.render import sides
from farm.domain.ids import DEFAULT_TENANT, DESIGN_ID
from farm.domain.picture_address import PictureKey
from farm.domain.picture_ring import PictureRing, RingKey
from farm.domain.view import View
from farm.errors import InvalidRequest
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.wiring import Farm

app = typer.Typer(help="Pictures by their addresses: sign one, rotate the keys that sign.", no_args_is_help=True)
key_app = typer.Typer(help="The keys that sign pictures' addresses: show, rotate.", no_args_is_help=True)
app.add_typer(key_app, name="key")

DAY_S = 86_400.0
Tenant = Annotated[str, typer.Option("--tenant", help="Whose designs they show.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, nothing else.")]


@app.command()
def url(
    designs: Annotated[list[str], typer.Argument(metavar="DESIGN", help="Its id, as POST /v1/designs answered it.")],
    view: Annotated[View, typer.Option("--view", metavar="NAME", help="The camera angle.")] = View.FRONT,
    template: Annotated[str | None, typer.Option(metavar="NAME", show_default="crew-tee")] = None,
    preset: Annotated[str | None, typer.Option(metavar="NAME", show_default="chest-large")] = None,
    placement: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE,…", help="As for `farm render`; may be repeated.")
    ] = None,
    fabric_color: Annotated[str | None, typer.Option(metavar="COLOUR", show_default="white")] = None,
    background: Annotated[str | None, typer.Option(metavar="COLOUR", show_default="transparent")] = None,
    shadow: Annotated[str | None, typer.Option(metavar="none|soft", show_default="none")] = None,
    size: Annotated[
        str | None, typer.Option(metavar="PX|WxH", help="The longer side, or both.", show_default="1024")
    ] = None,
    aspect: Annotated[str | None, typer.Option(metavar="W:H", show_default="1:1")] = None,
    picture_format: Annotated[
        str | None, typer.Option("--format", metavar="auto|webp|avif|jpeg|png", show_default="auto")
    ] = None,
    days: Annotated[
        float | None, typer.Option("--days", min=0, help="How long it holds; left out: as long as its key.")
    ] = None,
    base: Annotated[str, typer.Option("--base", help="Where the API answers.")] = "http://localhost:8000",
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Sign a picture's address. With FARM_PICTURES_KEY set nobody is asked, and it works anywhere."""
    for design in designs:
        if not DESIGN_ID.fullmatch(design):
            raise InvalidRequest(reason=f"{design[:60]!r} is no design's id: dsn_… of POST /v1/designs")
    given = {
        "template": template,
        "preset": preset,
        "fabric_color": fabric_color,
        "background_color": background,
        "shadow": shadow,
        "format": picture_format,
        "expires": str(int(time.time() + days * DAY_S)) if days is not None else None,
        "placements": _placements(placement),
        **sides(size, aspect),
    }
    options = {name: str(value) for name, value in given.items() if value is not None}
    print(base.rstrip("/") + _key(tenant).sign(designs, str(view), options))


@key_app.command()
def show(tenant: Tenant = DEFAULT_TENANT, as_json: AsJson = False) -> None:
    """The key that signs now, for a shop's own server; a first one is made. Older ones are told with their end."""

    async def shown(farm: "Farm") -> tuple[str, PictureRing]:
        return await _token(farm, tenant, ring := await farm.picture_rings.settle(tenant)), ring

    token, ring = ask(shown)
    _tell(token, ring, as_json=as_json)


@key_app.command()
def rotate(
    tenant: Tenant = DEFAULT_TENANT,
    old_days: Annotated[
        float, typer.Option("--old-days", min=0, help="How long the present key holds beside the new one.")
    ] = 7.0,
    as_json: AsJson = False,
) -> None:
    """A new key that signs from now on; addresses of the present one go on for so many days."""

    async def rotated(farm: "Farm") -> tuple[str, PictureRing]:
        ring = await farm.picture_rings.rotate(tenant, old_s=old_days * DAY_S)
        return await _token(farm, tenant, ring), ring

    token, ring = ask(rotated)
    _tell(token, ring, as_json=as_json)


def _key(tenant: str) -> PictureKey:
    kept = Settings.load().pictures_key
    if kept:
        return PictureKey.parse(kept)

    async def asked(farm: "Farm") -> str:
        return await _token(farm, tenant, await farm.picture_rings.settle(tenant))

    return PictureKey.parse(ask(asked))


async def _token(farm: "Farm", tenant: str, ring: PictureRing) -> str:
    secret, _ = await farm.keys.settle_signing_secret()
    assert ring.current is not None, "it was settled"
    return PictureKey.of(secret, tenant, ring.current.id).token


def _placements(texts: Sequence[str] | None) -> str | None:
    import json

    if not texts:
        return None
    return json.dumps([parse_placement(text, number) for number, text in enumerate(texts)], separators=(",", ":"))


def _tell(token: str, ring: PictureRing, *, as_json: bool) -> None:
    now_s = time.time()
    old = [key for key in ring.keys[1:] if key.until_s is not None and key.until_s > now_s]
    if as_json:
        print_json({"key": token, "old": [{"id": key.id, "until": _until(key)} for key in old]})
        return
    print(token)
    for key in old:
        err().print(f"Addresses of key {key.id} hold until {_until(key)}.", style="dim")


def _until(key: RingKey) -> str:
    until_s = min(key.until_s or 0.0, 253_000_000_000.0)
    return datetime.fromtimestamp(until_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
