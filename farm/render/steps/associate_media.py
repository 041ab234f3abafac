"""Step 6: the product shows the pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

from farm.domain.artifact import Artifact, Kind
from farm.domain.request import Media
from farm.domain.view import THUMBNAIL
from farm.render.ports import Association, MediaEntry
from farm.render.steps.parts import Parts
from farm.saga.step import StepContext

_FILES = (Kind.FILM, Kind.MODEL)
"""What a product's picture list cannot hold."""


class AssociateMedia:
    """One write to the product: an entry per still, the front view as thumbnail, film and model in the metadata.

    Idempotency: entries have ids made of job and view; the catalogue keeps one record per job.
    Compensation: exactly this job's entries go, and what they replaced comes back.
    """

    name = "associate_media"

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.retry = parts.patient
        self.timeout_s = parts.settings.step_timeout_s

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        request = ctx.input["request"]
        if request["product_id"] is None:
            await ctx.reach("inside")
            return {"skipped": "the request names no product"}
        artifacts = [Artifact.from_dict(item) for item in ctx.outputs["store_outputs"]["artifacts"]]
        wanted = association(ctx.saga_id, request, artifacts, self._parts.store.url)
        result = await self._parts.catalog.associate(ctx.input["tenant"], request["product_id"], wanted)
        await ctx.reach("inside")
        return result

    async def compensate(self, ctx: StepContext) -> None:
        request = ctx.input["request"]
        await ctx.reach("inside")
        if request["product_id"] is not None:
            await self._parts.catalog.dissociate(ctx.input["tenant"], request["product_id"], ctx.saga_id)


def association(job_id: str, request: Mapping[str, Any], artifacts: list[Artifact], url_of: Any) -> Association:
    """What a job's outputs are to its product."""
    stills = [artifact for artifact in artifacts if artifact.kind is Kind.STILL]
    replaces = request["media"] == Media.REPLACE
    thumbnail = thumbnail_of([artifact.to_dict() for artifact in stills], replace=replaces)
    return Association(
        job_id=job_id,
        fabric_color=request["fabric_color"],
        entries=tuple(
            MediaEntry(
                id=media_id(job_id, str(artifact.view)),
                url=url_of(artifact.key),
                job_id=job_id,
                view=artifact.view,
                fabric_color=request["fabric_color"],
            )
            for artifact in stills
        ),
        thumbnail=url_of(thumbnail["key"]) if thumbnail else None,
        replace=replaces,
        metadata={artifact.name: url_of(artifact.key) for artifact in artifacts if artifact.kind in _FILES},
    )


def thumbnail_of(artifacts: Sequence[Mapping[str, Any]], *, replace: bool) -> Mapping[str, Any] | None:
    """The artifact that becomes the product's thumbnail: the front view.

    A job that replaces the front view without having one of its own gives its first still: the old thumbnail's picture
    is no longer among the media then.
    """
    stills = [artifact for artifact in artifacts if artifact["kind"] == Kind.STILL]
    front = [artifact for artifact in stills if artifact["view"] == THUMBNAIL]
    return next(iter(front or (stills if replace else ())), None)


def media_id(job_id: str, view: str) -> str:
    """A media entry's id: the same for the same job and view, so that a repeated write is the same entry."""
    return f"{job_id}.{view}"
