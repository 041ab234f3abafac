"""A product of the farm's own catalogue as the list of what was done to it.

What the product shows is a fold over that list. To take a job back its change is struck from the list and the rest is
folded again: the product is then as if that job had never been, whatever others did before, between and after, and in
whichever order several jobs are taken back. Pure; the catalogues keep it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from farm.errors import ShopRefused
from farm.render.ports import Association, MediaEntry, Product

MOST_CHANGES = 32
"""Older ones become part of the ground: taken back then, they leave without what they replaced coming back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a product shows; ``thumbnail_of`` is the job that set the thumbnail, if a job did."""

    media: tuple[MediaEntry, ...] = ()
    thumbnail: str | None = None
    thumbnail_of: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A job attached its pictures.

    Attributes:
        entries: as they are shown; an equal picture that changed owner keeps the id it had.
        metadata: of the job, shown under the job's own key.
        superseded: the jobs that gave way at that time.
        created: whether the product came to be by this.
    """

    job_id: str
    fabric_color: str
    entries: tuple[MediaEntry, ...]
    thumbnail: str | None
    replace: bool
    metadata: Mapping[str, Any]
    superseded: tuple[str, ...]
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A person changed the product: entries put (by id, in place where they are there), entries removed, thumbnail."""

    put: tuple[MediaEntry, ...] = ()
    removed: tuple[str, ...] = ()
    thumbnail: str | None = None


type Change = Linked | Edited


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductHistory:
    """One product.

    Attributes:
        kept: whether a person made it, or put something on it; else it goes with the last of its jobs.
        ground: what it showed before ``changes``.
    """

    tenant: str
    product_id: str
    kept: bool
    ground: Shown = field(default_factory=Shown)
    changes: tuple[Change, ...] = ()

    def shown(self) -> Shown:
        shown = self.ground
        for change in self.changes:
            shown = _after(shown, change)
        return shown

    def links(self) -> tuple[Linked, ...]:
        """Jobs that can be taken back wholly, oldest first; those that gave way are among them."""
        return tuple(change for change in self.changes if isinstance(change, Linked))

    def product(self) -> Product:
        shown = self.shown()
        jobs = [entry.job_id for entry in self.ground.media] + [link.job_id for link in self.links()]
        return Product(
            tenant=self.tenant,
            id=self.product_id,
            media=shown.media,
            thumbnail=shown.thumbnail,
            metadata=shown.metadata,
            created_by=None if self.kept else next(iter(jobs), None),
        )


def metadata_key(job_id: str) -> str:
    """Where a job's metadata stand in the product's."""
    return f"render_{job_id}"


def associated(
    history: ProductHistory | None, tenant: str, product_id: str, wanted: Association
) -> tuple[ProductHistory, Mapping[str, Any]]:
    """The product with the job's pictures, and the answer of `ProductCatalog.associate`; unchanged if they are there.

    Raises:
        ShopRefused: an id is in use for another picture.
    """
    before = history or ProductHistory(tenant=tenant, product_id=product_id, kept=False)
    if (done := _done(before, wanted.job_id)) is not None:
        return before, done
    shown = before.shown()
    gone = _giving_way(shown, wanted.job_id, wanted.fabric_color, replaces=wanted.replace and bool(wanted.entries))
    ids = {entry.url: entry.id for entry in reversed(gone)}
    entries = tuple(
        replace(entry, id=ids.pop(entry.url, entry.id), job_id=wanted.job_id, fabric_color=wanted.fabric_color)
        for entry in wanted.entries
    )
    taken = {entry.id for entry in shown.media} - {entry.id for entry in gone}
    for entry in entries:
        if entry.id in taken:
            raise ShopRefused(product_id=product_id, reason=f"the media id {entry.id!r} is in use")
        taken.add(entry.id)
    link = Linked(
        job_id=wanted.job_id,
        fabric_color=wanted.fabric_color,
        entries=entries,
        thumbnail=wanted.thumbnail,
        replace=wanted.replace and bool(entries),
        metadata=dict(wanted.metadata),
        superseded=tuple(dict.fromkeys(str(entry.job_id) for entry in gone)),
        created=history is None,
    )
    return _changed(before, link), _answer(link)


def dissociated(history: ProductHistory | None, job_id: str) -> ProductHistory | None:
    """The product as if the job had never been; ``None`` when it then is not there at all."""
    if history is None:
        return None
    ground = history.ground
    # Of a job that has become part of the ground: what is its own goes.
    if any(entry.job_id == job_id for entry in ground.media):
        ground = replace(ground, media=tuple(entry for entry in ground.media if entry.job_id != job_id))
    if ground.thumbnail_of == job_id:
        ground = replace(ground, thumbnail=None, thumbnail_of=None)
    if metadata_key(job_id) in ground.metadata:
        ground = replace(ground, metadata=_without(ground.metadata, {job_id}))
    changes = tuple(
        change for change in history.changes if not (isinstance(change, Linked) and change.job_id == job_id)
    )
    left = _settled(replace(history, ground=ground, changes=changes))
    is_there = left.kept or left.changes or left.ground.media or left.ground.metadata
    return left if is_there else None


def edited(history: ProductHistory, change: Edited) -> ProductHistory:
    """The product changed by hand. One that a job created stays from now on, if entries were put on it."""
    entries = tuple(replace(entry, job_id=None) for entry in change.put)
    return _changed(replace(history, kept=history.kept or bool(entries)), replace(change, put=entries))


def _done(history: ProductHistory, job_id: str) -> Mapping[str, Any] | None:
    for link in history.links():
        if link.job_id == job_id:
            return _answer(link)
    media_ids = [entry.id for entry in history.ground.media if entry.job_id == job_id]
    if media_ids or metadata_key(job_id) in history.ground.metadata:
        return {"media_ids": media_ids, "superseded": [], "created_product": False}
    return None


def _answer(link: Linked) -> Mapping[str, Any]:
    return {
        "media_ids": [entry.id for entry in link.entries],
        "superseded": list(link.superseded),
        "created_product": link.created,
    }


def _changed(history: ProductHistory, change: Change) -> ProductHistory:
    return _settled(replace(history, changes=(*history.changes, change)))


def _settled(history: ProductHistory) -> ProductHistory:
    """The same product with a shorter list: nobody strikes what stands before the first job, or what is long past."""
    ground, changes = history.ground, history.changes
    while changes and (isinstance(changes[0], Edited) or len(changes) > MOST_CHANGES):
        ground = _after(ground, changes[0])
        changes = changes[1:]
    return replace(history, ground=ground, changes=changes)


def _after(shown: Shown, change: Change) -> Shown:
    return _after_link(shown, change) if isinstance(change, Linked) else _after_edit(shown, change)


def _after_link(shown: Shown, link: Linked) -> Shown:
    gone = _giving_way(shown, link.job_id, link.fabric_color, replaces=link.replace)
    # The new pictures stand where the old ones stood, so that a second render does not move a product's pictures about.
    place = shown.media.index(gone[0]) if gone else len(shown.media)
    left = [entry for entry in shown.media if entry not in gone]
    metadata = _without(shown.metadata, {entry.job_id for entry in gone})
    if link.metadata:
        metadata[metadata_key(link.job_id)] = dict(link.metadata)
    return Shown(
        media=(*left[:place], *link.entries, *left[place:]),
        thumbnail=shown.thumbnail if link.thumbnail is None else link.thumbnail,
        thumbnail_of=shown.thumbnail_of if link.thumbnail is None else link.job_id,
        metadata=metadata,
    )


def _after_edit(shown: Shown, edit: Edited) -> Shown:
    media = {entry.id: entry for entry in shown.media if entry.id not in edit.removed}
    media.update((entry.id, entry) for entry in edit.put)
    return replace(
        shown,
        media=tuple(media.values()),
        thumbnail=shown.thumbnail if edit.thumbnail is None else edit.thumbnail,
        thumbnail_of=shown.thumbnail_of if edit.thumbnail is None else None,
    )


def _giving_way(shown: Shown, job_id: str, fabric_color: str, *, replaces: bool) -> Sequence[MediaEntry]:
    """The farm's entries of that colour; entries without a job were put there by hand and stay."""
    if not replaces:
        return []
    return [
        entry
        for entry in shown.media
        if entry.job_id is not None and entry.job_id != job_id and entry.fabric_color == fabric_color
    ]


def _without(metadata: Mapping[str, Any], jobs: set[str] | set[str | None]) -> dict[str, Any]:
    keys = {metadata_key(job_id) for job_id in jobs if job_id is not None}
    return {key: value for key, value in metadata.items() if key not in keys}
