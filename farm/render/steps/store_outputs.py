"""Step 5: the outputs lie at their public keys, and the manifest says so."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from farm.domain import keys
from farm.domain.artifact import Artifact
from farm.render.bulkhead import blocking
from farm.render.steps.parts import Parts
from farm.saga.step import StepContext


class StoreOutputs:
    """Copies every rendered file to its public key, reads each back, and writes the manifest last.

    Idempotency: the same bytes at the same keys, however often.
    Compensation: manifest first, then the outputs, are removed.
    """

    name = "store_outputs"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.retry = parts.patient
        self.timeout_s = parts.settings.step_timeout_s

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        tenant, store = ctx.input["tenant"], self._parts.store
        stored = []
        for item in ctx.outputs["render_design"]["artifacts"]:
            artifact = Artifact.from_dict(item)
            public = replace(artifact, key=keys.out(tenant, ctx.saga_id, artifact.name))
            await blocking(store.copy, artifact.key, public.key)
            await blocking(store.get, public.key, sha256=artifact.sha256)
            stored.append(public.to_dict())
            await ctx.reach("inside")
        manifest = {
            "schema": 1,
            "job_id": ctx.saga_id,
            "product_id": ctx.input["request"]["product_id"],
            "template": ctx.input["template"],
            "request": ctx.input["request"],
            "engine": ctx.input.get("engine", {}),
            "made": ctx.outputs["render_design"].get("made", {}),
            "outputs": stored,
        }
        if warnings := ctx.outputs["render_design"].get("warnings"):
            manifest["warnings"] = warnings
        data = json.dumps(manifest, indent=1, sort_keys=True).encode()
        await blocking(store.put, keys.manifest(tenant, ctx.saga_id), data, content_type="application/json")
        return {"artifacts": stored}

    async def compensate(self, ctx: StepContext) -> None:
        tenant, store = ctx.input["tenant"], self._parts.store
        await blocking(store.delete, [keys.manifest(tenant, ctx.saga_id)])
        await ctx.reach("inside")
        await blocking(store.delete_prefix, keys.out(tenant, ctx.saga_id))
