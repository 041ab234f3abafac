"""A warm Blender: one process, one template, many orders. bpy is imported only inside functions."""

import os
import re
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from blender.open_studio import open_studio
from blender.output import Window, write_picture
from blender.protocol import PanelPrint, ProtocolError, ViewOrder, ViewReport
from blender.shadow import shade_of
from blender.studio import PlacedStudio, Studio
from blender.template import Template, load_template
from blender.texture import Texels, load_print, srgb_to_linear

TEXELS_PER_PIXEL = 2.0
KEPT_PRINTS = 4
_SAMPLE = re.compile(r"Sample (\d+)/(\d+)")
_GPU_KINDS = ("OPTIX", "CUDA", "HIP", "ONEAPI")


class RenderError(RuntimeError):
    """Blender could not render the order; the message is one line for a human."""


class Session:
    """Renders orders for one template, one after another, in this process.

    Blender has one scene per process, so a process holds one open session at a time.
    """

    def __init__(self, template_dir: Path, *, device: str = "auto", threads: int = 0) -> None:
        """Open the template.

        Args:
            template_dir: The template's folder.
            device: ``auto``, ``cpu`` or a GPU kind of :data:`~blender.protocol.DEVICES`.
            threads: CPU threads, 0 = all.

        Raises:
            ProtocolError: The folder is no usable template.
            RenderError: The device is not there.
        """
        import bpy

        started = time.perf_counter()
        self._template: Template = load_template(template_dir)
        self._threads = threads
        self.device = _choose_device(device)
        self._prints: dict[tuple[object, ...], Texels] = {}
        self._studio = open_studio(self._template)
        bpy.context.scene.cycles.device = "CPU" if self.device == "CPU" else "GPU"
        self._samples = 0
        self._temporary = Path(tempfile.mkdtemp(prefix="view-"))
        self._open_s = time.perf_counter() - started

    @property
    def template(self) -> Template:
        """The open template."""
        return self._template

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the scene and remove temporary files; closing twice is harmless."""
        import bpy

        if self._temporary.exists():
            bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=True)
            shutil.rmtree(self._temporary)

    def render(self, order: ViewOrder, on_progress: Callable[[int, int], None] | None = None) -> ViewReport:
        """Render one order and write its picture.

        Args:
            order: What to render; its ``template`` must be this session's.
            on_progress: Called with (samples done, samples), now and then, on a thread of Blender's.

        Raises:
            ProtocolError: The order does not fit the template, or a print cannot be read.
            RenderError: Blender did not deliver a picture.
        """
        started = time.perf_counter()
        if Path(order.template).resolve() != self._template.folder.resolve():
            raise ProtocolError(f"this session has {self._template.folder} open, not {order.template}")
        out = Path(order.out)
        if not out.parent.is_dir():
            raise ProtocolError(f"out {out}: the folder does not exist")
        shade = shade_of(order)
        self._apply(order)
        ready = time.perf_counter()
        raw = self._trace(order, "PNG", on_progress)
        rendered = time.perf_counter()
        try:
            with Image.open(raw) as opened:
                pixels = np.array(opened.convert("RGBA"))
            write_picture(
                pixels,
                self._studio.window(order),
                out,
                width_px=order.width_px,
                height_px=order.height_px,
                background=order.background,
                format=order.format,
                shade=shade,
            )
        except ValueError as exc:
            raise RenderError(f"Blender delivered another picture of {order.view} than ordered: {exc}") from exc
        finally:
            raw.unlink(missing_ok=True)
        open_s, self._open_s = self._open_s, 0.0
        return ViewReport(
            view=order.view,
            out=order.out,
            width_px=order.width_px,
            height_px=order.height_px,
            device=self.device.lower(),
            samples=order.samples,
            threads=_threads(order.threads or self._threads),
            open_s=open_s,
            sync_s=ready - started,
            render_s=rendered - ready,
            total_s=time.perf_counter() - started + open_s,
            peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            renderer=_renderer(),
        )

    def _texels(self, wanted: PanelPrint, sharpest: float) -> Texels:
        """Return a print's texels, kept from the previous order where the file is untouched: six views share them."""
        try:
            found = os.stat(wanted.path)
        except OSError as exc:
            raise ProtocolError(f"print {wanted.path} cannot be read: {exc.strerror or exc}") from exc
        key = (wanted.path, found.st_ino, found.st_size, found.st_mtime_ns, wanted.width_cm, wanted.height_cm, sharpest)
        kept = self._prints.pop(key, None)
        if kept is None:
            kept = load_print(wanted, max_px_per_cm=sharpest)
            # No cloth and no ink returns all light: both are dimmed alike, so white ink on white cloth stays unseen.
            kept[..., :3] *= np.float32(self._template.facts["finish"]["albedo_gain"])
        self._prints[key] = kept
        while len(self._prints) > KEPT_PRINTS:
            del self._prints[next(iter(self._prints))]
        return kept

    def _apply(self, order: ViewOrder) -> None:
        import bpy

        scene = bpy.context.scene
        sharpest = TEXELS_PER_PIXEL * self._studio.px_per_cm(min(order.width_px, order.height_px))
        prints = {each.panel: each for each in order.prints}
        strange = sorted(set(prints) - set(self._studio.panels))
        if strange:
            raise ProtocolError(f"{self._template.id} has no panel {strange[0]!r}")
        for panel in self._studio.panels:
            wanted = prints.get(panel)
            if wanted is None:
                self._studio.show_print(panel, None, (0.0, 0.0, 1.0, 1.0))
            else:
                place = (wanted.x_cm, wanted.y_cm, wanted.width_cm, wanted.height_cm)
                self._studio.show_print(panel, self._texels(wanted, sharpest), place)
        red, green, blue = (int(order.fabric_color[i : i + 2], 16) / 255 for i in (1, 3, 5))
        fabric = srgb_to_linear(np.array([red, green, blue])) * self._template.facts["finish"]["albedo_gain"]
        self._studio.dye((float(fabric[0]), float(fabric[1]), float(fabric[2])))
        self._studio.aim(order)
        render = scene.render
        render.resolution_x, render.resolution_y, render.resolution_percentage = order.width_px, order.height_px, 100
        threads = order.threads or self._threads
        # Only the part of the picture where the garment can be: the rest costs rays and memory for nothing.
        left, top, right, bottom = self._studio.window(order)
        render.use_border = render.use_crop_to_border = True
        # Blender cuts to whole pixels in single precision: aim at their middles, or an edge falls a pixel short.
        width, height = order.width_px, order.height_px
        render.border_min_x, render.border_max_x = (left + 0.5) / width, (right + 0.5) / width
        render.border_min_y, render.border_max_y = (height - bottom + 0.5) / height, (height - top + 0.5) / height
        render.threads_mode = "FIXED" if threads else "AUTO"
        if threads:
            render.threads = threads
        if order.samples != self._samples:
            # Blender lays its blue noise out for the most samples that a persistent session was ever asked for: the
            # same order would give another picture after a finer one. Setting the flag anew begins another session.
            render.use_persistent_data = False
            render.use_persistent_data = True
            self._samples = order.samples
        scene.cycles.samples = order.samples
        scene.cycles.seed = order.seed
        scene.update_tag()

    def render_linear(self, order: ViewOrder) -> NDArray[np.float32]:
        """Render one order and return its light instead of a picture; ``out`` and ``format`` are not used.

        Returns:
            (H, W, 4) float32, linear Rec.709, straight alpha (black where alpha is 0), row 0 at the top.

        Raises:
            ProtocolError: As :meth:`render`.
            RenderError: As :meth:`render`.
        """
        self._apply(order)
        pixels, (left, top, right, bottom) = self._light(order, None)
        picture = np.zeros((order.height_px, order.width_px, 4), np.float32)
        picture[top:bottom, left:right] = pixels
        return picture

    def render_window(
        self, order: ViewOrder, on_progress: Callable[[int, int], None] | None = None
    ) -> tuple[NDArray[np.float32], Window]:
        """As :meth:`render_linear`, but only the part of the picture where the garment can be, and where that is."""
        self._apply(order)
        return self._light(order, on_progress)

    def render_places(self, order: ViewOrder) -> tuple[NDArray[np.float32], Window]:
        """Render which point of which panel the centre of every pixel shows, see :mod:`blender.places`.

        Only the order's view and size count.

        Returns:
            (H, W, 4) float32, row 0 at the top: x and y over the panel's box, the panel, 1 where there is garment;
            and the window it is of.

        Raises:
            ProtocolError: As :meth:`render`, or the garment's panels cannot be told apart.
            RenderError: As :meth:`render`.
        """
        if not isinstance(self._studio, PlacedStudio):
            raise ProtocolError(f"{self._template.id} cannot be baked: nothing tells where its panels lie")
        self._apply(order)
        with self._studio.showing_places():
            return self._light(order, None)

    @property
    def renderer(self) -> str:
        """Name and version of what renders."""
        return _renderer()

    @property
    def studio(self) -> Studio:
        """The scene."""
        return self._studio

    def _light(
        self, order: ViewOrder, on_progress: Callable[[int, int], None] | None
    ) -> tuple[NDArray[np.float32], Window]:
        import bpy

        raw = self._trace(order, "OPEN_EXR", on_progress)
        image = bpy.data.images.load(str(raw))
        try:
            image.colorspace_settings.name = "Non-Color"
            image.alpha_mode = "CHANNEL_PACKED"
            left, top, right, bottom = self._studio.window(order)
            flat = np.empty((bottom - top) * (right - left) * 4, np.float32)
            image.pixels.foreach_get(flat)
        finally:
            bpy.data.images.remove(image)
            raw.unlink()
        pixels = np.ascontiguousarray(flat.reshape(bottom - top, right - left, 4)[::-1])
        seen = pixels[..., 3] > 1e-4
        pixels[seen, :3] /= pixels[seen, 3:]
        pixels[~seen, :3] = 0.0
        return pixels, (left, top, right, bottom)

    def _trace(self, order: ViewOrder, kind: str, on_progress: Callable[[int, int], None] | None) -> Path:
        import bpy

        scene = bpy.context.scene
        settings = scene.render.image_settings
        settings.file_format, settings.color_mode = kind, "RGBA"
        settings.color_depth = "8" if kind == "PNG" else "32"
        settings.compression = 0
        raw = self._temporary / f"raw.{'png' if kind == 'PNG' else 'exr'}"
        raw.unlink(missing_ok=True)
        scene.render.filepath = str(raw)
        try:
            with _progress(order.samples, on_progress):
                outcome = bpy.ops.render.render(write_still=True)
        except RuntimeError as exc:
            raise RenderError(f"Blender failed on {order.view}: {' '.join(str(exc).split())}") from exc
        if "FINISHED" not in outcome or not raw.is_file():
            raise RenderError(f"Blender delivered no picture of {order.view}")
        return raw


@contextmanager
def _progress(samples: int, on_progress: Callable[[int, int], None] | None) -> Iterator[None]:
    """Pass Blender's coarse "Sample n/N" on while a render runs."""
    import bpy

    if on_progress is None:
        yield
        return
    last = 0

    def listen(statistics: Any, *_: Any) -> None:
        nonlocal last
        found = _SAMPLE.search(str(statistics))
        if found and int(found[1]) > last:
            last = min(int(found[1]), samples)
            on_progress(last, samples)

    bpy.app.handlers.render_stats.append(listen)
    try:
        yield
    finally:
        bpy.app.handlers.render_stats.remove(listen)


def _choose_device(wanted: str) -> str:
    """Choose Cycles' device in its preferences and return its kind.

    Raises:
        RenderError: A GPU kind was asked for that this machine does not have.
    """
    import bpy

    if wanted == "cpu":
        return "CPU"
    preferences = bpy.context.preferences.addons["cycles"].preferences
    for kind in _GPU_KINDS if wanted == "auto" else (wanted.upper(),):
        try:
            preferences.compute_device_type = kind
        except TypeError:
            continue
        devices = preferences.get_devices_for_type(kind)
        if devices:
            for device in devices:
                device.use = device.type == kind
            return kind
    if wanted != "auto":
        raise RenderError(f"no {wanted} device on this machine")
    return "CPU"


def _threads(threads: int) -> int:
    return threads or len(os.sched_getaffinity(0))


def _renderer() -> str:
    import bpy

    return f"cycles {bpy.app.version_string.split()[0]}"
