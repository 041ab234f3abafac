"""A print that no symmetry, turn or loss can hide: four patches of four colours, each in its corner."""

from pathlib import Path

from PIL import Image, ImageDraw

from blender.protocol import PanelPrint

CORNERS = {
    "left top": (200, 16, 46),
    "right top": (0, 122, 61),
    "left bottom": (0, 60, 180),
    "right bottom": (240, 180, 0),
}
WIDTH_CM, HEIGHT_CM, LEFT_CM, TOP_CM = 26.0, 32.0, -13.0, 8.0


def patches(folder: Path) -> PanelPrint:
    """The print, 26 by 32 cm on the front."""
    design = Image.new("RGBA", (520, 640), (0, 0, 0, 0))
    draw = ImageDraw.Draw(design)
    for name, colour in CORNERS.items():
        left, top = 260 * ("right" in name), 320 * ("bottom" in name)
        draw.rectangle((left + 10, top + 10, left + 249, top + 309), fill=(*colour, 255))
    path = folder / "patches.png"
    design.save(path)
    return PanelPrint(
        panel="front", path=str(path), x_cm=LEFT_CM, y_cm=TOP_CM, width_cm=WIDTH_CM, height_cm=HEIGHT_CM
    )  # fmt: skip
