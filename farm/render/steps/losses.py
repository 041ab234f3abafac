"""Losses: the attempts of a job that failed, over all its views; past a limit the job is given up."""

from dataclasses import dataclass
from typing import Self

from farm.errors import FarmError, JobHopeless, RenderError
from farm.saga.step import StepContext


@dataclass(slots=True)
class Losses:
    """How many attempts of a job failed in all; past the limit it is given up, whichever view it was.

    What the world did (a store away, a cluster gone) is not held against the job: that passes.
    """

    limit: int
    failed: int = 0

    @classmethod
    def of(cls, ctx: StepContext, limit: int) -> Self:
        """With those that the journal knows: a crash forgives nothing."""
        return cls(limit, sum(note.get("event") in ("view_failed", "model_failed") for note in ctx.notes))

    def count(self, error: FarmError) -> None:
        """One more.

        Raises:
            JobHopeless: when it is one too many.
        """
        if not isinstance(error, RenderError):
            return
        self.failed += 1
        if self.failed > self.limit:
            raise JobHopeless(
                failures=self.failed, limit=self.limit, reason=error.message, cause=error.to_dict()
            ) from error
