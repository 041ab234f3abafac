"""A design that the farm itself normalised, back to pixels: nothing of it need be suspected, so it is read at once."""

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from farm.errors import DesignTruncated
from farm.picture.channels import opaque


def own_pixels(data: bytes) -> NDArray[np.uint8]:
    """The pixels of what `farm.picture.decode.normalise` wrote: the same as `decode` reads, in a fifteenth of its time.

    Args:
        data: of the farm's own making, compared with its hash by whoever read it; never what somebody sent.

    Returns:
        ``(H, W, 4) uint8``, sRGB, straight alpha, row 0 at the top.

    Raises:
        DesignTruncated: when it is none.
    """
    try:
        found = np.asarray(imagecodecs.spng_decode(data))
    except (imagecodecs.SpngError, RuntimeError, ValueError) as error:
        raise DesignTruncated(reason=f"the farm's own copy of it: {error}") from error
    if found.ndim != 3 or found.dtype != np.uint8 or found.shape[2] not in (3, 4):
        raise DesignTruncated(reason=f"the farm's own copy of it: {found.dtype} of shape {found.shape}")
    if found.shape[2] == 4:
        return np.ascontiguousarray(found)
    return opaque(found)
