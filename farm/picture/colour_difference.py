"""How different two colours look: CIEDE2000 on CIELAB under D65."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from farm.picture.light import to_linear

Float = NDArray[np.float64]

_XYZ_OF_RGB = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_WHITE = _XYZ_OF_RGB.sum(axis=1)


def lab_of_linear(light: ArrayLike) -> Float:
    """CIELAB ``(..., 3)`` of linear Rec.709 light 0..1, white point D65."""
    ratio = np.asarray(light, np.float64) @ _XYZ_OF_RGB.T / _WHITE
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def lab_of_srgb(coded: ArrayLike) -> Float:
    """CIELAB ``(..., 3)`` of sRGB 0..1."""
    return lab_of_linear(to_linear(coded))


def ciede2000(one: ArrayLike, other: ArrayLike) -> Float:
    """ΔE00 of two arrays of CIELAB colours ``(..., 3)``; about 1 is the least that a person tells apart.

    Formula and names of the intermediate values: CIE 142-2001, with the notes of Sharma, Wu and Dalal (2005) on where
    hues wrap round.
    """
    l1, a1, b1 = np.moveaxis(np.asarray(one, np.float64), -1, 0)
    l2, a2, b2 = np.moveaxis(np.asarray(other, np.float64), -1, 0)
    mean_c7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    g = 0.5 * (1 - np.sqrt(mean_c7 / (mean_c7 + 25.0**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    grey = c1 * c2 == 0
    turn = (h2 - h1 + 180) % 360 - 180
    # Opposite hues may be measured either way round; the formula's authors count up.
    turn = np.where(grey, 0.0, np.where(h2 - h1 == 180, 180.0, turn))
    apart = np.abs(h1 - h2) > 180
    mean_h = np.where(apart, np.where(h1 + h2 < 360, h1 + h2 + 360, h1 + h2 - 360), h1 + h2) / 2
    mean_h = np.where(grey, h1 + h2, mean_h)
    mean_l, mean_c = (l1 + l2) / 2, (c1 + c2) / 2
    t = (
        1
        - 0.17 * np.cos(np.radians(mean_h - 30))
        + 0.24 * np.cos(np.radians(2 * mean_h))
        + 0.32 * np.cos(np.radians(3 * mean_h + 6))
        - 0.20 * np.cos(np.radians(4 * mean_h - 63))
    )
    s_l = 1 + 0.015 * (mean_l - 50) ** 2 / np.sqrt(20 + (mean_l - 50) ** 2)
    s_c, s_h = 1 + 0.045 * mean_c, 1 + 0.015 * mean_c * t
    r_c = 2 * np.sqrt(mean_c**7 / (mean_c**7 + 25.0**7))
    r_t = -np.sin(np.radians(60 * np.exp(-(((mean_h - 275) / 25) ** 2)))) * r_c
    lightness, chroma = (l2 - l1) / s_l, (c2 - c1) / s_c
    hue = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / s_h
    return np.asarray(np.sqrt(lightness**2 + chroma**2 + hue**2 + r_t * chroma * hue), np.float64)
