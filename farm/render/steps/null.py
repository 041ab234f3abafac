"""Steps without effects, for benchmarks and soaks of the journal: same names, same failpoints, same order."""

from collections.abc import Mapping
from typing import Any

from farm.saga.retry import RetryPolicy
from farm.saga.step import Step, StepContext

_OUTPUTS: Mapping[str, Mapping[str, Any]] = {
    "upload_design": {"designs": []},
    "compose_design": {"textures": []},
    "render_design": {"artifacts": []},
    "store_outputs": {"artifacts": []},
    "associate_media": {"skipped": "no effects"},
}


class NullStep:
    """Takes a step's place and does nothing.

    Idempotency: nothing done twice is nothing.
    Compensation: nothing.
    """

    def __init__(self, step: Step) -> None:
        self.name = step.name
        self.retry: RetryPolicy = step.retry
        self.timeout_s = step.timeout_s

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        await ctx.reach("inside")
        return _OUTPUTS.get(self.name, {})

    async def compensate(self, ctx: StepContext) -> None:
        await ctx.reach("inside")


def null_steps(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The same steps without their effects."""
    return tuple(NullStep(step) for step in steps)
