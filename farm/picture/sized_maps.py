"""Sized maps: what a template tells of a view, at the size at which a picture of it is judged; made once for each."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from farm.picture.expectation import Float, ViewMaps
from farm.picture.neighbours import blurred, eroded
from farm.picture.reduction import resized

Mask = NDArray[np.bool_]

KEPT = 24
SEEN_ALONG_CM = 1.2
"""Where one pixel of 256 sees more of its panel than this, cloth is seen along its surface, and no print can be told;
facing the camera it is 0.35."""
DARK = 0.15
"""Where half-grey cloth is darker than this, light goes astray in folds, and colours with it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SizedMaps:
    """A view's maps for pictures of ``side`` × ``side`` pixels, no larger than the maps; all arrays have that size."""

    maps: ViewMaps
    side: int

    @cached_property
    def coverage(self) -> Float:
        """The garment's share of each pixel."""
        return resized(self.maps.coverage, self.side)

    @cached_property
    def outline(self) -> Float:
        """The same, its noise averaged away."""
        return blurred(self.coverage)

    @cached_property
    def outside(self) -> Mask:
        """Background, and so it is two pixels around."""
        return eroded(self.coverage < 0.004)

    @cached_property
    def whole(self) -> Mask:
        """All of the pixel is cloth, and not in the dark."""
        return (self._share > 0.98) & (resized(self.maps.shade, self.side) > DARK)

    @cached_property
    def inner(self) -> Mask:
        """`whole`, and so it is two pixels around."""
        return eroded(self.whole)

    @cached_property
    def facing(self) -> Mask:
        """The cloth is not seen along its surface."""
        return resized(self.maps.cm_per_pixel() <= SEEN_ALONG_CM, self.side) > 0.98

    def shown(self, albedo: Float) -> Float:
        """What a picture shows of an albedo on the maps, clipped as pictures are: linear, 0 off the cloth."""
        light = self.maps.light(albedo)
        if self.side == self.maps.panel.shape[0]:
            light[~self._cloth] = 0
            return light
        shown, share = resized(light * self._cloth_share[..., None], self.side), self._share[..., None]
        return np.divide(shown, share, out=np.zeros_like(shown), where=share > 0.5)

    @cached_property
    def _cloth_share(self) -> Float:
        return self.maps.coverage * (self.maps.panel >= 0)

    @cached_property
    def _share(self) -> Float:
        return resized(self._cloth_share, self.side)

    @cached_property
    def _cloth(self) -> Mask:
        return self._share > 0.5


@lru_cache(maxsize=KEPT)
def sized(maps: ViewMaps, side: int) -> SizedMaps:
    """The maps at that size, kept for the next picture."""
    return SizedMaps(maps=maps, side=side)
