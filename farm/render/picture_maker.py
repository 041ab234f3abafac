"""Makes relit pictures in memory; keeps what it opened on the way, within bounds, so that the next one is quick."""

import io
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender.output import write_picture
from blender.protocol import ViewOrder
from blender.shadow import Shade, shade_of
from farm.domain import template as templates
from farm.domain.colour import TRANSPARENT
from farm.domain.placement import BlendMode, Placement
from farm.domain.shape import sides_px
from farm.domain.template import Template
from farm.picture.ink import blend_of
from farm.picture.own_png import own_pixels
from farm.picture.relight import Print, print_for, relight_view
from farm.render.bakes import Bake
from farm.render.bounded_cache import BoundedCache
from farm.render.ports import ObjectStore
from farm.render.prepare import Prepared
from farm.render.tasks.compose_task import composed
from farm.render.tasks.relighter import Shelf
from farm.settings import Settings

LIGHT_SHARE, DESIGNS_SHARE, PRINTS_SHARE = 0.65, 0.15, 0.1
"""Of the memory that pictures may take; the rest is for finished ones. Six views of 1024 px hold 190 MB of light."""


@dataclass(slots=True)
class Phases:
    """Seconds that the parts of making a picture took, by name; what was at hand has none."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Count the time of the block."""
        began_s = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began_s


class PictureMaker:
    """One per process; threads share it.

    Args:
        threads: cores to use; pictures that are made at once share them.
    """

    def __init__(
        self, settings: Settings, *, store: ObjectStore, shelf: Shelf, threads: int = os.cpu_count() or 1
    ) -> None:
        self._settings = settings
        self._store = store
        self._shelf = shelf
        self._threads = threads
        memory = settings.pictures_memory_bytes
        self._designs: BoundedCache[str, NDArray[np.uint8]] = BoundedCache(
            int(memory * DESIGNS_SHARE), lambda pixels: pixels.nbytes
        )
        self._prints: BoundedCache[str, Print] = BoundedCache(int(memory * PRINTS_SHARE), _print_bytes)
        self._at_work = 0
        self._lock = threading.Lock()

    def make(
        self,
        prepared: Prepared,
        view: str,
        bake: Bake,
        *,
        read: Callable[[int], bytes] | None = None,
        phases: Phases | None = None,
    ) -> bytes:
        """One picture's file.

        Args:
            bake: that covers the view at that size.
            read: the normalised file of a design, asked for where the request's designs are without their bytes and
                nothing of it is at hand.
            phases: takes the seconds of each part.

        Raises:
            ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden, BakeBroken: as the light was met.
        """
        phases = phases or Phases()
        request = prepared.request
        width_px, height_px = sides_px(request)
        garment = templates.find(self._settings.template_folders, prepared.template["id"])
        with self._share() as threads:
            with phases.of("light"):
                baked = self._shelf.take(self._store, bake.parts[view], garment.folder)
                baked.at(width_px, height_px)
            key = _print_key(prepared, bake, width_px, height_px)

            def prepared_print() -> Print:
                pixels = {
                    index: self._pixels(prepared, index, read, phases)
                    for index in {int(one["design"]) for one in request["placements"]}
                }
                with phases.of("compose"):
                    textures = list(
                        composed(request, pixels, template=garment.folder, facts=garment.facts, threads=threads)
                    )
                with phases.of("print"):
                    return print_for(baked, textures, width_px=width_px, height_px=height_px)

            ready = self._prints.made(key, prepared_print)
            with phases.of("shade"):
                pixels, window = relight_view(
                    baked, ready, request["fabric_color"], width_px=width_px, height_px=height_px, threads=threads
                )
            background = request["background_color"]
            out = io.BytesIO()
            with phases.of("encode"):
                write_picture(
                    pixels,
                    window,
                    out,
                    width_px=width_px,
                    height_px=height_px,
                    background=None if background == TRANSPARENT else background,
                    format=request["format"],
                    shade=_shade(garment, request, view, width_px, height_px),
                )
        return out.getvalue()

    def _pixels(
        self, prepared: Prepared, index: int, read: Callable[[int], bytes] | None, phases: Phases
    ) -> NDArray[np.uint8]:
        design = prepared.designs[index]

        def decoded() -> NDArray[np.uint8]:
            with phases.of("design"):
                data = design.data if design.data or read is None else read(index)
                return own_pixels(data)

        return self._designs.made(design.sha256, decoded)

    @contextmanager
    def _share(self) -> Iterator[int]:
        """How many cores this picture may use beside those that are made at the same time."""
        with self._lock:
            self._at_work += 1
            threads = max(1, self._threads // self._at_work)
        try:
            yield threads
        finally:
            with self._lock:
                self._at_work -= 1


def _print_key(prepared: Prepared, bake: Bake, width_px: int, height_px: int) -> str:
    """Tells prints from each other by all that one is made of; the cloth's colour is, where ink is mixed with it."""
    placements: Sequence[Mapping[str, Any]] = prepared.request["placements"]
    mixed = any(blend_of(Placement.model_validate(one)) is not BlendMode.NORMAL for one in placements)
    fabric = prepared.request["fabric_color"] if mixed else None
    designs = [design.sha256 for design in prepared.designs]
    return json.dumps([bake.id, width_px, height_px, placements, designs, fabric], sort_keys=True)


def _print_bytes(ready: Print) -> int:
    return ready.near.texels.nbytes + ready.wide.texels.nbytes


def _shade(garment: Template, request: Mapping[str, Any], view: str, width_px: int, height_px: int) -> Shade | None:
    return shade_of(
        ViewOrder(
            template=str(garment.folder),
            view=view,
            out="",
            width_px=width_px,
            height_px=height_px,
            shadow=str(request.get("shadow", "none")),
        )
    )
