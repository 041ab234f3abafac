"""What a Medusa product shows, and how jobs change it: plain values and functions, from one state to the next.

The shop keeps no word about an image but id, url and place. So each job has a record in the product's metadata, under
``render_<job>``: its pictures, its colour, what the thumbnail was before, and, while a later job's pictures stand in
their place, which job that is and where they stood. The records are the truth; the list of images is made from them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from farm.domain.ids import JOB_ID
from farm.render.ports import Association

PREFIX = "render_"
KEPT_SUPERSEDED = 8
"""Jobs of a colour, beyond the shown ones, whose pictures can still come back; older ones are forgotten, because all
records and images of a product share its bounded size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One entry of the product's list."""

    id: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A job's entry. ``after``: while it gives way, the id that stood before it (``None``: it was the first)."""

    id: str
    url: str
    view: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a job did to the product.

    Attributes:
        previous_thumbnail: url, ``None`` when there was none.
        files: urls of film and model, by name.
        supersedes: the jobs whose pictures gave way when it came.
        superseded_by: the job whose pictures are shown instead.
    """

    fabric_color: str
    media: tuple[Picture, ...]
    previous_thumbnail: str | None = None
    files: Mapping[str, Any] = field(default_factory=dict)
    supersedes: tuple[str, ...] = ()
    superseded_by: str | None = None

    def to_json(self) -> dict[str, Any]:
        media = []
        for picture in self.media:
            entry = {"id": picture.id, "url": picture.url, "view": picture.view}
            media.append({**entry, "after": picture.after} if self.superseded_by else entry)
        data: dict[str, Any] = {
            "schema": 1,
            "fabric_color": self.fabric_color,
            "media": media,
            "previous_thumbnail": self.previous_thumbnail,
        }
        if self.files:
            data["files"] = dict(self.files)
        if self.supersedes:
            data["supersedes"] = list(self.supersedes)
        if self.superseded_by:
            data["superseded_by"] = self.superseded_by
        return data

    @classmethod
    def from_json(cls, data: Any) -> "Record | None":
        """``None`` for what is no record: people can edit metadata too."""
        try:
            media = tuple(
                Picture(
                    id=_text(entry["id"]),
                    url=_text(entry["url"]),
                    view=_text_or_none(entry.get("view")),
                    after=_text_or_none(entry.get("after")),
                )
                for entry in data["media"]
            )
            return cls(
                fabric_color=_text(data["fabric_color"]),
                media=media,
                previous_thumbnail=_text_or_none(data.get("previous_thumbnail")),
                files=dict(data.get("files") or {}),
                supersedes=tuple(_text(job_id) for job_id in data.get("supersedes") or ()),
                superseded_by=_text_or_none(data.get("superseded_by")),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


def is_record(key: str, value: Any) -> bool:
    """Whether a member of the product's metadata is a job's; the rest is the shop's own."""
    if not key.startswith(PREFIX):
        return False
    return JOB_ID.fullmatch(key.removeprefix(PREFIX)) is not None or Record.from_json(value) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """A product's pictures at one moment; ``records`` by job."""

    images: tuple[Image, ...] = ()
    thumbnail: str | None = None
    records: Mapping[str, Record] = field(default_factory=dict)

    @classmethod
    def from_json(cls, product: Mapping[str, Any]) -> "Shelf":
        """From the shop's own words.

        Raises:
            KeyError, TypeError, ValueError: when they are not those of a product.
        """
        ranked = sorted(product["images"] or (), key=lambda image: int(image.get("rank") or 0))
        records = {
            # One that was damaged by hand is still ours to remove.
            key.removeprefix(PREFIX): Record.from_json(value) or Record(fabric_color="", media=())
            for key, value in sorted((product["metadata"] or {}).items())
            if is_record(key, value)
        }
        return cls(
            images=tuple(Image(id=_text(image["id"]), url=_text(image["url"])) for image in ranked),
            thumbnail=_text_or_none(product["thumbnail"]) or None,
            records=records,
        )


def changes(before: Shelf, after: Shelf) -> dict[str, Any] | None:
    """The one write that leads from ``before`` to ``after``; ``None`` when there is nothing to write.

    It always carries the whole list of images: the shop replaces the list, so nothing less says what is meant.
    """
    if before == after:
        return None
    body: dict[str, Any] = {"images": [{"id": image.id, "url": image.url} for image in after.images]}
    if after.thumbnail != before.thumbnail:
        body["thumbnail"] = after.thumbnail
    records: dict[str, Any] = {
        PREFIX + job_id: record.to_json()
        for job_id, record in after.records.items()
        if before.records.get(job_id) != record
    }
    # The shop merges metadata by key; an empty text removes one.
    records |= {PREFIX + job_id: "" for job_id in before.records if job_id not in after.records}
    if records:
        body["metadata"] = records
    return body


def associated(shelf: Shelf, wanted: Association) -> Shelf:
    """The shelf with the job's pictures on it; the same shelf when they are there, or have been and gave way since."""
    record = shelf.records.get(wanted.job_id)
    shown = {image.id: image.url for image in shelf.images}
    if record is not None and (record.superseded_by or all(shown.get(new.id) == new.url for new in wanted.entries)):
        return shelf
    own = {entry.id for entry in wanted.entries}
    older = _giving_way(shelf, wanted) if record is None else {}
    leaving = own | {picture.id for old in older.values() for picture in old.media}
    place = next((n for n, image in enumerate(shelf.images) if image.id in leaving), len(shelf.images))
    images = [image for image in shelf.images if image.id not in leaving]
    images[place:place] = [Image(id=entry.id, url=entry.url) for entry in wanted.entries]

    before = {image.id: previous.id for previous, image in zip(shelf.images, shelf.images[1:], strict=False)}
    records = dict(shelf.records)
    for job_id, old in older.items():
        media = tuple(replace(new, after=before.get(new.id)) for new in old.media if new.id in shown)
        records[job_id] = replace(old, media=media, superseded_by=wanted.job_id)
    records[wanted.job_id] = Record(
        fabric_color=wanted.fabric_color,
        media=tuple(Picture(id=entry.id, url=entry.url, view=entry.view) for entry in wanted.entries),
        previous_thumbnail=record.previous_thumbnail if record else _not_of(shelf.thumbnail, wanted),
        files=dict(wanted.metadata),
        supersedes=record.supersedes if record else tuple(older),
    )
    # A picture put back by a repeated call does not take the thumbnail back from whoever changed it since.
    thumbnail = shelf.thumbnail if record else _thumbnail(shelf, wanted, older.values())
    return _pruned(Shelf(images=tuple(images), thumbnail=thumbnail, records=records), wanted.fabric_color)


def dissociated(shelf: Shelf, job_id: str) -> Shelf:
    """The shelf as if the job had never been; the same shelf when nothing of it is there."""
    record = shelf.records.get(job_id)
    own = {picture.id: picture.url for picture in record.media} if record else {}
    # Ids alone say whose they are where somebody has removed the record.
    own |= {image.id: image.url for image in shelf.images if image.id.startswith(f"{job_id}.")}
    if record is None and not own:
        return shelf
    previous = record.previous_thumbnail if record else None
    place = next((n for n, image in enumerate(shelf.images) if image.id in own), len(shelf.images))
    images = [image for image in shelf.images if image.id not in own]
    records = {}
    returning: list[Picture] = []
    for other_id, other in shelf.records.items():
        if other_id == job_id:
            continue
        if other.superseded_by == job_id:
            successor = record.superseded_by if record else None
            if successor is None:
                returning += other.media
                other = replace(other, media=tuple(replace(picture, after=None) for picture in other.media))
            other = replace(other, superseded_by=successor)
        if other.previous_thumbnail in own.values():
            other = replace(other, previous_thumbnail=previous)
        records[other_id] = other
    _put_back(images, returning, min(place, len(images)))
    thumbnail = shelf.thumbnail
    if thumbnail is not None and thumbnail in own.values():
        thumbnail = _still_shown(previous, records)
    return Shelf(images=tuple(images), thumbnail=thumbnail, records=records)


def mended(shelf: Shelf) -> Shelf:
    """The shelf with exactly the pictures its records speak of, after a writer overwrote it with an older list.

    A picture that a person removed from the list comes back too; that is why this is done only after such an accident.
    """
    hidden = {picture.id for record in shelf.records.values() if record.superseded_by for picture in record.media}
    images = [image for image in shelf.images if image.id not in hidden]
    present = {image.id for image in images}
    for record in shelf.records.values():
        if record.superseded_by is None:
            images += [Image(id=new.id, url=new.url) for new in record.media if new.id not in present]
    return replace(shelf, images=tuple(images))


def _giving_way(shelf: Shelf, wanted: Association) -> dict[str, Record]:
    if not (wanted.replace and wanted.entries):
        return {}
    return {
        job_id: record
        for job_id, record in shelf.records.items()
        if job_id != wanted.job_id and record.superseded_by is None and record.fabric_color == wanted.fabric_color
    }


def _thumbnail(shelf: Shelf, wanted: Association, older: Iterable[Record]) -> str | None:
    if wanted.thumbnail is not None:
        return wanted.thumbnail
    # The job brings no front view; it only must not leave a thumbnail behind whose picture it replaced.
    leaving = {picture.url for record in older for picture in record.media}
    return wanted.entries[0].url if shelf.thumbnail in leaving and wanted.entries else shelf.thumbnail


def _not_of(url: str | None, wanted: Association) -> str | None:
    """A job whose record somebody removed must not take its own picture for what was there before."""
    return None if url in {entry.url for entry in wanted.entries} else url


def _pruned(shelf: Shelf, fabric_color: str) -> Shelf:
    hidden = [
        job_id
        for job_id, record in sorted(shelf.records.items())
        if record.superseded_by and record.fabric_color == fabric_color
    ]
    for job_id in hidden[:-KEPT_SUPERSEDED]:
        shelf = dissociated(shelf, job_id)
    return shelf


def _put_back(images: list[Image], returning: list[Picture], place: int) -> None:
    """Each behind the entry that stood before it; where that is gone, at ``place``."""
    present = {image.id for image in images}
    waiting = [picture for picture in returning if picture.id not in present]
    while waiting:
        ready = next((picture for picture in waiting if picture.after is None or picture.after in present), None)
        picture = ready or waiting[0]
        if ready is None:
            at = place
        elif ready.after is None:
            at = 0
        else:
            at = 1 + next(n for n, image in enumerate(images) if image.id == ready.after)
        images.insert(at, Image(id=picture.id, url=picture.url))
        place += at <= place
        present.add(picture.id)
        waiting.remove(picture)


def _still_shown(url: str | None, records: Mapping[str, Record]) -> str | None:
    """The thumbnail to return to: the successor's, where the picture's own job gives way to another now."""
    seen: set[str] = set()
    while True:
        owner = next((record for record in records.values() if url in {new.url for new in record.media}), None)
        successor = owner.superseded_by if owner else None
        if owner is None or successor is None or successor in seen or successor not in records:
            return url
        seen.add(successor)
        view = next(new.view for new in owner.media if new.url == url)
        theirs = records[successor].media
        url = next((new.url for new in theirs if new.view == view), theirs[0].url if theirs else None)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"not a text: {type(value).__name__}")
    return value


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)
