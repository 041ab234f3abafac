"""Step 2: the design lies under the job's own keys."""

from collections.abc import Mapping
from typing import Any

from farm.domain import keys
from farm.domain.artifact import Artifact, Kind
from farm.render.bulkhead import blocking
from farm.render.steps.designs import PNG, fetched, obtain, put_away, take_over
from farm.render.steps.parts import Parts
from farm.saga.step import StepContext


class UploadDesign:
    """Moves the normalised designs from the upload's keys to the job's, checking every byte on the way.

    A design that the request names by its address is fetched and decoded here first.

    Idempotency: a design that is there already with the right hash is left alone; what was fetched is noted, so that
    every later attempt has the same bytes.
    Compensation: uploads and designs are removed; a failed job keeps its designs for ``FARM_RETRY_DAYS``, so that a
    retry works (the audit counts them as retained).
    """

    name = "upload_design"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.retry = parts.patient
        self.timeout_s = parts.settings.step_timeout_s

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        stored, warnings = [], []
        for index in range(len(ctx.input["designs"])):
            design = await obtain(ctx, self._parts, index)
            warnings += design.get("warnings", [])
            artifact = Artifact(
                kind=Kind.DESIGN,
                name=f"design_{index}.png",
                key=await take_over(ctx, self._parts.store, index, design),
                sha256=design["sha256"],
                size_bytes=design["size_bytes"],
                content_type=PNG,
                width_px=design["width_px"],
                height_px=design["height_px"],
            )
            stored.append(artifact.to_dict())
            await ctx.reach("inside")
        await blocking(self._parts.store.delete_prefix, keys.uploads(ctx.input["tenant"], ctx.saga_id))
        return {"designs": stored} | ({"warnings": warnings} if warnings else {})

    async def compensate(self, ctx: StepContext) -> None:
        await ctx.reach("inside")
        given = ctx.input["designs"]
        await put_away(ctx, self._parts, fetched(ctx) if any("url" in design for design in given) else given)
