"""Step 1: the job exists."""

from collections.abc import Mapping
from typing import Any

from farm.render.steps.designs import put_away
from farm.render.steps.parts import Parts
from farm.saga.step import StepContext


class CreateJob:
    """Record and uploads are made when the job is accepted, before the caller is answered; this step takes them over.

    Idempotency: no further effect.
    Compensation: the uploads are put away (see `farm.render.steps.designs`); the record stays for audit and ends as
    ``failed`` or ``cancelled``.
    """

    name = "create_job"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.retry = parts.retry
        self.timeout_s = parts.settings.step_timeout_s

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        await ctx.reach("inside")
        return {}

    async def compensate(self, ctx: StepContext) -> None:
        await ctx.reach("inside")
        given = ctx.input["designs"]
        if any("url" in design for design in given):
            return  # what was fetched is the next step's to put away, and nothing else was there
        await put_away(ctx, self._parts, given)
