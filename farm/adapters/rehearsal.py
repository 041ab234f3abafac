"""A rehearsal: next to nothing composed, relit, encoded and judged, so that all it takes is there before the first job.

Set-up rehearses once (``python -m farm.adapters.rehearsal``): what it compiles lies beside the source from then on. A
worker that waits for work rehearses too, and has imported and loaded by then what a picture takes.
"""

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

from PIL import Image

from farm.adapters.bake_shelf import BakeShelf
from farm.adapters.memory_store import MemoryStore
from farm.adapters.shipped_light import ShippedLight
from farm.domain import template as templates
from farm.domain.request import RenderRequest, parse_request
from farm.errors import BadPicture, FarmError
from farm.render.early import early_pictures
from farm.render.ports import ObjectStore
from farm.render.prepare import Prepared, PreparedDesign, normalise
from farm.render.tasks.compose_task import rehearse as compose
from farm.render.tasks.relighter import Relighter, Shelf
from farm.settings import Settings

TEMPLATE: str = RenderRequest.model_fields["template"].default
WORKERS: tuple[Mapping[str, Any], ...] = ({"format": "png"},)
"""What a worker rehearses: the default, in a fifth of a second of processor time, imports and loading aside."""
SETUP: tuple[Mapping[str, Any], ...] = (
    *WORKERS,
    {"format": "jpeg", "background_color": "#c0ffee", "shadow": "soft", "fabric_color": "#102030"},
    {"format": "webp", "shadow": "soft", "size": 96, "aspect": "4:5"},
)
"""What is compiled at set-up: all loops, with every type of argument they meet."""
SIZE_PX, VIEW = 64, "front_0deg"
DESIGN_PX = 256


def rehearse(
    settings: Settings, store: ObjectStore, shelf: Shelf, requests: tuple[Mapping[str, Any], ...] = WORKERS
) -> int:
    """Compose, and where the default template has light, relight and judge very small pictures.

    Returns:
        How many pictures came out.
    """
    compose()
    return sum(_picture(settings, store, shelf, given) for given in requests)


def _picture(settings: Settings, store: ObjectStore, shelf: Shelf, given: Mapping[str, Any]) -> int:
    try:
        template = templates.find(settings.template_folders, TEMPLATE)
        request = parse_request({"engine": "relight", "views": [VIEW], "size": SIZE_PX, **given})
        out = io.BytesIO()
        Image.new("RGBA", (DESIGN_PX, DESIGN_PX), (200, 30, 60, 255)).save(out, "PNG")
        prepared = Prepared(
            request=normalise(request, template.placements(request.preset, request.placements, 1)),
            designs=(PreparedDesign(data=out.getvalue(), sha256="", width_px=DESIGN_PX, height_px=DESIGN_PX),),
            template={"id": template.id, "version": template.version, "hash": template.hash},
            warnings=(),
        )

        def relighter() -> Relighter:
            return Relighter(
                store=store, shelf=shelf, template=template.id, template_hash=template.hash,
                folder=template.folder, threads=1,
            )  # fmt: skip

        with tempfile.TemporaryDirectory(prefix="farm-rehearsal-") as folder:
            return len(list(early_pictures(prepared, template, relighter, folder=Path(folder), stop=Event())))
    except BadPicture:
        return 1  # so small that a verdict may well be against it: it was judged
    except FarmError:
        return 0  # no light for it: a worker traces, and set-up compiles what it can


def main() -> None:
    """Rehearse as set-up does: in a folder that goes again, with the light that came with the template."""
    settings = Settings.load()
    with tempfile.TemporaryDirectory(prefix="farm-rehearsal-") as folder:
        shelf = BakeShelf(Path(folder))
        rehearse(settings, ShippedLight(MemoryStore(), settings.template_folders), shelf, SETUP)


if __name__ == "__main__":
    main()
