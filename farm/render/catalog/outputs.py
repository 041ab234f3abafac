"""The outputs of a relit row: where they lie and what is known of them. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from farm.domain import keys
from farm.domain.artifact import Artifact, Kind
from farm.domain.request import Format


def output_key(tenant: str, job_id: str, token: str, name: str) -> str:
    """Where a row's output lies: under the attempt that made it, so that a late one overwrites nothing."""
    return keys.out(tenant, job_id, f"{token}/{name}")


def artifacts_of(
    tenant: str, job_id: str, token: str, written_as: str, views: Iterable[Mapping[str, Any]]
) -> list[Artifact]:
    """A relit row's stills.

    Args:
        token: of the attempt that made them.
        written_as: the request's format.
        views: what the worker answered for each.
    """
    form = Format(written_as)
    return [
        Artifact(
            kind=Kind.STILL,
            name=view["view"] + form.suffix,
            key=output_key(tenant, job_id, token, view["view"] + form.suffix),
            sha256=view["sha256"],
            size_bytes=view["size_bytes"],
            content_type=form.content_type,
            width_px=view["width_px"],
            height_px=view["height_px"],
            view=view["view"],
            fingerprint=view["fingerprint"],
        )
        for view in views
    ]
