"""Instances of everything that a library, and Python below it, can raise."""

import builtins
import string
from collections import defaultdict
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import h11

_NOT_FROM_DRIVERS = (MemoryError, StopIteration, StopAsyncIteration, Warning)
"""Lack of memory is the process's and goes on as it is; the others are no errors."""


def every(*modules: ModuleType) -> list[Exception]:
    """One of each class in these modules, and of each of Python's own."""
    kinds = {
        value
        for module in (builtins, *modules)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Exception) and not issubclass(value, _NOT_FROM_DRIVERS)
    }
    kinds.discard(h11.ProtocolError)  # abstract, as it says when one is made
    return [_made(kind) for kind in sorted(kinds, key=lambda kind: (kind.__module__, kind.__name__))]


def _made(kind: Any) -> Exception:
    words = [name for _, name, _, _ in string.Formatter().parse(getattr(kind, "fmt", "")) if name]
    ways: list[Callable[[], Exception]] = [
        lambda: kind(**dict.fromkeys(words, "drill")),
        lambda: kind("drill"),
        lambda: kind("drill", ValueError("drill")),
        lambda: kind("drill", [ValueError("drill")]),  # a group
        lambda: kind("utf-8", b"\xff", 0, 1, "drill"),
        lambda: kind("utf-8", "\ud800", 0, 1, "drill"),
        lambda: kind("x", 0, 1, "drill"),
        lambda: kind(defaultdict(dict), "drill"),
        lambda: kind(None, "drill", "drill"),
        lambda: kind(None, "drill", ValueError("drill")),
        lambda: kind("drill", 1, "drill", "drill"),
        lambda: kind("drill", request=None, response=None),
        lambda: kind(1, 2),
        lambda: kind(SimpleNamespace(tell=int, length_remaining=0), b"drill"),
    ]
    for make in ways:
        try:
            return make()
        except (TypeError, KeyError, AttributeError, ValueError):
            continue
    raise AssertionError(f"no way to make a {kind.__name__}")
