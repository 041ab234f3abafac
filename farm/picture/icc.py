"""Colour profiles: bring a picture into sRGB, or say why that could not be done."""

import io

import numpy as np
from PIL import Image, ImageCms

_SPACES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}


class UnusableProfile(ValueError):
    """The profile is malformed, or is made for another kind of picture."""


def to_srgb(picture: Image.Image, profile: bytes) -> Image.Image:
    """An ``RGB``, ``L`` or ``CMYK`` picture as ``RGB`` in sRGB; relative colorimetric with black-point compensation.

    A profile that is sRGB under any of its many names leaves the pixels untouched, so that a brand colour stays
    exactly the number the designer chose.

    Raises:
        UnusableProfile: the colours must then be taken as they are.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != _SPACES[picture.mode]:
            raise UnusableProfile(f"it is for {source.profile.xcolor_space.strip()}, the picture is {picture.mode}")
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            picture.mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if picture.mode == "RGB" and _changes_little(transform):
            return picture
        if picture.mode == "L" and _changes_little_grey(transform):
            return picture.convert("RGB")
        return transform.apply(picture)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, KeyError) as error:
        if isinstance(error, UnusableProfile):
            raise
        raise UnusableProfile(str(error)) from error


def _changes_little(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether no colour of a coarse grid moves by more than two steps: the differences between sRGB profiles."""
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    moved = np.asarray(transform.apply(Image.fromarray(grid)))
    return bool(np.abs(moved.astype(int) - grid).max() <= 2)


def _changes_little_grey(transform: ImageCms.ImageCmsTransform) -> bool:
    ramp = np.arange(256, dtype=np.uint8)[np.newaxis]
    moved = np.asarray(transform.apply(Image.fromarray(ramp)))
    return bool(np.abs(moved.astype(int) - ramp[..., np.newaxis]).max() <= 2)
