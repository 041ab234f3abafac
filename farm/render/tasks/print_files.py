"""Print files: a job's composed textures from their files, read once for all the views that a process makes."""

import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from blender.protocol import PanelPrint, place_of
from farm.picture.texture import PanelTexture
from farm.render.ports import ObjectStore, TextureRef


class Textures(Protocol):
    """Textures as local files, see `farm.adapters.texture_cache`."""

    def fetch(self, store: ObjectStore, key: str, sha256: str) -> Path: ...


MOST_KEPT_BYTES = 64 * 1024 * 1024
"""Of pixels; larger ones are read for each view."""

Stamp = tuple[PanelPrint, int, int]


class _Kept:
    """The textures of the last job; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stamps: tuple[Stamp, ...] = ()
        self._textures: tuple[PanelTexture, ...] = ()

    def read(self, prints: Sequence[PanelPrint]) -> tuple[PanelTexture, ...]:
        """See `panel_textures`."""
        stamps = tuple(_stamp(one) for one in prints)
        with self._lock:
            if stamps == self._stamps:
                return self._textures
            self._stamps, self._textures = (), ()
            textures = tuple(panel_texture(one) for one in prints)
            if sum(one.pixels.nbytes for one in textures) <= MOST_KEPT_BYTES:
                self._stamps, self._textures = stamps, textures
            return textures


def _stamp(printed: PanelPrint) -> Stamp:
    """Tells a file that was written anew."""
    told = os.stat(printed.path)
    return printed, told.st_mtime_ns, told.st_size


_kept = _Kept()


def fetched(composed: Iterable[TextureRef], textures: Textures, store: ObjectStore) -> tuple[PanelPrint, ...]:
    """Composed textures as the prints of an order, their files brought here.

    Raises:
        ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden, DiskFull: as the store met them.
    """
    return tuple(PanelPrint(path=str(textures.fetch(store, one.key, one.sha256)), **place_of(one)) for one in composed)


def panel_textures(prints: Sequence[PanelPrint]) -> tuple[PanelTexture, ...]:
    """The textures of an order; asked again for the same files, the very same arrays, which nobody may write to.

    Raises:
        OSError: a file is missing or no PNG.
    """
    return _kept.read(prints)


def panel_texture(printed: PanelPrint) -> PanelTexture:
    """A composed texture from its file.

    Raises:
        OSError: it is missing or no PNG.
    """
    with open(printed.path, "rb") as file:
        data = file.read()
    try:
        pixels = np.asarray(imagecodecs.png_decode(data))
    except (imagecodecs.PngError, RuntimeError, ValueError) as error:
        raise OSError(f"the print {printed.path} cannot be decoded: {error}") from error
    return PanelTexture(pixels=_rgba(pixels), **place_of(printed))


def _rgba(pixels: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Opaque pictures get their alpha; composed ones have it.

    Raises:
        OSError: it is no picture of 8 bits a channel in colour.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        raise OSError(f"the print has pixels of {pixels.dtype} and shape {pixels.shape}, not 8-bit RGBA")
    whole = np.full((*pixels.shape[:2], 4), 255, np.uint8) if pixels.shape[2] == 3 else pixels
    if whole is not pixels:
        whole[..., :3] = pixels
    whole.setflags(write=False)
    return whole  # type: ignore[return-value]
