"""What a shop asks for: one schema for the command line, HTTP and manifests."""

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from farm.domain.colour import TRANSPARENT, Background, Colour
from farm.domain.ids import PRODUCT_ID
from farm.domain.placement import Placement
from farm.domain.shape import SQUARE, Aspect
from farm.domain.view import ALL_VIEWS, View
from farm.errors import InvalidRequest

DEFAULT_PRESET = "chest-large"
MAX_LAYERS = 16


class Mode(StrEnum):
    ALL = "all"
    IMAGES_ONLY = "images-only"
    ANIMATION_ONLY = "animation-only"

    @property
    def stills(self) -> bool:
        return self is not Mode.ANIMATION_ONLY

    @property
    def film(self) -> bool:
        return self is not Mode.IMAGES_ONLY


class Quality(StrEnum):
    DRAFT = "draft"
    STANDARD = "standard"
    HIGH = "high"

    @property
    def samples(self) -> int:
        return {Quality.DRAFT: 8, Quality.STANDARD: 16, Quality.HIGH: 64}[self]


class Format(StrEnum):
    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"

    @property
    def content_type(self) -> str:
        return f"image/{self}"

    @property
    def suffix(self) -> str:
        return {Format.PNG: ".png", Format.JPEG: ".jpg", Format.WEBP: ".webp"}[self]


class Shadow(StrEnum):
    NONE = "none"
    SOFT = "soft"


class SagaKind(StrEnum):
    GRANULAR = "granular"
    SIMPLE = "simple"


class Engine(StrEnum):
    """Who makes the pictures: Blender's path tracer, or a re-shading by the template's bake; ``auto`` chooses."""

    CYCLES = "cycles"
    RELIGHT = "relight"
    AUTO = "auto"


class Media(StrEnum):
    REPLACE = "replace"
    APPEND = "append"


class RenderRequest(BaseModel):
    """A job's request; every field but the design has a default.

    Attributes:
        product_id: the shop's product; without one the pictures are attached to nothing.
        template: the garment.
        preset: a named place on the garment; ignored where ``placements`` are given.
        placements: free layers, from the bottom up.
        fabric_color: the cloth, sRGB.
        background_color: behind the garment, sRGB, or ``transparent`` (not with JPEG, which has no alpha).
        shadow: what the garment casts on the ground below it.
        mode: stills, a turntable film, or ``all`` there is.
        model: whether an interactive 3D model is made too; left out, with ``mode=all`` only.
        views: the stills; none is as good as all where a film or a model is asked for.
        size: the longer side of a picture in pixels.
        aspect: width to height, such as ``4:5``; the garment is never cropped.
        engine: who makes the pictures, see `Engine`; a job that cannot be relit as it asks is refused.
        samples: paths per pixel; left out, ``quality`` decides.
        priority: higher runs first; of equal ones tenants take turns, each first in, first out.
        media: whether the product's earlier pictures in this fabric colour give way (``replace``) or stay (``append``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    product_id: str | None = None
    template: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")] = "crew-tee"
    preset: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")] | None = DEFAULT_PRESET
    placements: Annotated[tuple[Placement, ...], Field(max_length=MAX_LAYERS)] = ()
    fabric_color: Colour = "#ffffff"
    background_color: Background = TRANSPARENT
    shadow: Shadow = Shadow.NONE
    mode: Mode = Mode.IMAGES_ONLY
    model: Annotated[bool, Field(strict=True)] | None = None
    views: tuple[View, ...] = ALL_VIEWS
    size: Annotated[int, Field(ge=64, le=4096, strict=True)] = 1024
    aspect: Aspect = SQUARE
    quality: Quality = Quality.STANDARD
    samples: Annotated[int, Field(ge=1, le=4096, strict=True)] | None = None
    format: Format = Format.PNG
    saga: SagaKind = SagaKind.GRANULAR
    engine: Engine = Engine.AUTO
    priority: Annotated[int, Field(ge=-100, le=100, strict=True)] = 0
    media: Media = Media.REPLACE

    @field_validator("product_id")
    @classmethod
    def _product_id(cls, value: str | None) -> str | None:
        if value is not None and not PRODUCT_ID.fullmatch(value):
            raise ValueError("a product id has 1 to 128 letters, digits, dots, colons, dashes or underscores")
        return value

    @field_validator("views")
    @classmethod
    def _views(cls, value: tuple[View, ...], info: ValidationInfo) -> tuple[View, ...]:
        if not value and info.data.get("mode") is Mode.IMAGES_ONLY and not info.data.get("model"):
            raise ValueError("name at least one view, or ask for a film or a model")
        if len(set(value)) != len(value):
            raise ValueError("a view is named twice")
        return tuple(view for view in ALL_VIEWS if view in value)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (
            self.format is Format.JPEG
            and self.background_color == TRANSPARENT
            and "background_color" in self.model_fields_set
        ):
            raise ValueError("a JPEG cannot be transparent: name a background colour, or ask for png or webp")
        if not self.placements and self.preset is None:
            raise ValueError("name a preset or at least one placement")
        return self

    @property
    def effective_model(self) -> bool:
        return self.mode is Mode.ALL if self.model is None else self.model

    @property
    def effective_samples(self) -> int:
        return self.samples if self.samples is not None else self.quality.samples

    @property
    def effective_background(self) -> str:
        """The background with JPEG's default resolved: a JPEG without one is on white."""
        if self.format is Format.JPEG and self.background_color == TRANSPARENT:
            return "#ffffff"
        return self.background_color


def parse_request(data: Any) -> RenderRequest:
    """A request from decoded JSON.

    Raises:
        InvalidRequest: naming every wrong field (``errors``: pointer and reason).
    """
    try:
        return RenderRequest.model_validate(data)
    except ValidationError as error:
        faults = [
            {
                "pointer": "/" + "/".join(str(part) for part in item["loc"]),
                "reason": item["msg"].removeprefix("Value error, "),
            }
            for item in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        reason = "; ".join(f"{fault['pointer']}: {fault['reason']}" for fault in faults)
        raise InvalidRequest(reason=reason[:2000], errors=faults) from None
