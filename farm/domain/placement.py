"""Where a print goes: centimetres on a sewing-pattern panel, so that 30 cm wide is 30 cm wide on the cloth.

A panel's origin is the middle of its collar seam (of the cap's top on a sleeve); x runs to the viewer's right with
the panel laid flat and seen from outside, y runs down.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat


class Panel(StrEnum):
    FRONT = "front"
    BACK = "back"
    SLEEVE_LEFT = "sleeve_left"
    SLEEVE_RIGHT = "sleeve_right"


class Fit(StrEnum):
    """How a design of another shape meets its box: inside it (``contain``) or covering it, cropped (``cover``)."""

    CONTAIN = "contain"
    COVER = "cover"


class BlendMode(StrEnum):
    NORMAL = "normal"
    MULTIPLY = "multiply"
    SCREEN = "screen"
    OVERLAY = "overlay"


class Placement(BaseModel):
    """One layer of a print, as a shop asks for it.

    Attributes:
        panel: the piece of cloth.
        x_cm, y_cm: the box's centre, on the panel.
        width_cm: the box's width.
        height_cm: the box's height; left out, the design's own shape decides.
        rotation_deg: clockwise as the viewer sees the panel laid flat.
        underbase: white ink under the colours, which keeps them on dark cloth; without, they dye the cloth.
        design: which of the request's design files (0 is the first).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    panel: Panel = Panel.FRONT
    x_cm: Annotated[FiniteFloat, Field(ge=-100, le=100)] = 0.0
    y_cm: Annotated[FiniteFloat, Field(ge=-100, le=150)]
    width_cm: Annotated[FiniteFloat, Field(gt=0.1, le=150)]
    height_cm: Annotated[FiniteFloat, Field(gt=0.1, le=150)] | None = None
    rotation_deg: Annotated[FiniteFloat, Field(ge=-360, le=360)] = 0.0
    fit: Fit = Fit.CONTAIN
    blend: BlendMode = BlendMode.NORMAL
    opacity: Annotated[FiniteFloat, Field(gt=0, le=1)] = 1.0
    underbase: Annotated[bool, Field(strict=True)] = True
    design: Annotated[int, Field(ge=0, le=7, strict=True)] = 0
