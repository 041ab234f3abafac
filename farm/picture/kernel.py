"""Kernel: a loop that is compiled at its first call, by numba; what it made is kept on disk."""

from collections.abc import Callable
from typing import Any

from numba import njit


def kernel(function: Callable[..., Any]) -> Any:
    """Compile without fast-math, so that equal inputs give equal bytes; the result releases the GIL.

    Where nothing can be written, neither beside the source nor in the user's cache, each process compiles again, in
    seconds.
    """
    try:
        return njit(nogil=True, cache=True)(function)
    except RuntimeError:
        return njit(nogil=True)(function)
