"""``farm preview``: what a design will look like, at once."""

import json
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli.console import err, print_json, seconds
from farm.cli.placement import parse_placement
from farm.cli.render import sides
from farm.cli.told import ToldError
from farm.errors import DiskFull, InvalidRequest
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.render.preview import Preview

_HELP = """
Show a design on a garment at once, by relighting: no job, no product, nothing stored.

The template must have been baked once, with `farm template bake`. With a farm that is up (`farm up`) a picture takes a
moment; without one this command loads everything by itself, for some seconds.
"""

_EPILOG = """
[bold]Examples[/bold]

farm preview logo.png -o shirt.png

farm preview logo.png --fabric-color navy --preset chest-small -o navy.jpg

farm preview logo.png --views front_0deg,back_180deg -o shirt.png  [dim]shirt-front_0deg.png, …[/dim]
"""

SUFFIXES = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
PATIENCE_S = 60.0


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("preview", help=_HELP, epilog=_EPILOG)(preview)


def preview(
    designs: Annotated[
        list[Path],
        typer.Argument(metavar="DESIGN", help="PNG or JPEG; - reads standard input. Further files are layers."),
    ],
    out_file: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The picture; its suffix names the format.")
    ] = Path("preview.png"),
    template: Annotated[str | None, typer.Option(metavar="NAME", show_default="crew-tee")] = None,
    preset: Annotated[str | None, typer.Option(metavar="NAME", show_default="chest-large")] = None,
    placement: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE,…", help="As for `farm render`; may be repeated.")
    ] = None,
    fabric_color: Annotated[str | None, typer.Option(metavar="COLOUR", show_default="white")] = None,
    background: Annotated[str | None, typer.Option(metavar="COLOUR", show_default="transparent")] = None,
    views: Annotated[
        str | None,
        typer.Option(metavar="A,B,…", help="With several, each has its name in its file's.", show_default="front_0deg"),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(metavar="PX|WxH", help="The longer side, or both.", show_default="1024, or the bake's"),
    ] = None,
    aspect: Annotated[str | None, typer.Option(metavar="W:H", show_default="1:1")] = None,
    shadow: Annotated[
        str | None, typer.Option(metavar="none|soft", help="A shadow on the ground.", show_default="none")
    ] = None,
    picture_format: Annotated[
        str | None, typer.Option("--format", metavar="png|jpeg|webp", show_default="by the file's suffix")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print files and seconds, nothing else.")] = False,
) -> None:
    began_s = time.monotonic()
    given = {
        "template": template,
        "preset": preset,
        "placements": [parse_placement(text, number) for number, text in enumerate(placement)] if placement else None,
        "fabric_color": fabric_color,
        "background_color": background,
        "views": [view.strip() for view in views.split(",") if view.strip()] if views is not None else None,
        "shadow": shadow,
        **sides(size, aspect),
        "format": picture_format or SUFFIXES.get(out_file.suffix.lower()),
    }
    request = {name: value for name, value in given.items() if value is not None}
    settings = Settings.load()
    files = [_read(file, settings.design_max_bytes) for file in designs]
    pictures = _of_the_farm(settings, request, files)
    by_farm = pictures is not None
    if pictures is None:
        pictures = _by_ourselves(settings, request, files)
    written = _write(pictures, out_file)
    took_s = time.monotonic() - began_s
    if as_json:
        print_json({"files": [str(file) for file in written], "seconds": round(took_s, 3), "farm": by_farm})
    else:
        for file in written:
            print(file)
        err().print(f"{seconds(took_s)}{'' if by_farm else '; with `farm up` the next one is quicker'}", style="dim")


def _read(file: Path, limit_bytes: int) -> bytes:
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(limit_bytes + 1)
        with file.open("rb") as design:
            return design.read(limit_bytes + 1)
    except OSError as error:
        reason = f"{file}: {(error.strerror or str(error)).lower()}"
        raise InvalidRequest(reason=reason, errors=[{"pointer": "/designs", "reason": reason}]) from error


def _of_the_farm(
    settings: Settings, request: dict[str, Any], files: Sequence[bytes]
) -> "list[tuple[str, bytes]] | None":
    """The pictures as the farm that is up makes them; ``None`` where none is.

    Raises:
        ToldError: what it answered instead.
    """
    from farm.home.folder import Home

    home = Home(settings.home)
    if home.host() is None:
        return None
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(PATIENCE_S)
            door.connect(str(home.preview_socket))
            message = {"request": request, "sizes": [len(file) for file in files]}
            door.sendall(json.dumps(message).encode() + b"\n" + b"".join(files))
            with door.makefile("rb") as answer:
                told = json.loads(answer.readline())
                if "error" in told:
                    raise ToldError(**told["error"])
                return [(view, answer.read(size)) for view, size in zip(told["views"], told["sizes"], strict=True)]
    except (OSError, ValueError):
        return None  # it is going down, or of another version: this process can do it too


def _by_ourselves(settings: Settings, request: dict[str, Any], files: Sequence[bytes]) -> list[tuple[str, bytes]]:
    import os

    from farm.adapters.bake_shelf import BakeShelf
    from farm.adapters.storage import store_of
    from farm.render.picture_maker import PictureMaker
    from farm.render.preview import Previewer, requested

    store = store_of(settings)
    maker = PictureMaker(settings, store=store, shelf=BakeShelf.of(settings), threads=len(os.sched_getaffinity(0)))
    previewer = Previewer(settings, store=store, maker=maker)
    pictures: list[Preview] = previewer.preview(requested(settings, store, request, files))
    return [(picture.view, picture.data) for picture in pictures]


def _write(pictures: Sequence[tuple[str, bytes]], file: Path) -> list[Path]:
    """Write each picture; of several, each beside the file's name.

    Raises:
        InvalidRequest: when there is no such folder.
        DiskFull: when there is no space.
    """
    written = []
    for view, data in pictures:
        target = file if len(pictures) == 1 else file.with_name(f"{file.stem}-{view}{file.suffix}")
        try:
            target.write_bytes(data)
        except (FileNotFoundError, NotADirectoryError, PermissionError, IsADirectoryError) as error:
            reason = f"{target}: {(error.strerror or str(error)).lower()}"
            raise InvalidRequest(reason=reason, errors=[{"pointer": "/out", "reason": reason}]) from error
        except OSError as error:
            raise DiskFull(view=view, reason=str(error), what="a preview") from error
        written.append(target)
    return written
