"""A renderer that relights: the same orders as Blender's, the same picture files, from a bake."""

import io
import operator
import resource
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from blender.output import write_picture
from blender.protocol import ViewOrder, ViewReport
from blender.shadow import shade_of
from farm.errors import BakeMissing
from farm.picture.baked_view import BakedView
from farm.picture.relight import Print, print_for, relight_view, relight_views
from farm.picture.texture import PanelTexture
from farm.render import bakes
from farm.render.bakes import Bake, BakedPart
from farm.render.ports import ObjectStore
from farm.render.tasks.print_files import MOST_KEPT_BYTES, panel_textures


class Shelf(Protocol):
    """Baked views kept open, see `farm.adapters.bake_shelf`."""

    def take(self, store: ObjectStore, part: BakedPart, template: Path) -> BakedView: ...


@dataclass(frozen=True, slots=True)
class Relit:
    """A relit picture: its file, and who made it."""

    data: bytes
    renderer: str


class Relighter:
    """Implements `farm.render.tasks.view_task.Renderer` without Blender.

    Args:
        template, template_hash: of the garment.
        folder: of the garment's template.
        threads: cores to use.
    """

    def __init__(
        self, *, store: ObjectStore, shelf: Shelf, template: str, template_hash: str, folder: Path, threads: int
    ) -> None:
        self._store = store
        self._shelf = shelf
        self._template = template
        self._template_hash = template_hash
        self._folder = folder
        self._threads = max(1, threads)
        self._finished: list[Bake] = []

    def bake(self, order: ViewOrder) -> tuple[Bake, BakedPart]:
        """The bake that an order's picture comes from.

        Raises:
            BakeMissing: when there is none for this view and size.
        """
        size_px = min(order.width_px, order.height_px)
        name = bakes.part_name(order.view, order.azimuth_deg)
        bake = bakes.serving(self._finished, name, size_px)
        if bake is None:
            self._finished = bakes.finished(self._store, self._template, self._template_hash)
            bake = bakes.serving(self._finished, name, size_px)
        if bake is None:
            raise BakeMissing(template=self._template, view=name, size_px=size_px)
        return bake, bake.parts[name]

    def open(self, order: ViewOrder) -> None:
        """Have open what an order takes but for its prints, so that it is quick when they are there.

        Raises:
            BakeMissing, ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden, BakeBroken: as `render`.
        """
        _, part = self.bake(order)
        self._shelf.take(self._store, part, self._folder).at(order.width_px, order.height_px)

    def render(
        self,
        order: ViewOrder,
        on_progress: Callable[[int, int], None] | None = None,
        *,
        prints: Sequence[PanelTexture] | None = None,
    ) -> ViewReport:
        """Relight one order and write its picture.

        Args:
            prints: the textures, where they are at hand and need not be read from the order's files.

        Raises:
            BakeMissing: when there is none for this view and size.
            ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden: as the store met them.
            BakeBroken: when the bake cannot be read.
        """
        started = time.perf_counter()
        bake, part = self.bake(order)
        baked = self._shelf.take(self._store, part, self._folder)
        opened = time.perf_counter()
        textures = panel_textures(order.prints) if prints is None else prints
        read = time.perf_counter()
        pixels, window = relight_view(
            baked,
            _texels.of(baked, textures, width_px=order.width_px, height_px=order.height_px),
            order.fabric_color,
            width_px=order.width_px,
            height_px=order.height_px,
            threads=self._threads,
        )
        shaded = time.perf_counter()
        write_picture(
            pixels,
            window,
            Path(order.out),
            width_px=order.width_px,
            height_px=order.height_px,
            background=order.background,
            format=order.format,
            shade=shade_of(order),
        )
        if on_progress is not None:
            on_progress(1, 1)
        return ViewReport(
            view=order.view,
            out=order.out,
            width_px=order.width_px,
            height_px=order.height_px,
            device="cpu",
            samples=part.samples,
            threads=self._threads,
            open_s=opened - started,
            sync_s=read - opened,
            render_s=shaded - read,
            total_s=time.perf_counter() - started,
            peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            renderer=bake.renderer,
        )

    def pictures(self, orders: Sequence[ViewOrder], textures: Sequence[PanelTexture]) -> Iterator[Relit]:
        """A picture of each order, one after the other, byte for byte as `render` makes each of them alone.

        Args:
            orders: of one view, size, ground and format, in any fabrics.
            textures: of all of them. The texels made of them serve the views that follow.

        Raises:
            BakeMissing, ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden, BakeBroken: as `render`.
        """
        first = orders[0]
        bake, part = self.bake(first)
        baked = self._shelf.take(self._store, part, self._folder)
        size = {"width_px": first.width_px, "height_px": first.height_px}
        prints, shade = _texels.of(baked, textures, **size), shade_of(first)
        fabrics = [order.fabric_color for order in orders]
        for pixels, window in relight_views(baked, prints, fabrics, **size, threads=self._threads):
            out = io.BytesIO()
            write_picture(pixels, window, out, **size, background=first.background, format=first.format, shade=shade)
            yield Relit(out.getvalue(), bake.renderer)


class _Texels:
    """What the last textures became at the last size, for all relighters of a process; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[tuple[PanelTexture, ...], tuple[Any, ...], Print] | None = None

    def of(self, baked: BakedView, textures: Sequence[PanelTexture], *, width_px: int, height_px: int) -> Print:
        """The textures' texels, kept until there are others."""
        facts = (baked.facts["albedo_gain"], baked.facts["texels_per_cm"], baked.size_px, baked.panels)
        key = (*facts, width_px, height_px)
        with self._lock:
            if self._known is not None:
                known, known_key, found = self._known
                if known_key == key and len(known) == len(textures) and all(map(operator.is_, known, textures)):
                    return found
            self._known = None
            made = print_for(baked, textures, width_px=width_px, height_px=height_px)
            if sum(one.pixels.nbytes for one in textures) <= MOST_KEPT_BYTES:
                self._known = (tuple(textures), key, made)
            return made


_texels = _Texels()
