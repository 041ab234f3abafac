"""What a garment is made from: ``garment.toml`` in a template's folder, the only input of a build."""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blender.body import Figure
from blender.drape import Fabric
from blender.pattern import Tee

FILE = "garment.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintArea:
    """Where the front or back may be printed: a rectangle centred on the panel.

    Attributes:
        width_cm: Its width.
        height_cm: Its height.
        top_cm: From the collar seam's middle down to its upper edge.
        pressed: How flat it lies: 1 is smoothed down by hand and ironed, 0 falls as the rest of the cloth.
    """

    width_cm: float = 30.0
    height_cm: float = 40.0
    top_cm: float = 6.0
    pressed: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A garment's parameters.

    Attributes:
        name: What a shop calls it.
        version: Of the template; a change of the picture is a change of the version.
        garment_size: Letter size the measures stand for.
        license: SPDX expression of the template's files.
        seed: Of everything uneven: folds, pose, nap.
        edge_cm: Of the finest mesh that falls; the one that is rendered is twice as fine. Longer makes a smaller file.
        pattern: Measures of the sewing pattern.
        figure: The invisible wearer.
        fabric: How the cloth behaves.
        front: The front's print area.
        back: The back's print area.
    """

    name: str = "Crew-neck tee"
    version: str = "1.0.0"
    garment_size: str = "M"
    license: str = "Apache-2.0"
    seed: int = 7
    edge_cm: float = 0.65
    pattern: Tee = field(default_factory=Tee)
    figure: Figure = field(default_factory=Figure)
    fabric: Fabric = field(default_factory=Fabric)
    front: PrintArea = field(default_factory=PrintArea)
    back: PrintArea = field(default_factory=lambda: PrintArea(top_cm=5.0, pressed=0.1))

    @property
    def print_areas(self) -> Mapping[str, PrintArea]:
        """The print areas by panel."""
        return {"front": self.front, "back": self.back}


def read_recipe(folder: Path) -> Recipe:
    """Read ``garment.toml``; what it does not name keeps its default.

    Raises:
        ValueError: There is no such file, or it names something unknown or of the wrong kind; one line for a human.
    """
    path = folder / FILE
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as exc:
        raise ValueError(
            f"{path}: {exc.strerror}; a garment needs this file, an empty one is a crew-neck tee (docs/garment.md)"
        ) from exc
    except tomllib.TOMLDecodeError as exc:
        raise ValueError(f"{path}: not TOML: {exc}") from exc
    recipe: Recipe = _filled(Recipe(), data, f"{path}")
    return recipe


def _filled(default: Any, data: Mapping[str, Any], where: str) -> Any:
    """Return a copy of a dataclass with the named fields replaced, nested ones included."""
    known = {each.name for each in dataclasses.fields(default)}
    changes: dict[str, Any] = {}
    for name, value in data.items():
        if name not in known:
            raise ValueError(f"{where}: unknown {name!r}; known are {', '.join(sorted(known))}")
        changes[name] = _like(getattr(default, name), value, f"{where}: {name}")
    return dataclasses.replace(default, **changes)


def _like(default: Any, value: Any, where: str) -> Any:
    """Return ``value`` as the kind of thing its default is."""
    if dataclasses.is_dataclass(default):
        if isinstance(value, dict):
            return _filled(default, value, where)
    elif isinstance(default, float):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif isinstance(default, tuple):
        # Rows of a table may be added or left out; every row and every pair is as long as the default's.
        rows = isinstance(default[0], tuple)
        if isinstance(value, list) and len(value) > 1 and (rows or len(value) == len(default)):
            return tuple(_like(default[0] if rows else one, each, where) for one, each in _paired(default, value, rows))
    elif type(value) is type(default):
        return value
    raise ValueError(f"{where}: {value!r} should look like {default!r}")


def _paired(default: tuple[Any, ...], value: list[Any], rows: bool) -> list[tuple[Any, Any]]:
    return [(default[0], each) for each in value] if rows else list(zip(default, value, strict=True))
