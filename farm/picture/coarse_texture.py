"""Coarse textures: what the verdict needs of a print, made once for all the views that show it."""

import threading
import weakref
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from farm.picture.kernel import kernel, read_only
from farm.picture.light import LINEAR_OF_BYTE
from farm.picture.texture import PanelTexture

Float = NDArray[np.float32]

PER_CM = 8
KEPT = 8


class _Kept:
    """The coarse forms of the textures asked for last, for as long as somebody holds those; threads may share it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._found: OrderedDict[int, tuple[weakref.ref[NDArray[np.uint8]], tuple[Float, float, float]]] = OrderedDict()

    def of(self, texture: PanelTexture) -> tuple[Float, float, float]:
        """See `coarse_texture`."""
        number = id(texture.pixels)
        with self._lock:
            pixels, coarse = self._found.get(number, (None, None))
            if coarse is not None and pixels is not None and pixels() is texture.pixels:
                self._found.move_to_end(number)
                return coarse
        made = _coarse(texture)
        with self._lock:
            self._found[number] = (weakref.ref(texture.pixels), made)
            for gone in [key for key, (pixels, _) in self._found.items() if pixels() is None]:
                del self._found[gone]
            while len(self._found) > self._most:
                self._found.popitem(last=False)
        return made


_kept = _Kept(KEPT)


def coarse_texture(texture: PanelTexture) -> tuple[Float, float, float]:
    """The texture at about eight texels a centimetre, linear premultiplied, in a transparent rim; its texels per cm.

    Made once for all the views that show a texture.
    """
    return _kept.of(texture)


def _coarse(texture: PanelTexture) -> tuple[Float, float, float]:
    height, width = texture.pixels.shape[:2]
    block_x = max(1, int(width / texture.width_cm / PER_CM))
    block_y = max(1, int(height / texture.height_cm / PER_CM))
    result = np.zeros((-(-height // block_y) + 2, -(-width // block_x) + 2, 4), np.float32)
    _average_blocks(read_only(texture.pixels), LINEAR_OF_BYTE, block_x, block_y, result)
    return result, width / texture.width_cm / block_x, height / texture.height_cm / block_y


@kernel
def _average_blocks(pixels: NDArray[np.uint8], linear: Float, block_x: int, block_y: int, result: Float) -> None:
    """Means over blocks, into ``result`` but for its rim; beyond the pixels there is nothing."""
    height, width = pixels.shape[:2]
    share = np.float32(1) / np.float32(block_x * block_y)
    for y in range(height):
        row = y // block_y + 1
        for column in range(1, result.shape[1] - 1):
            for x in range((column - 1) * block_x, min(column * block_x, width)):
                if pixels[y, x, 3] > 0:
                    alpha = np.float32(pixels[y, x, 3]) * (share / np.float32(255))
                    for c in range(3):
                        result[row, column, c] += linear[pixels[y, x, c]] * alpha
                    result[row, column, 3] += alpha
