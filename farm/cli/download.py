"""Bring a completed job's outputs into a folder: all of them first, then each renamed to its place."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from farm.domain import keys
from farm.errors import DiskFull, InfrastructureError, InvalidRequest

if TYPE_CHECKING:
    from farm.render.ports import ObjectStore

CONTACT_SHEET = "contact-sheet.png"
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFile:
    """A file that was written."""

    path: Path
    size_bytes: int
    width_px: int = 0
    height_px: int = 0
    view: str | None = None


def check_folder(folder: Path) -> None:
    """Refuse a folder that cannot be written, before any work is done; nothing is made.

    Raises:
        InvalidRequest: saying why.
    """
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    reason = None
    if not place.is_dir():
        reason = f"{place} is a file"
    elif not os.access(place, os.W_OK | os.X_OK):
        reason = f"{place} cannot be written"
    if reason:
        raise InvalidRequest(reason=reason, errors=[{"pointer": "/out", "reason": reason}])


def save_outputs(store: "ObjectStore", record: Mapping[str, Any], folder: Path) -> list[SavedFile]:
    """Fetch every output, check it against its hash, and write it with the manifest and a contact sheet.

    Raises:
        StorageUnavailable, ObjectMissing, ObjectAltered: as the store says.
        DiskFull, InfrastructureError: when the folder cannot be written; what was there before is still there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".farm-", dir=folder))
        try:
            saved = _fetch(store, record, beside)
            for file in saved:
                file.path.replace(folder / file.path.name)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(what=str(folder)) from error
        raise InfrastructureError(reason=f"{folder}: {error.strerror or error}") from error
    return [
        SavedFile(
            path=folder / file.path.name,
            size_bytes=file.size_bytes,
            width_px=file.width_px,
            height_px=file.height_px,
            view=file.view,
        )
        for file in saved
    ]


def _there(path: Path, artifact: Mapping[str, Any]) -> bytes | None:
    """The output's bytes where they lie in the folder already, as they do when the command brought it early."""
    try:
        if path.stat().st_size != artifact["size_bytes"]:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == artifact["sha256"] else None


def _fetch(store: "ObjectStore", record: Mapping[str, Any], beside: Path) -> list[SavedFile]:
    saved, stills = [], []
    for artifact in record["artifacts"]:
        # The name came from the farm's own journal; a path in it would still be one too many.
        path = beside / Path(artifact["name"]).name
        path.write_bytes(
            _there(beside.parent / path.name, artifact) or store.get(artifact["key"], sha256=artifact["sha256"])
        )
        if artifact["kind"] == "still":
            stills.append((artifact["view"], path))
        saved.append(
            SavedFile(
                path=path,
                size_bytes=path.stat().st_size,
                width_px=artifact["width_px"],
                height_px=artifact["height_px"],
                view=artifact["view"],
            )
        )
    manifest = beside / MANIFEST
    manifest.write_bytes(store.get(keys.manifest_of(record)))
    saved.append(SavedFile(path=manifest, size_bytes=manifest.stat().st_size))
    if stills:
        from farm.domain.shape import sides_text
        from farm.picture.contact_sheet import contact_sheet

        sheet = beside / CONTACT_SHEET
        request = record["request"]
        title = record["product_id"] or record["template"]["id"]
        relit = record["engine"].get("stills") == "relight"
        made = "relit" if relit else f"{request['samples']} samples"
        caption = f"{request['fabric_color']} · {sides_text(request)} · {made} · {record['id']}"
        sheet.write_bytes(contact_sheet(stills, title=title, caption=caption))
        saved.append(SavedFile(path=sheet, size_bytes=sheet.stat().st_size))
    return saved
