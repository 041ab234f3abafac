"""What the farm and Blender say to each other: one order for one picture, one report about it.

Plain frozen dataclasses that travel as JSON, so that ``python -m blender view.json`` renders a view with nothing
else running. Standard library only.
"""

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypedDict, get_args, get_type_hints

VIEW_AZIMUTH_DEG: Mapping[str, float] = {
    "front_0deg": 0.0,
    "left_90deg": 90.0,
    "right_270deg": 270.0,
    "back_180deg": 180.0,
    "front_45deg_left": 45.0,
    "front_45deg_right": 315.0,
}
"""The six views in their order; azimuth counter-clockwise seen from above, 0 = in front of the wearer."""

PANELS = ("front", "back", "sleeve_left", "sleeve_right", "collar")
"""The garment's panels; left and right are the wearer's."""

FORMATS = ("png", "jpeg", "webp")
SHADOWS = ("none", "soft")
DEVICES = ("auto", "cpu", "cuda", "optix", "hip", "oneapi")
MAX_SIZE_PX = 8192
MAX_SAMPLES = 4096
_HEX_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


class ProtocolError(ValueError):
    """An order or report that cannot be carried out as written; the message is one line for a human."""


class Placed(Protocol):
    """What lies in a rectangle of a panel, whatever form its pixels have: in memory, in a file or in a store."""

    @property
    def panel(self) -> str: ...
    @property
    def x_cm(self) -> float: ...
    @property
    def y_cm(self) -> float: ...
    @property
    def width_cm(self) -> float: ...
    @property
    def height_cm(self) -> float: ...


class Place(TypedDict):
    """Panel and rectangle of something placed; see :class:`PanelPrint`."""

    panel: str
    x_cm: float
    y_cm: float
    width_cm: float
    height_cm: float


def place_of(placed: Placed) -> Place:
    """Return where that lies: a texture goes from form to form, and its place with it."""
    return Place(
        panel=placed.panel,
        x_cm=placed.x_cm,
        y_cm=placed.y_cm,
        width_cm=placed.width_cm,
        height_cm=placed.height_cm,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelPrint:
    """One printed picture on one panel.

    Attributes:
        panel: One of :data:`PANELS`.
        path: PNG, 8-bit RGBA, sRGB, straight alpha; row 0 is the top (smallest y).
        x_cm: Left edge on the panel, from the middle of its collar seam, to the viewer's right.
        y_cm: Top edge on the panel, downwards.
        width_cm: Width of the picture on the cloth.
        height_cm: Height of the picture on the cloth.
    """

    panel: str
    path: str
    x_cm: float
    y_cm: float
    width_cm: float
    height_cm: float

    def __post_init__(self) -> None:
        if self.panel not in PANELS:
            raise ProtocolError(f"unknown panel {self.panel!r}: one of {', '.join(PANELS)}")
        numbers = (self.x_cm, self.y_cm, self.width_cm, self.height_cm)
        if not all(math.isfinite(number) for number in numbers):
            raise ProtocolError(f"print on {self.panel}: position and size must be finite numbers of centimetres")
        if self.width_cm <= 0 or self.height_cm <= 0:
            raise ProtocolError(f"print on {self.panel}: width_cm and height_cm must be positive")

    def to_json(self) -> str:
        """Return this print as a JSON object."""
        return _dump(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> "PanelPrint":
        """Read a print.

        Raises:
            ProtocolError: The text is not JSON, or a field is missing, unknown or out of range.
        """
        return _build(cls, _parse(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewOrder:
    """All that determines one picture.

    Attributes:
        template: Folder of the garment template.
        view: Name of a camera (:data:`VIEW_AZIMUTH_DEG`).
        prints: At most one picture per panel.
        fabric_color: ``#rrggbb``, sRGB.
        background: ``#rrggbb``, or None for a transparent picture (jpeg: white).
        shadow: One of :data:`SHADOWS`: what the garment casts on the ground below it.
        width_px: Width of the picture.
        height_px: Height of the picture.
        samples: Paths per pixel.
        seed: Noise seed; same order, same picture.
        threads: CPU threads, 0 = all.
        device: One of :data:`DEVICES`.
        format: One of :data:`FORMATS`.
        out: Path of the picture to write.
        azimuth_deg: Overrides the view's azimuth (frames of a film).
    """

    template: str
    view: str
    out: str
    prints: tuple[PanelPrint, ...] = ()
    fabric_color: str = "#ffffff"
    background: str | None = None
    shadow: str = "none"
    width_px: int = 1024
    height_px: int = 1024
    samples: int = 16
    seed: int = 0
    threads: int = 0
    device: str = "auto"
    format: str = "png"
    azimuth_deg: float | None = None

    def __post_init__(self) -> None:
        if self.view not in VIEW_AZIMUTH_DEG:
            raise ProtocolError(f"unknown view {self.view!r}: one of {', '.join(VIEW_AZIMUTH_DEG)}")
        if self.format not in FORMATS:
            raise ProtocolError(f"unknown format {self.format!r}: one of {', '.join(FORMATS)}")
        if self.shadow not in SHADOWS:
            raise ProtocolError(f"unknown shadow {self.shadow!r}: one of {', '.join(SHADOWS)}")
        if self.device not in DEVICES:
            raise ProtocolError(f"unknown device {self.device!r}: one of {', '.join(DEVICES)}")
        for name in ("fabric_color", "background"):
            color = getattr(self, name)
            if color is not None and not _HEX_COLOR.fullmatch(color):
                raise ProtocolError(f"{name} {color!r} is not #rrggbb")
        for name, low, high in (
            ("width_px", 1, MAX_SIZE_PX),
            ("height_px", 1, MAX_SIZE_PX),
            ("samples", 1, MAX_SAMPLES),
            ("seed", 0, 2**31 - 1),
            ("threads", 0, 1024),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ProtocolError(f"{name} {value} is outside {low}..{high}")
        if self.azimuth_deg is not None and not math.isfinite(self.azimuth_deg):
            raise ProtocolError("azimuth_deg must be a finite number of degrees")
        _one_print_each(self.prints)

    def to_json(self) -> str:
        """Return this order as a JSON object."""
        return _dump(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> "ViewOrder":
        """Read an order.

        Raises:
            ProtocolError: The text is not JSON, or a field is missing, unknown or out of range.
        """
        return _build(cls, _parse(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewReport:
    """What became of a :class:`ViewOrder`.

    Attributes:
        view: Name of the view.
        out: Path of the picture.
        width_px: Width of the picture.
        height_px: Height of the picture.
        device: The device that really rendered, for example ``cpu``.
        samples: Paths per pixel.
        threads: CPU threads that rendered.
        open_s: Time to open the template, 0 on a warm session.
        sync_s: Time to apply the order to the scene.
        render_s: Time in the renderer, its own scene sync and denoising included.
        total_s: Wall time of the whole order, writing the picture included.
        peak_rss_bytes: Highest resident memory of the process so far.
        renderer: Name and version, for example ``cycles 5.2.3``.
    """

    view: str
    out: str
    width_px: int
    height_px: int
    device: str
    samples: int
    threads: int
    open_s: float
    sync_s: float
    render_s: float
    total_s: float
    peak_rss_bytes: int
    renderer: str

    def to_json(self) -> str:
        """Return this report as a JSON object."""
        return _dump(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> "ViewReport":
        """Read a report.

        Raises:
            ProtocolError: The text is not JSON, or a field is missing, unknown or of the wrong type.
        """
        return _build(cls, _parse(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOrder:
    """All that determines one interactive 3D model.

    Attributes:
        template: Folder of the garment template.
        out: Path of the GLB to write.
        prints: At most one picture per panel.
        fabric_color: ``#rrggbb``, sRGB.
        texture_px: The most pixels of a print's longer side in the model.
        max_bytes: Size of the file; prints are made coarser until it fits.
    """

    template: str
    out: str
    prints: tuple[PanelPrint, ...] = ()
    fabric_color: str = "#ffffff"
    texture_px: int = 2048
    max_bytes: int = 6_000_000

    def __post_init__(self) -> None:
        if not _HEX_COLOR.fullmatch(self.fabric_color):
            raise ProtocolError(f"fabric_color {self.fabric_color!r} is not #rrggbb")
        for name, low, high in (("texture_px", 16, MAX_SIZE_PX), ("max_bytes", 1, 2**31 - 1)):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ProtocolError(f"{name} {value} is outside {low}..{high}")
        _one_print_each(self.prints)

    def to_json(self) -> str:
        """Return this order as a JSON object."""
        return _dump(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> "ModelOrder":
        """Read an order.

        Raises:
            ProtocolError: The text is not JSON, or a field is missing, unknown or out of range.
        """
        return _build(cls, _parse(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """What became of a :class:`ModelOrder`.

    Attributes:
        out: Path of the model.
        size_bytes: Size of the file.
        mesh_bytes: Of it, the compressed mesh.
        triangles: Triangles of the outside; the inside has as many.
        texture_px: Longer side of the finest print, 0 without prints.
        total_s: Wall time.
        renderer: Name and version of what wrote it.
    """

    out: str
    size_bytes: int
    mesh_bytes: int
    triangles: int
    texture_px: int
    total_s: float
    renderer: str

    def to_json(self) -> str:
        """Return this report as a JSON object."""
        return _dump(self)

    @classmethod
    def from_json(cls, text: str | bytes) -> "ModelReport":
        """Read a report.

        Raises:
            ProtocolError: The text is not JSON, or a field is missing, unknown or of the wrong type.
        """
        return _build(cls, _parse(text))


def _one_print_each(prints: tuple[PanelPrint, ...]) -> None:
    panels = [each.panel for each in prints]
    if len(set(panels)) != len(panels):
        raise ProtocolError("more than one print for the same panel: compose them into one picture first")


def _dump(value: "Message") -> str:
    return json.dumps(dataclasses.asdict(value), ensure_ascii=False, separators=(",", ":"))


def _parse(text: str | bytes) -> Mapping[str, Any]:
    try:
        fields = json.loads(text)
    except ValueError as exc:
        raise ProtocolError(f"not JSON: {exc}") from exc
    if not isinstance(fields, dict):
        raise ProtocolError("not a JSON object")
    return fields


Message = PanelPrint | ViewOrder | ViewReport | ModelOrder | ModelReport


def _build[T: Message](cls: type[T], fields: Mapping[str, Any]) -> T:
    """Build a message from parsed JSON, checking every field's name and type first."""
    hints = get_type_hints(cls)
    unknown = sorted(set(fields) - set(hints))
    if unknown:
        raise ProtocolError(f"{cls.__name__}: unknown field {unknown[0]!r}")
    required = {field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING}
    missing = sorted(required - set(fields))
    if missing:
        raise ProtocolError(f"{cls.__name__}: missing field {missing[0]!r}")
    return cls(**{name: _value(cls.__name__, name, hints[name], value) for name, value in fields.items()})


def _value(owner: str, name: str, hint: Any, value: Any) -> Any:
    """Return a JSON value as the field's type; integers pass for floats, booleans for nothing."""
    allowed = get_args(hint) or (hint,)
    if name == "prints":
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise ProtocolError(f"{owner}: prints must be a list of objects")
        return tuple(_build(PanelPrint, item) for item in value)
    if isinstance(value, bool) or not isinstance(value, (*allowed, int) if float in allowed else allowed):
        raise ProtocolError(f"{owner}: {name} has the wrong type: {value!r}")
    return float(value) if isinstance(value, int) and float in allowed else value
