"""The shelf: where garments are put and taken from. What is on it is whole; half-made ones stand beside it."""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farm.domain.template import TEMPLATE_ID, Template, every, find
from farm.errors import AlreadyExists, Conflict, InvalidRequest, NotFound, TemplateBroken, TemplateRefused
from farm.settings import Settings
from farm.wardrobe.child import Limits, run_blender

MAKING = ".making-"
"""Begins the name of a folder that is no template yet, or no longer."""
LEFT_S = 86_400.0
BUILD_LIMITS = Limits(seconds=3600.0, memory_bytes=32 * 1024**3, file_bytes=4 * 1024**3)
ADOPT_MEMORY_BYTES = 8 * 1024**3


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How a shop's file shall be known.

    Attributes:
        name: for people; empty: the id.
        license: SPDX expression.
        print_width_cm: of the texture square on the cloth, instead of what is measured.
    """

    name: str = ""
    license: str = "LicenseRef-shop"
    version: str = "1.0.0"
    print_width_cm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The templates of a farm."""

    settings: Settings

    def all(self) -> list[Template | TemplateBroken]:
        """Every template by name; one that cannot be read stands there as its error."""
        found: list[Template | TemplateBroken] = []
        seen: set[str] = set()
        for folder in every(self.settings.template_folders):
            if folder.name in seen:
                continue
            seen.add(folder.name)
            try:
                found.append(find(self.settings.template_folders, folder.name))
            except TemplateBroken as error:
                found.append(error)
        return found

    def get(self, template: str) -> Template:
        """The template of that id.

        Raises:
            NotFound, TemplateBroken: as `farm.domain.template.find`.
        """
        return find(self.settings.template_folders, template)

    def is_added(self, template: Template) -> bool:
        """Whether it was put here with `farm template add`, and may go again."""
        return template.folder.parent == self.settings.added_templates

    @contextmanager
    def add(self, path: Path, template: str, wish: Wish) -> Iterator[Template]:
        """Take a template's folder or a shop's ``.blend``; it goes on the shelf when the block ends well.

        Yields:
            The template, aside, to be looked at.

        Raises:
            InvalidRequest: when the id has not the form of one, or there is nothing at ``path``.
            AlreadyExists: when there is one of that name.
            TemplateRefused: with every reason that speaks against a ``.blend``.
            TemplateBroken: when a folder is no template.
        """
        self._check_free(template)
        if not path.exists():
            raise InvalidRequest(reason=f"{path}: there is no such file or folder")
        with self._aside() as aside:
            folder = aside / template
            if path.is_dir():
                self._copy(path, folder)
            else:
                folder.mkdir()
                self._adopt(path, folder, wish)
            yield Template.load(folder)
            target = self.settings.added_templates / template
            self._check_free(template)
            folder.rename(target)

    def _check_free(self, template: str) -> None:
        if not TEMPLATE_ID.fullmatch(template):
            raise InvalidRequest(
                reason=f"{template!r} is no template id: 1 to 64 small letters, digits and dashes; choose one with --id"
            )
        try:
            self.get(template)
        except NotFound:
            return
        except TemplateBroken:
            pass
        raise AlreadyExists(kind="template", id=template)

    def _copy(self, path: Path, folder: Path) -> None:
        """Copy the files that a template names, and no others; links are not followed out of it."""
        source = Template.load(path)
        if source.id != folder.name:
            reason = f"it calls itself {source.id!r}: the id is sealed, so it cannot be added as {folder.name!r}"
            raise TemplateBroken(template=path.name, reason=reason)
        source.verify()
        folder.mkdir()
        for name in ("template.json", *source.files):
            file = path / name
            if Path(name).name != name or file.is_symlink() or not file.is_file():
                raise TemplateBroken(template=source.id, reason=f"{name} is no plain file beside template.json")
            shutil.copyfile(file, folder / name)
        Template.load(folder).verify()

    def _adopt(self, path: Path, folder: Path, wish: Wish) -> None:
        order: Mapping[str, Any] = {
            "file": str(path.absolute()),
            "folder": str(folder),
            "name": wish.name,
            "license": wish.license,
            "version": wish.version,
            "print_width_cm": wish.print_width_cm,
            "most_bytes": self.settings.template_max_bytes,
        }
        with tempfile.TemporaryDirectory(prefix="farm-adopt-") as name:
            (Path(name) / "order.json").write_text(json.dumps(order), "utf-8")
            limits = Limits(
                seconds=self.settings.template_deadline_s,
                memory_bytes=ADOPT_MEMORY_BYTES,
                file_bytes=2 * self.settings.template_max_bytes,
            )
            answer = json.loads(run_blender("adopt", str(Path(name) / "order.json"), limits=limits))
        if "refused" in answer:
            raise TemplateRefused(file=path.name, reason="; ".join(answer["refused"]), reasons=answer["refused"])

    def build(self, template: str) -> tuple[Template, Template]:
        """Build a garment anew from its parameters and put it in place of the old one.

        Returns:
            The template as it was and as it is.

        Raises:
            Conflict: for a shop's file, which has no parameters.
            TemplateChildFailed: when the build fails; the old one stays.
        """
        before = self.get(template)
        recipe = before.folder / "garment.toml"
        if not recipe.is_file():
            raise Conflict(reason=f"{template} was not built from parameters: there is no garment.toml in it")
        with self._aside(before.folder.parent) as aside:
            folder = aside / template
            folder.mkdir()
            shutil.copyfile(recipe, folder / recipe.name)
            run_blender("build", str(folder), limits=BUILD_LIMITS)
            after = Template.load(folder)
            if after.hash != before.hash:
                before.folder.rename(aside / "before")
                folder.rename(before.folder)
        return before, self.get(template)

    @contextmanager
    def set_aside(self, template: str) -> Iterator[Template]:
        """Take an added template from the shelf: no new job finds it. An error in the block puts it back.

        Raises:
            Conflict: for one that comes with the farm.
        """
        found = self.get(template)
        if not self.is_added(found):
            raise Conflict(reason=f"{template} comes with the farm, in {found.folder.parent}; only added ones can go")
        with self._aside() as aside:
            found.folder.rename(aside / template)
            try:
                yield found
            except BaseException:
                (aside / template).rename(found.folder)
                raise

    @contextmanager
    def _aside(self, folder: Path | None = None) -> Iterator[Path]:
        """A folder on the shelf's own disk, gone afterwards with what is left in it."""
        folder = folder or self.settings.added_templates
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{MAKING}*"):
            if time.time() - left.stat().st_mtime > LEFT_S:
                shutil.rmtree(left, ignore_errors=True)  # of a process that was killed
        aside = Path(tempfile.mkdtemp(prefix=MAKING, dir=folder))
        try:
            yield aside
        finally:
            shutil.rmtree(aside)
