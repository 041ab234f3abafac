"""A baked view: the light transport of one garment, camera and light, and where on its panels each pixel lies."""

import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, Self

from numpy.typing import NDArray

from farm.errors import BakeBroken, BakeTooSmall
from farm.picture import light_file
from farm.picture.enlarged import enlarged, window_at
from farm.picture.transport import Transport, Window, fit

SCHEMA = 2
KEPT_SIZES = 3
MOST_TIMES = 4
"""As large as the bake a picture may be whose light is interpolated."""

Arrays = Mapping[str, NDArray[Any]]


class Places(Protocol):
    """Where the pixels of a sewn garment's views lie on its panels: geometry, which a bake need not hold."""

    def at(self, azimuth_deg: float, size_px: int, window: Window) -> Arrays:
        """As `blender.pixel_places.rasterised` tells it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BakedView:
    """What the bake of a view holds, and the picture sizes it was asked for last; threads may share it.

    Attributes:
        facts: view, azimuth, size, samples, window, panels and template of the bake.
        arrays: light as `blender.bake.bake_view` describes it, places as `blender.pixel_places.condensed`.
        places: of the template, where they are geometry: then it is good for larger pictures too.
    """

    facts: Mapping[str, Any]
    arrays: Arrays
    places: Places | None = None
    _sizes: "OrderedDict[tuple[int, int], Transport]" = field(default_factory=OrderedDict, repr=False, compare=False)
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    @classmethod
    def read(cls, source: Path | bytes, places: Places | None = None) -> Self:
        """Open a bake's file.

        Args:
            places: of the template, for a bake that is light alone.

        Raises:
            BakeBroken: when it is no bake, or one of another schema.
        """
        try:
            arrays, facts = light_file.unpacked(source if isinstance(source, bytes) else source.read_bytes())
            if facts["schema"] != SCHEMA:
                raise ValueError(f"schema {facts['schema']}, not {SCHEMA}")
            light_alone = "place" not in arrays
            if light_alone:
                if places is None:
                    raise ValueError("it is light alone, and its template is not at hand")
                left, top, right, bottom = (int(edge) for edge in facts["window"])
                size_px, azimuth_deg = int(facts["size_px"]), float(facts["azimuth_deg"])
                arrays.update(places.at(azimuth_deg, size_px, (left, top, right, bottom)))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            name = source.name if isinstance(source, Path) else "its file"
            raise BakeBroken(bake=name, reason=f"{type(error).__name__}: {error}") from error
        return cls(facts=facts, arrays=arrays, places=places if light_alone else None)

    @property
    def size_px(self) -> int:
        """The size it was baked at."""
        return int(self.facts["size_px"])

    @property
    def most_px(self) -> int:
        """The largest picture that comes from it."""
        return self.size_px * (MOST_TIMES if self.places is not None else 1)

    @property
    def size_bytes(self) -> int:
        """What it holds in memory, with the sizes it was fitted to."""
        with self._lock:
            fitted = [array for transport in self._sizes.values() for array in transport.arrays]
        held = {id(array): array.nbytes for array in (*self.arrays.values(), *fitted)}
        return sum(held.values())

    @property
    def panels(self) -> tuple[str, ...]:
        """The names behind the panels' numbers."""
        return tuple(self.facts["panels"])

    def at(self, width_px: int, height_px: int) -> Transport:
        """The transport for pictures of that size, kept for the next one.

        Raises:
            BakeTooSmall: for pictures whose shorter side is longer than `most_px`.
        """
        size = (width_px, height_px)
        with self._lock:
            found = self._sizes.pop(size, None)
            if found is None:
                found = self._fitted(*size)
            self._sizes[size] = found
            while len(self._sizes) > KEPT_SIZES:
                self._sizes.popitem(last=False)
            return found

    def _fitted(self, width_px: int, height_px: int) -> Transport:
        size_px = min(width_px, height_px)
        if size_px <= self.size_px:
            return fit(self.arrays, self.facts, width_px, height_px)
        if self.places is None or size_px > self.most_px:
            raise BakeTooSmall(size_px=size_px, baked_px=self.most_px)
        left, top, right, bottom = (int(edge) for edge in self.facts["window"])
        window = window_at((left, top, right, bottom), size_px / self.size_px, size_px)
        places = self.places.at(float(self.facts["azimuth_deg"]), size_px, window)
        return fit(*enlarged(self.arrays, self.facts, places, size_px), width_px, height_px)
