"""The attempt: work that can be stopped for a reason, and is over only when it has really ended."""

import asyncio
from collections.abc import Coroutine
from enum import StrEnum
from typing import Any

from farm.concurrency import leaves, wait_out
from farm.errors import FarmError, Fenced, InfrastructureError
from farm.saga.clock import Clock


class Stop(StrEnum):
    """Why an attempt was stopped."""

    TIMEOUT = "timeout"
    CANCEL = "cancel"
    LOST = "lost"
    """The lease is another's."""


class Stopped(Exception):
    """The attempt ended because it was stopped; never leaves the engine."""

    def __init__(self, why: Stop) -> None:
        super().__init__(why.value)
        self.why = why


class Attempt[T]:
    """Runs a coroutine as a task of its own."""

    def __init__(self, work: Coroutine[Any, Any, T], clock: Clock, *, timeout_s: float = float("inf")) -> None:
        self._task = asyncio.ensure_future(work)
        self._why: Stop | None = None
        self._timer = clock.call_later(max(0.0, timeout_s), self._time_out) if timeout_s != float("inf") else None

    def _time_out(self) -> None:
        self.stop(Stop.TIMEOUT)

    def stop(self, why: Stop) -> None:
        """Cancel the work; the first reason stands."""
        if self._why is None and not self._task.done():
            self._why = why
            self._task.cancel()

    async def result(self) -> T:
        """Wait until the work has ended.

        When the awaiting task is itself cancelled, the work is cancelled, waited for, and the cancellation goes on.

        Raises:
            Stopped: when it was stopped and did not finish all the same.
            Exception: what the work raised; of a group the error that decides about a retry.
        """
        try:
            await wait_out(self._task, pass_on=True)
        finally:
            if self._timer is not None:
                self._timer.cancel()
        if self._task.cancelled():
            if self._why is None:
                raise InfrastructureError(reason="the step's task was cancelled from outside")
            raise Stopped(self._why)
        error = self._task.exception()
        if error is None:
            return self._task.result()
        if self._why is not None and isinstance(error, Exception):
            raise Stopped(self._why) from error
        raise _decisive(error)


def _decisive(error: BaseException) -> BaseException:
    """Of an exception group the leaf that matters most: fencing, else what no retry can help, else the first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    failures = list(leaves(error))
    for failure in failures:
        if isinstance(failure, Fenced):
            return failure
    for failure in failures:
        if not (isinstance(failure, FarmError) and failure.retryable):
            return failure
    return failures[0]
