"""Where a template's pixels lie on its panels: rasterised when first asked for, then kept on the node's disk."""

import hashlib
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from blender.pixel_places import places_of
from farm.adapters.bounded_folder import make_room
from farm.domain.template import Template
from farm.picture.transport import Window

MAX_BYTES = 512_000_000
"""Of a node's files: some fifty views at 1024 px, which take half a second of one core each to make."""


class PanelPlaces:
    """The places of one template; processes of a node share the files, and so do threads.

    Args:
        template: the template's folder.
        kept: the folder of all templates' places on this node; what cannot be kept there is made again.
    """

    def __init__(self, template: Path, kept: Path) -> None:
        self._folder = template
        self._kept = kept
        self._template: Template | None = None

    def at(self, azimuth_deg: float, size_px: int, window: Window) -> Mapping[str, NDArray[Any]]:
        """The places of one view, see `blender.pixel_places.places_of`."""
        if self._template is None:
            self._template = Template.load(self._folder)
        asked = f"{self._template.hash} {azimuth_deg % 360.0:.6f} {size_px} {window}"
        path = self._kept / f"{hashlib.sha256(asked.encode()).hexdigest()}.npz"
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                found = {name: stored[name] for name in stored.files}
            os.utime(path)
            return found
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            pass  # not kept, or half written by a machine that lost its power: it is made again
        made = places_of(self._folder, azimuth_deg, size_px=size_px, window=window)
        self._keep(path, made)
        return made

    def _keep(self, path: Path, made: Mapping[str, NDArray[Any]]) -> None:
        partial = path.with_suffix(f".{os.getpid()}.part")
        try:
            self._kept.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_room(self._kept, sum(array.nbytes for array in made.values()), MAX_BYTES)
            with partial.open("wb") as out:
                np.savez(out, allow_pickle=False, **made)
            partial.replace(path)
        except OSError:
            with suppress(OSError):
                partial.unlink()


if TYPE_CHECKING:
    from farm.picture.baked_view import Places

    _conforms: type[Places] = PanelPlaces
