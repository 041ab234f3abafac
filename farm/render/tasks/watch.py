"""Watching one running attempt: does it live, get on, keep its time? Pure: told beats, answers errors."""

from dataclasses import dataclass

from farm.errors import RenderError, ViewStalled, ViewTimedOut
from farm.render.tasks.heartbeat import Beat


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long an attempt may take.

    Attributes:
        deadline_s: from its first beat to its end.
        stall_s: without progress, though it beats.
        lease_s: without a beat, once it has begun.
    """

    deadline_s: float
    stall_s: float
    lease_s: float


class Watch:
    """The watch over one attempt; times are of one monotonic clock, seconds.

    The time in Ray's queue does not count: the clock starts with the first beat.
    """

    def __init__(self, name: str, limits: Limits) -> None:
        self._name = name
        self._limits = limits
        self._began_s: float | None = None
        self._ticks = -1
        self._progress_s = 0.0
        self._beat_s = 0.0
        self.last: Beat | None = None

    def observe(self, beat: Beat | None, now_s: float) -> RenderError | None:
        """Take note of the latest beat, if there is one; answers why the attempt must be stopped, if it must."""
        if beat is not None:
            self.last = beat
            self._beat_s = now_s
            if self._began_s is None:
                self._began_s = now_s
            if beat.ticks != self._ticks:
                self._ticks, self._progress_s = beat.ticks, now_s
        if self._began_s is None:
            return None
        limits = self._limits
        if now_s - self._began_s > limits.deadline_s:
            return ViewTimedOut(view=self._name, limit_s=limits.deadline_s, reason="past its deadline")
        if now_s - self._progress_s > limits.stall_s:
            return ViewStalled(view=self._name, limit_s=limits.stall_s, reason=f"stuck while {self._phase}")
        if now_s - self._beat_s > limits.lease_s:
            return ViewStalled(view=self._name, limit_s=limits.lease_s, reason="its heartbeat stopped")
        return None

    def blind(self, passed_s: float) -> None:
        """The store did not answer for so long: what could not be seen is not held against the attempt."""
        if self._began_s is not None:
            self._progress_s += passed_s
            self._beat_s += passed_s

    @property
    def _phase(self) -> str:
        return self.last.phase if self.last and self.last.phase else "working"
