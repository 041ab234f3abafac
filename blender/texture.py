"""Print pictures as the renderer wants them: linear light, premultiplied, float32, no finer than it can show."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from blender.kernel import kernel
from blender.protocol import PanelPrint, ProtocolError

Texels = NDArray[np.float32]

MAX_SIDE_PX = 16384


def srgb_to_linear(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Decode the sRGB transfer curve; values in 0..1 (IEC 61966-2-1)."""
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Encode the sRGB transfer curve; values in 0..1 (IEC 61966-2-1)."""
    value = np.clip(value, 0.0, 1.0)
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)


_DECODE = srgb_to_linear(np.arange(256) / 255.0).astype(np.float32)


def linear_color(text: str) -> tuple[float, float, float]:
    """Return ``#rrggbb`` as linear Rec.709 components."""
    red, green, blue = (float(_DECODE[int(text[i : i + 2], 16)]) for i in (1, 3, 5))
    return red, green, blue


def load_print(order: PanelPrint, *, max_px_per_cm: float) -> Texels:
    """Read one print.

    A print much finer than the picture would only alias and fill memory, so it is averaged down, in linear light and
    premultiplied, to at most ``max_px_per_cm``.

    Returns:
        (H, W, 4) float32, linear Rec.709, premultiplied, row 0 at the top.

    Raises:
        ProtocolError: The file is missing, unreadable, too large or not 8-bit RGBA.
    """
    return print_texels(_pixels(order), order.width_cm, order.height_cm, max_px_per_cm=max_px_per_cm)


def load_print_within(order: PanelPrint, *, side_px: int) -> Texels:
    """As :func:`load_print`, averaged down to at most ``side_px`` on the longer side; a smaller one is left as it is.

    Raises:
        ProtocolError: The file is missing, unreadable, too large or not 8-bit RGBA.
    """
    pixels = _pixels(order)
    rows, columns = pixels.shape[:2]
    # In texels and not per centimetre: those need not be square to the last digit, and averaged to one less they blur.
    part = min(1.0, side_px / max(rows, columns))
    return _averaged(pixels, max(1, round(rows * part)), max(1, round(columns * part)))


def _pixels(order: PanelPrint) -> NDArray[np.uint8]:
    path = Path(order.path)
    try:
        with Image.open(path) as image:
            if image.mode != "RGBA" or max(image.size) > MAX_SIDE_PX:
                raise ProtocolError(
                    f"print {path}: {image.mode} {image.width}x{image.height}, "
                    f"not 8-bit RGBA of at most {MAX_SIDE_PX} px a side"
                )
            return np.asarray(image)
    except (OSError, SyntaxError) as exc:
        raise ProtocolError(f"print {path} cannot be read: {exc}") from exc


def print_texels(pixels: NDArray[np.uint8], width_cm: float, height_cm: float, *, max_px_per_cm: float) -> Texels:
    """Return a print of that size on the cloth as :func:`load_print` does.

    Args:
        pixels: (H, W, 4) uint8, sRGB, straight alpha.
    """
    height, width = pixels.shape[:2]
    rows = min(height, max(1, round(height_cm * max_px_per_cm)))
    columns = min(width, max(1, round(width_cm * max_px_per_cm)))
    return _averaged(pixels, rows, columns)


def _averaged(pixels: NDArray[np.uint8], rows: int, columns: int) -> Texels:
    """Linearise, premultiply and average areas to (rows, columns, 4), as Pillow's box filter but for the last bit."""
    result = np.empty((rows, columns, 4), np.float32)
    still = np.ascontiguousarray(pixels).view()
    still.setflags(write=False)  # one type for numba, whoever made the pixels
    down, across = _parts(pixels.shape[0], rows), _parts(pixels.shape[1], columns)
    _average(still, _DECODE, *down, *across, result)
    return result


def _parts(size: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Where each of ``count`` parts of ``size`` pixels begins, and what its pixels weigh, 0 beyond its end."""
    scale = size / count
    middle = (np.arange(count) + 0.5) * scale
    start = np.maximum((middle - 0.5 * scale + 0.5).astype(np.int64), 0)
    end = np.minimum((middle + 0.5 * scale + 0.5).astype(np.int64), size)
    at = start[:, None] + np.arange(int((end - start).max()))
    away = (at - middle[:, None] + 0.5) * (1.0 / scale)
    weights = ((away > -0.5) & (away <= 0.5) & (at < end[:, None])).astype(np.float64)
    return start, weights * (1.0 / weights.sum(axis=1, keepdims=True))


@kernel
def _average(
    pixels: NDArray[np.uint8],
    linear: Texels,
    top: NDArray[np.int64],
    down: NDArray[np.float64],
    left: NDArray[np.int64],
    across: NDArray[np.float64],
    result: Texels,
) -> None:
    """Across first, then down, each sum in float64 and kept in float32."""
    rows, columns = result.shape[:2]
    sums = np.empty((columns, 4), np.float64)
    line = np.empty((pixels.shape[1], 4), np.float32)
    for row in range(rows):
        sums[:] = 0
        for part in range(down.shape[1]):
            weight = down[row, part]
            if weight == 0:
                continue
            y = top[row] + part
            for x in range(pixels.shape[1]):
                alpha = np.float32(pixels[y, x, 3]) * np.float32(1 / 255)
                line[x, 0], line[x, 1] = linear[pixels[y, x, 0]] * alpha, linear[pixels[y, x, 1]] * alpha
                line[x, 2], line[x, 3] = linear[pixels[y, x, 2]] * alpha, alpha
            for column in range(columns):
                red = green = blue = cover = 0.0
                for tap in range(across.shape[1]):
                    share = across[column, tap]
                    if share != 0:
                        x = left[column] + tap
                        red, green = red + line[x, 0] * share, green + line[x, 1] * share
                        blue, cover = blue + line[x, 2] * share, cover + line[x, 3] * share
                sums[column, 0] += np.float32(red) * weight
                sums[column, 1] += np.float32(green) * weight
                sums[column, 2] += np.float32(blue) * weight
                sums[column, 3] += np.float32(cover) * weight
        for column in range(columns):
            for c in range(4):
                result[row, column, c] = np.float32(sums[column, c])
