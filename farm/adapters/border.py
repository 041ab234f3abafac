"""The border of an adapter: whatever a driver raises behind it leaves as one of the farm's errors.

A driver's own list of exceptions is never whole: parsers meet answers that nobody thought of, and what comes then
(`ValueError`, `KeyError`) would be taken for a fault of the farm's, and would fail more than what it befell.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from farm.errors import FarmError

log = logging.getLogger(__name__)

SAID_CHARACTERS = 300


@contextmanager
def border(translate: Callable[[Exception], FarmError], *known: type[Exception]) -> Iterator[None]:
    """Translates every `Exception` within the block but the farm's own, and the process's lack of memory.

    Args:
        translate: the farm's error for a driver's.
        known: what the driver is known to raise; the log keeps the trace of anything else.
    """
    try:
        yield
    except (FarmError, MemoryError):
        raise
    except Exception as error:
        if not isinstance(error, known):
            log.warning("a driver raised what nobody expected of it", exc_info=True)
        raise translate(error) from error


def said(error: Exception) -> str:
    """What a driver's exception says, for a reason: one printable line, and its kind where it says nothing.

    What stands in it may come from a stranger's server.
    """
    try:
        text = str(error)[:SAID_CHARACTERS]
    except Exception:
        text = ""  # some cannot say what befell them
    return "".join(letter if letter.isprintable() else " " for letter in text).strip() or type(error).__name__
