"""The formats of a picture that a page shows, and which of them a browser gets that may choose."""

from collections.abc import Iterable
from enum import StrEnum

AUTO = "auto"
"""Whatever the caller takes, by its ``Accept``."""


class PictureFormat(StrEnum):
    """A job's formats, and AVIF."""

    WEBP = "webp"
    AVIF = "avif"
    JPEG = "jpeg"
    PNG = "png"

    @property
    def content_type(self) -> str:
        return f"image/{self}"

    @property
    def has_alpha(self) -> bool:
        return self is not PictureFormat.JPEG


def negotiated(accept: str | None, *, opaque: bool) -> PictureFormat:
    """The format for a caller: of those it names the one it likes best, and of equal ones what is small and soon made.

    Who names none of ours (``*/*``, ``image/*``, nothing) gets what everything shows: JPEG, or PNG with transparency.

    Args:
        accept: the header as it came; what cannot be read of it is ignored.
        opaque: whether the picture has a background.
    """
    able = [one for one in PictureFormat if opaque or one.has_alpha]
    liked = dict(_named(accept or ""))
    best = max(able, key=lambda one: (liked.get(one.content_type, 0.0), -able.index(one)))
    if liked.get(best.content_type, 0.0) > 0:
        return best
    return PictureFormat.JPEG if opaque else PictureFormat.PNG


def _named(accept: str) -> Iterable[tuple[str, float]]:
    for part in accept[:1000].split(","):
        kind, _, parameters = part.partition(";")
        quality = 1.0
        for parameter in parameters.split(";"):
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "q":
                try:
                    quality = min(1.0, max(0.0, float(value)))
                except ValueError:
                    quality = 0.0
        yield kind.strip().lower(), quality if quality == quality else 0.0
