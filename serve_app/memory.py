"""How this process takes memory from the system: so that what it lets go of goes back."""

import ctypes
import logging

log = logging.getLogger(__name__)

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""Of glibc's <malloc.h>."""
LARGE_BYTES = 8 << 20
"""What is larger is a mapping of its own, and returned when it is let go of: decoded designs, light being opened."""
ARENAS = 2


def give_back_memory() -> None:
    """Keep memory from lying about in heaps of threads: pictures' arrays are large, and made by many.

    Left to itself glibc raises the size from which an array has a mapping of its own to whatever was freed last, and
    gives each thread a heap; a replica grew by 130 MB more than it keeps. Another C library is left as it is.
    """
    try:
        libc = ctypes.CDLL(None)
        done = libc.mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES) and libc.mallopt(_M_ARENA_MAX, ARENAS)
    except (OSError, AttributeError) as error:
        log.info("memory is managed as this system does: %s", error)
        return
    if not done:
        log.info("memory is managed as this system does")
