"""Step 7: nothing temporary is left; what follows is the pivot."""

from collections.abc import Mapping
from typing import Any

from farm.domain import keys
from farm.render.bulkhead import blocking
from farm.render.steps.parts import Parts
from farm.saga.step import StepContext


class CompleteJob:
    """Removes the attempts' files; the engine then appends ``completed``, after which nothing can fail the job.

    Idempotency: removing twice is removing once.
    Compensation: none: there is nothing to put back, and after the pivot nothing is undone.
    """

    name = "complete_job"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.retry = parts.retry
        self.timeout_s = parts.settings.step_timeout_s

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        await ctx.reach("inside")
        await blocking(self._parts.store.delete_prefix, keys.work(ctx.input["tenant"], ctx.saga_id))
        return {}

    async def compensate(self, ctx: StepContext) -> None:
        await ctx.reach("inside")
