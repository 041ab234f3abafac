"""Previews: a prepared request's pictures by relighting, in memory, with no job and nothing stored."""

import io
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blender.output import write_picture
from blender.protocol import ViewOrder
from blender.shadow import Shade, shade_of
from farm.domain import template as templates
from farm.domain.colour import TRANSPARENT
from farm.domain.placement import Placement
from farm.domain.request import parse_request
from farm.domain.shape import sides_px
from farm.domain.view import ALL_VIEWS
from farm.errors import BakeMissing
from farm.picture.compose import Layer, compose
from farm.picture.decode import decode
from farm.picture.light import linear_rgb
from farm.picture.relight import Print, print_for, relight_view
from farm.picture.texture import PanelTexture
from farm.render import bakes
from farm.render.bakes import Bake
from farm.render.ports import ObjectStore
from farm.render.prepare import Prepared, PreparedDesign, prepare
from farm.render.tasks.compose_task import NO_LIMITS, panel_shape, px_per_cm
from farm.render.tasks.relighter import Shelf
from farm.settings import Settings

DEFAULT_SIZE_PX = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One picture: its view, and the bytes of its file."""

    view: str
    data: bytes


class Previewer:
    """Makes previews; keeps what it opened, so the second one is quick. Threads may share it.

    Args:
        threads: cores to use.
    """

    def __init__(self, settings: Settings, *, store: ObjectStore, shelf: Shelf, threads: int) -> None:
        self._settings = settings
        self._store = store
        self._shelf = shelf
        self._threads = threads
        self._bakes: dict[tuple[str, int], Bake] = {}
        self._lock = threading.Lock()

    def preview(self, prepared: Prepared) -> list[Preview]:
        """The pictures of a request, in the order of its views.

        Raises:
            BakeMissing: where a view is not baked at that size.
            ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden, BakeBroken: as the bake was met.
        """
        request = prepared.request
        width_px, height_px = sides_px(request)
        size_px = min(width_px, height_px)
        bake = self._bake(prepared.template, size_px, request["views"])
        textures = self._textures(prepared, size_px)
        background = request["background_color"]
        garment = templates.find(self._settings.template_folders, prepared.template["id"])
        pictures = []
        ready: Print | None = None
        for view in request["views"]:
            baked = self._shelf.take(self._store, bake.parts[view], garment.folder)
            if ready is None:
                ready = print_for(baked, textures, width_px=width_px, height_px=height_px)
            pixels, window = relight_view(
                baked, ready, request["fabric_color"], width_px=width_px, height_px=height_px, threads=self._threads
            )
            out = io.BytesIO()
            write_picture(
                pixels,
                window,
                out,
                width_px=width_px,
                height_px=height_px,
                background=None if background == TRANSPARENT else background,
                format=request["format"],
                shade=self._shade(prepared, view, width_px, height_px),
            )
            pictures.append(Preview(view=view, data=out.getvalue()))
        return pictures

    def _bake(self, template: Mapping[str, str], size_px: int, views: tuple[str, ...]) -> Bake:
        key = (template["hash"], size_px)
        with self._lock:
            found = self._bakes.get(key)
            if found is None or not found.covers(views):
                found = bakes.find(self._store, template["id"], template["hash"], size_px, views)
                if found is None:
                    raise BakeMissing(template=template["id"], view=", ".join(views), size_px=size_px)
                self._bakes[key] = found
            return found

    def _shade(self, prepared: Prepared, view: str, width_px: int, height_px: int) -> Shade | None:
        garment = templates.find(self._settings.template_folders, prepared.template["id"])
        return shade_of(
            ViewOrder(
                template=str(garment.folder),
                view=view,
                out="",
                width_px=width_px,
                height_px=height_px,
                shadow=str(prepared.request.get("shadow", "none")),
            )
        )

    def _textures(self, prepared: Prepared, size_px: int) -> list[PanelTexture]:
        garment = templates.find(self._settings.template_folders, prepared.template["id"])
        placements = [Placement.model_validate(one) for one in prepared.request["placements"]]
        designs = {
            index: decode(prepared.designs[index].data, limits=NO_LIMITS).pixels
            for index in {placement.design for placement in placements}
        }
        return [
            compose(
                [Layer(pixels=designs[one.design], placement=one) for one in placements if one.panel == panel],
                panel=panel_shape(garment.folder, garment.facts, str(panel)),
                fabric=linear_rgb(prepared.request["fabric_color"]),
                px_per_cm=px_per_cm(garment.facts, size_px),
            )
            for panel in dict.fromkeys(placement.panel for placement in placements)
        ]


def requested(
    settings: Settings, store: ObjectStore, given: Mapping[str, Any], designs: Sequence[bytes | PreparedDesign]
) -> Prepared:
    """A preview's request made ready: as for a job, but of one view, and as large as the bake allows.

    Args:
        given: the request's fields that were given.

    Raises:
        InvalidRequest, NotFound, BadDesign, LowResolution: as `farm.render.prepare.prepare`.
        BakeMissing: when no size is given and the template is not baked at all.
    """
    request = parse_request({"views": [ALL_VIEWS[0]], **given})
    if "size" not in given:
        garment = templates.find(settings.template_folders, request.template)
        sizes = bakes.sizes(store, garment.id, garment.hash)
        if not sizes:
            raise BakeMissing(template=garment.id, view=", ".join(request.views), size_px=DEFAULT_SIZE_PX)
        request = request.model_copy(update={"size": min(DEFAULT_SIZE_PX, max(sizes))})
    return prepare(settings, request, designs)
