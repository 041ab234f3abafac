"""Kernel: a loop that is compiled by numba, at set-up or at its first call; what it made is kept on disk.

Set-up leaves what it compiled beside the source, where every process finds it, whether or not it can write there: an
image is read-only for those who run it. What set-up did not meet, or another kind of processor needs, is compiled once
and kept where numba can write, and where that is nowhere, in memory.

Numba has no public way to choose where it keeps what it made: this is the only use of its private names (``_cache``,
``_impl_class``, ``_locator_classes``, seen in 0.68). `tests/unit/blender/test_kernel.py` fails when one is gone.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache, InTreeCacheLocator, NullCache


class _Beside(InTreeCacheLocator):
    """Beside the source, without asking whether it can be written there."""

    def ensure_cache_path(self) -> None:
        pass


class _BesideImpl(CompileResultCacheImpl):
    _locator_classes = [_Beside]  # noqa: RUF012 # as its base has it


class _Compiled(FunctionCache):
    """What lies beside the source; only read."""

    _impl_class = _BesideImpl


class KernelCache:
    """Implements numba's cache of one function: looks beside the source first, keeps where numba would."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._compiled, self._own = _opened(_Compiled, function), _opened(FunctionCache, function)

    @property
    def cache_path(self) -> Any:
        return self._own.cache_path

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        for cache in (self._compiled, self._own):
            with suppress(OSError):  # not for us to read
                if (found := cache.load_overload(sig, target_context)) is not None:
                    return found
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):  # a full disk costs the next process some seconds, and this one nothing
            self._own.save_overload(sig, data)

    def enable(self) -> None:
        self._own.enable()

    def disable(self) -> None:
        self._own.disable()

    def flush(self) -> None:
        self._own.flush()


def _opened(kind: Any, function: Callable[..., Any]) -> Any:
    try:
        return kind(function)
    except RuntimeError:  # nothing can be written anywhere, or the environment names places of its own
        return NullCache()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile without fast-math, so that equal inputs give equal bytes; the result releases the GIL."""
    made: Any = njit(nogil=True)(function)
    made._cache = KernelCache(function)  # numba has no other way to name a cache
    return made
