"""A garment template as the farm sees it: its panels, print areas and presets, read from ``template.json``.

How the garment is built, draped and lit is Blender's business; the farm needs to know where a print may go.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from blender.seal import broken_seals
from farm.domain.panel import PanelShape
from farm.domain.placement import Fit, Panel, Placement
from farm.errors import InvalidRequest, NotFound, TemplateBroken

TEMPLATE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
"""The form of a template's id, which is its folder's name too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named box on a panel, cm; x and y are its centre."""

    panel: Panel
    x_cm: float
    y_cm: float
    width_cm: float
    height_cm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A garment, versioned: ``hash`` covers every file that determines the picture."""

    id: str
    version: str
    name: str
    hash: str
    folder: Path
    panels: Mapping[Panel, PanelShape]
    presets: Mapping[str, Preset]
    files: Mapping[str, str]
    facts: Mapping[str, Any]
    """All of ``template.json``."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a template's folder.

        Raises:
            TemplateBroken: when ``template.json`` is missing, unreadable or lacks a member.
        """
        try:
            data = json.loads((folder / "template.json").read_text("utf-8"))
            return cls._from_json(folder, data)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TemplateBroken(template=folder.name, reason=f"{type(error).__name__}: {error}") from error

    @classmethod
    def _from_json(cls, folder: Path, data: Mapping[str, Any]) -> Self:
        printable = {panel.value for panel in Panel}
        return cls(
            id=data["id"],
            version=str(data["version"]),
            name=data["name"],
            hash=data["hash"],
            folder=folder,
            panels={
                Panel(name): PanelShape.from_template(name, panel)
                for name, panel in data["panels"].items()
                if name in printable
            },
            presets={
                name: Preset(
                    panel=Panel(box["panel"]),
                    x_cm=float(box["x_cm"]),
                    y_cm=float(box["y_cm"]),
                    width_cm=float(box["width_cm"]),
                    height_cm=float(box["height_cm"]),
                )
                for name, box in data["presets"].items()
            },
            files=dict(data["files"]),
            facts=data,
        )

    def placements(self, preset: str | None, placements: tuple[Placement, ...], designs: int) -> tuple[Placement, ...]:
        """The layers of a request: its own, else the preset's box with the first design fitted inside.

        Raises:
            InvalidRequest: for an unknown preset, a panel this garment lacks, or a design that was not sent.
        """
        if not placements:
            box = self.presets.get(preset or "")
            if box is None:
                raise InvalidRequest(
                    reason=f"{self.id} has no preset {preset!r}; it has {', '.join(sorted(self.presets))}",
                    errors=[{"pointer": "/preset", "reason": "unknown preset"}],
                )
            placements = (
                Placement(
                    panel=box.panel,
                    x_cm=box.x_cm,
                    y_cm=box.y_cm,
                    width_cm=box.width_cm,
                    height_cm=box.height_cm,
                    fit=Fit.CONTAIN,
                ),
            )
        for number, placement in enumerate(placements):
            if placement.panel not in self.panels:
                raise InvalidRequest(
                    reason=f"{self.id} has no panel {placement.panel}",
                    errors=[{"pointer": f"/placements/{number}/panel", "reason": "unknown panel"}],
                )
            if placement.design >= designs:
                raise InvalidRequest(
                    reason=f"placement {number} names design {placement.design}, but {designs} came, counted from 0",
                    errors=[{"pointer": f"/placements/{number}/design", "reason": "no such design"}],
                )
        return placements

    def broken_seals(self) -> list[str]:
        """What is no longer as it was when the template was built, a sentence each."""
        return list(broken_seals(self.folder, self.facts))

    def verify(self) -> None:
        """Check every file, and ``template.json`` itself, against its hash.

        Raises:
            TemplateBroken: naming the first thing that differs.
        """
        for broken in self.broken_seals():
            raise TemplateBroken(template=self.id, reason=broken)


def find(folders: Sequence[Path], template: str) -> Template:
    """The template of that id in the folders of templates.

    A name means one garment: where two folders have one of that name, neither is taken before the other.

    Raises:
        NotFound: when there is none.
        TemplateBroken: when it cannot be read, calls itself otherwise, or two differ under one name.
    """
    found = [folder / template for folder in folders if (folder / template / "template.json").is_file()]
    if not found or not TEMPLATE_ID.fullmatch(template):
        raise NotFound(kind="template", id=template)
    loaded = [_unchanged(folder, _version(folder)) for folder in found]
    if len({one.hash for one in loaded}) > 1:
        places = " and ".join(str(one.folder) for one in loaded)
        raise TemplateBroken(template=template, reason=f"{places} differ; remove one, or give it another name")
    if loaded[0].id != template:
        reason = f"{found[0]} calls itself {loaded[0].id!r}; folder and id must be the same"
        raise TemplateBroken(template=template, reason=reason)
    return loaded[0]


def _version(folder: Path) -> tuple[int, int, int]:
    """Another one whenever ``template.json`` is written anew."""
    try:
        told = (folder / "template.json").stat()
    except OSError:
        return 0, 0, 0  # it went just now: reading it says so
    return told.st_mtime_ns, told.st_ino, told.st_size


@lru_cache(maxsize=64)
def _unchanged(folder: Path, version: tuple[int, int, int]) -> Template:
    """The template in a folder, read once for as long as it is of this version: each request asks for one."""
    return Template.load(folder)


def every(folders: Sequence[Path]) -> list[Path]:
    """The folders of all templates, by name; a broken one is among them."""
    found = [path.parent for folder in folders for path in folder.glob("*/template.json")]
    return sorted((path for path in found if TEMPLATE_ID.fullmatch(path.name)), key=lambda path: (path.name, str(path)))
