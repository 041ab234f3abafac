"""A job's designs: first uploads that wait for their job, then its own, at last kept for a retry or gone."""

from collections.abc import Mapping, Sequence
from typing import Any

from farm.domain import keys
from farm.errors import ObjectAltered, ObjectMissing
from farm.render.bulkhead import blocking, from_strangers
from farm.render.ports import ObjectStore
from farm.render.prepare import prepare_fetched
from farm.render.steps.parts import Parts
from farm.saga.step import StepContext

PNG = "image/png"
FETCHED = "design_fetched"
"""The note that says what lay behind an address when it was fetched: from then on the job has its design."""


async def obtain(ctx: StepContext, parts: Parts, index: int) -> Mapping[str, Any]:
    """One design as it was accepted or, where the request names an address, as it was fetched; once for all attempts.

    Raises:
        BadDesign, LowResolution, DesignNotFound, FetchRefused, FetchFailed: when there is none at the address.
    """
    design: Mapping[str, Any] = ctx.input["designs"][index]
    if "url" not in design:
        return design
    found = next((note for note in fetched(ctx) if note["index"] == index), None)
    if found is not None:
        return found
    data = await from_strangers(ctx.input["tenant"], parts.fetch, design["url"])
    prepared, warnings = await blocking(prepare_fetched, parts.settings, ctx.input["request"], index, data)
    # Under the attempt's own prefix: one that comes too late, and met other bytes, harms nobody.
    key = f"{keys.uploads(ctx.input['tenant'], ctx.saga_id)}{ctx.token}/{index}.png"
    await blocking(parts.store.put, key, prepared.data, content_type=PNG)
    note = {
        "event": FETCHED,
        "index": index,
        "key": key,
        "sha256": prepared.sha256,
        "size_bytes": len(prepared.data),
        "width_px": prepared.width_px,
        "height_px": prepared.height_px,
        "warnings": warnings,
    }
    await ctx.note(note)
    return note


def fetched(ctx: StepContext) -> Sequence[Mapping[str, Any]]:
    """The notes of `obtain` in this step."""
    return [note for note in ctx.notes if note.get("event") == FETCHED]


async def take_over(ctx: StepContext, store: ObjectStore, index: int, design: Mapping[str, Any]) -> str:
    """Bring one uploaded design under the job's own keys, unless it is there; returns its key.

    Raises:
        ObjectMissing, ObjectAltered: when neither upload nor design is what was accepted.
    """
    key = keys.design(ctx.input["tenant"], ctx.saga_id, index)
    if not await blocking(_is_there, store, key, design["sha256"]):
        await blocking(store.copy, design["key"], key)
        await blocking(store.get, key, sha256=design["sha256"])
    return key


async def put_away(ctx: StepContext, parts: Parts, designs: Sequence[Mapping[str, Any]]) -> None:
    """While undoing: keep the designs of a failed job for ``FARM_RETRY_DAYS``, remove all others; uploads go.

    Args:
        designs: as far as they are known; a retry needs all of them.
    """
    tenant, store = ctx.input["tenant"], parts.store
    keep = ctx.reason == "failed" and parts.settings.retry_days > 0 and len(designs) == len(ctx.input["designs"])
    if keep:
        try:
            for index, design in enumerate(designs):
                await take_over(ctx, store, index, design)
        except (ObjectMissing, ObjectAltered):
            keep = False
    if not keep:
        await blocking(store.delete_prefix, keys.designs(tenant, ctx.saga_id))
    await blocking(store.delete_prefix, keys.uploads(tenant, ctx.saga_id))


def _is_there(store: ObjectStore, key: str, sha256: str) -> bool:
    try:
        store.get(key, sha256=sha256)
    except (ObjectMissing, ObjectAltered):
        return False
    return True
