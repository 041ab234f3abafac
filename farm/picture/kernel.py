"""Kernel: as `blender.kernel` has it."""

import numpy as np
from numpy.typing import NDArray

from blender.kernel import kernel

__all__ = ["kernel", "read_only"]


def read_only[T: np.generic](array: NDArray[T]) -> NDArray[T]:
    """A view that cannot be written to, contiguous: to numba it is another type than one that can.

    Pictures come as both, and each type would be compiled by itself, the one that set-up did not meet in the midst of a
    job.
    """
    view = np.ascontiguousarray(array).view()
    view.setflags(write=False)
    return view
