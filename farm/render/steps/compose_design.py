"""Step 3: the design lies on the garment's flat panels."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from farm.domain import keys
from farm.domain.ids import new_token
from farm.render.bulkhead import blocking
from farm.render.ports import ComposeTask, ObjectStore
from farm.render.steps.parts import Parts
from farm.saga.step import StepContext


class ComposeDesign:
    """Has a worker compose every printed panel's texture.

    Idempotency: each attempt writes under a prefix of its own; only the recorded one counts.
    Compensation: all composed textures of the job are removed.
    """

    name = "compose_design"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.retry = parts.retry
        self.timeout_s = parts.settings.step_timeout_s

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        task = ComposeTask(
            tenant=ctx.input["tenant"],
            job_id=ctx.saga_id,
            token=f"{COMPOSED}{new_token()}",
            request=ctx.input["request"],
            designs=tuple(ctx.outputs["upload_design"]["designs"]),
            template_hash=ctx.input["template"]["hash"],
        )
        textures = await self._parts.workers.compose(task)
        await ctx.reach("inside")
        return {"textures": [asdict(texture) for texture in textures]}

    async def compensate(self, ctx: StepContext) -> None:
        await ctx.reach("inside")
        await blocking(_delete_composed, self._parts.store, keys.work(ctx.input["tenant"], ctx.saga_id))


def _delete_composed(store: ObjectStore, prefix: str) -> None:
    store.delete([item.key for item in store.list(prefix) if item.key.startswith(prefix + COMPOSED)])


COMPOSED = "compose-"
"""Begins the token of a composing attempt, so that its objects are told from those of the views."""
