"""A panel: one flat piece of the sewing pattern, as far as a print needs to know it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Rect:
    """A rectangle on a panel in centimetres; y runs down."""

    x_cm: float
    y_cm: float
    width_cm: float
    height_cm: float

    @property
    def right_cm(self) -> float:
        return self.x_cm + self.width_cm

    @property
    def bottom_cm(self) -> float:
        return self.y_cm + self.height_cm


def words_of(panel: str) -> str:
    """A panel's name as people say it: ``sleeve_left`` is the left sleeve."""
    return " ".join(reversed(panel.split("_")))


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelShape:
    """A panel's extents, its print area and its outline (a closed polygon), in centimetres."""

    name: str
    bounds: Rect
    print_area: Rect | None = None
    outline_cm: tuple[tuple[float, float], ...] = ()

    @classmethod
    def from_template(cls, name: str, panel: Mapping[str, Any]) -> Self:
        """From ``panels[name]`` of a ``template.json``."""
        area = panel.get("print_area")
        return cls(
            name=name,
            bounds=Rect(
                x_cm=panel["x_min_cm"],
                y_cm=panel["y_min_cm"],
                width_cm=panel["x_max_cm"] - panel["x_min_cm"],
                height_cm=panel["y_max_cm"] - panel["y_min_cm"],
            ),
            print_area=Rect(**area) if area else None,
            outline_cm=tuple((x, y) for x, y in panel.get("outline_cm", ())),
        )

    @property
    def words(self) -> str:
        """Its name as people say it: ``left sleeve``."""
        return words_of(self.name)

    def contains(self, x_cm: float, y_cm: float) -> bool:
        """Whether a point lies on the cloth (even-odd rule); on the bounds where there is no outline."""
        if not self.outline_cm:
            box = self.bounds
            return box.x_cm <= x_cm <= box.right_cm and box.y_cm <= y_cm <= box.bottom_cm
        inside = False
        before_x, before_y = self.outline_cm[-1]
        for x, y in self.outline_cm:
            if (y > y_cm) != (before_y > y_cm) and x_cm < (before_x - x) * (y_cm - y) / (before_y - y) + x:
                inside = not inside
            before_x, before_y = x, y
        return inside
