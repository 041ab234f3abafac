"""A warm Blender for benchmarks: scenes in the farm's own words, composed and rendered, kept in a folder."""

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from blender.protocol import PanelPrint, ViewOrder, place_of
from blender.template import load_template
from farm.domain.panel import PanelShape
from farm.domain.template import Template
from farm.picture.compose import Layer, compose
from farm.picture.decode import DecodeLimits, decode
from farm.picture.light import linear_rgb
from farm.picture.texture import PanelTexture

if TYPE_CHECKING:
    from blender.session import Session

ROOT = Path(__file__).parent.parent
CREW_TEE = ROOT / "templates" / "crew-tee"
TEXELS_PER_PIXEL = 2.5
"""As the farm composes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One picture to be made.

    Attributes:
        layers: of any panels, first one lowest; a placement may be a preset's, see `Studio.preset`.
        fabric, background: ``#rrggbb``; a background of ``None`` is transparent.
    """

    name: str
    layers: tuple[Layer, ...] = ()
    fabric: str = "#ffffff"
    view: str = "front_0deg"
    size_px: int = 256
    samples: int = 4
    seed: int = 0
    background: str | None = None
    format: str = "png"
    azimuth_deg: float | None = None


@dataclass(slots=True)
class Studio:
    """Renders scenes; a picture that already lies in ``folder`` is not made again.

    Blender is opened with the first picture that is missing, so a full folder is judged in seconds.
    """

    folder: Path
    template: Path = CREW_TEE
    threads: int = 0
    rendered: int = 0
    _session: "Session | None" = None
    _textures: dict[str, PanelTexture] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.template = self.template.resolve()

    @property
    def garment(self) -> Template:
        return Template.load(self.template)

    def panel(self, name: str) -> PanelShape:
        return PanelShape.from_template(name, load_template(self.template).facts["panels"][name])

    def textures(self, scene: Scene) -> dict[str, PanelTexture]:
        """The composed texture of each printed panel."""
        camera = load_template(self.template).facts["camera"]
        density = TEXELS_PER_PIXEL * scene.size_px * camera["focal_mm"] / camera["sensor_mm"] / camera["distance_cm"]
        panels = dict.fromkeys(str(layer.placement.panel) for layer in scene.layers)
        return {
            name: compose(
                [layer for layer in scene.layers if layer.placement.panel == name],
                panel=self.panel(name),
                fabric=linear_rgb(scene.fabric),
                px_per_cm=density,
            )
            for name in panels
        }

    def order(self, scene: Scene, textures: Mapping[str, PanelTexture] | None = None) -> ViewOrder:
        """What Blender is told: with the scene's own textures, or with others."""
        prints = tuple(self._print(one) for one in (self.textures(scene) if textures is None else textures).values())
        order = ViewOrder(
            template=str(self.template),
            view=scene.view,
            out="",
            prints=prints,
            fabric_color=scene.fabric,
            background=scene.background,
            width_px=scene.size_px,
            height_px=scene.size_px,
            samples=scene.samples,
            seed=scene.seed,
            threads=self.threads,
            device="cpu",
            format=scene.format,
            azimuth_deg=scene.azimuth_deg,
        )
        told = dataclasses.asdict(order) | {"template": load_template(self.template).facts["hash"]}
        name = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:24]
        return dataclasses.replace(order, out=str(self.folder / f"{name}.{scene.format}"))

    def render(self, order: ViewOrder, *, afresh: bool = False) -> bytes:
        """The picture's bytes.

        Args:
            afresh: whether to make it again if it is there.
        """
        out = Path(order.out)
        if afresh or not out.is_file():
            with quiet():
                self.session().render(dataclasses.replace(order, out=str(out.with_suffix(".part"))))
            out.with_suffix(".part").replace(out)
            self.rendered += 1
        return out.read_bytes()

    def session(self) -> "Session":
        from blender.session import Session

        if self._session is None:
            with quiet():
                self._session = Session(self.template, device="cpu", threads=self.threads)
        return self._session

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _print(self, texture: PanelTexture) -> PanelPrint:
        # Named by its pixels, so that the same print is the same order in every process.
        digest = hashlib.sha256(texture.pixels.tobytes() + str(texture.pixels.shape).encode()).hexdigest()[:24]
        path = self.folder / f"print-{digest}.png"
        if not path.is_file():
            part = path.with_suffix(".part")
            Image.fromarray(texture.pixels).save(part, "PNG", compress_level=1)
            part.replace(path)
        return PanelPrint(path=str(path), **place_of(texture))


@lru_cache(maxsize=8)
def example(name: str) -> Image.Image:
    """A design of examples/ as the farm reads it, RGBA."""
    return Image.fromarray(decode((ROOT / "examples" / name).read_bytes(), limits=DecodeLimits()).pixels)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Blender writes a line for every picture to the process's standard output; a table shall stand there alone."""
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
