"""When a delivery that did not arrive is tried again: quickly at first, over more than a day in all."""

from random import Random

WAITS_S = (5.0, 60.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0)
"""The wait after each failure; after one more failure than there are waits, the delivery has failed. 31.6 h in all."""
JITTER = 0.2
"""Each wait is up to so much of it longer: deliveries that failed together do not come back together."""
LONGEST_ASKED_S = 3600.0
"""The longest that a receiver's ``Retry-After`` is heeded."""


def wait_s(failures: int, *, rng: Random, asked_s: float | None = None) -> float | None:
    """Seconds until the next attempt after so many failures; ``None`` when it was the last.

    Args:
        asked_s: what the receiver asked for (``Retry-After``); it never shortens a wait.
    """
    if failures > len(WAITS_S):
        return None
    wait = WAITS_S[failures - 1] * (1.0 + JITTER * rng.random())
    return max(wait, min(asked_s or 0.0, LONGEST_ASKED_S))
