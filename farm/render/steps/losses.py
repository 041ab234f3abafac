"""Losses: the attempts of a job that failed, over all its views; past a limit the job is given up."""

from dataclasses import dataclass
from typing import Any, Self

from farm.errors import FarmError, JobHopeless, RenderError, describe
from farm.saga.step import StepContext

_FAILED = frozenset({"view_failed", "frame_failed", "model_failed"})
"""The notes of failed attempts."""


def counts(error: FarmError) -> bool:
    """Whether a failed attempt is held against the job."""
    return isinstance(error, RenderError)


def failure(error: FarmError) -> dict[str, Any]:
    """What a note of a failed attempt says of it."""
    return {"error": describe(error), "counts": counts(error)}


@dataclass(slots=True)
class Losses:
    """How many attempts of a job failed in all; past the limit it is given up, whichever view it was.

    What the world did (a store away, a cluster gone) is not held against the job: that passes.
    """

    limit: int
    failed: int = 0

    @classmethod
    def of(cls, ctx: StepContext, limit: int) -> Self:
        """With those that the journal knows: a crash forgives nothing, and holds nothing more against the job.

        Notes of former versions do not say whether they count; they do.
        """
        return cls(limit, sum(note.get("event") in _FAILED and note.get("counts", True) for note in ctx.notes))

    def count(self, error: FarmError) -> None:
        """One more.

        Raises:
            JobHopeless: when it is one too many.
        """
        if not counts(error):
            return
        self.failed += 1
        if self.failed > self.limit:
            raise JobHopeless(
                failures=self.failed, limit=self.limit, reason=error.message, cause=error.to_dict()
            ) from error
