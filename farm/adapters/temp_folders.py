"""A node's temporary files, laid out so that they are found without the help of the process that made them.

<root>/jobs/<job>/<token>.<name>@<pid>:<start>/   what one attempt works on, in that process
<root>/processes/<pid>:<start>/                   a process's own: Blender's files, fetched textures, last words
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from farm.adapters.private_folder import is_private, private_folder
from farm.errors import DiskFull, InfrastructureError
from farm.home.process import alive
from farm.render.ports import TempFiles
from farm.settings import Settings

_SYSTEM_TEMP = Path(tempfile.gettempdir())
"""Taken at import: a worker moves its own temporary folder below this one later."""


class TempFolders:
    """The temporary files of one farm on this node."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def of(cls, settings: Settings) -> "TempFolders":
        """The farm's own root below the system's temporary folder; two farms on one node do not share it."""
        farm = hashlib.sha256(str(settings.home).encode()).hexdigest()[:8]
        return cls(_SYSTEM_TEMP / f"tshirt-farm-{os.getuid()}-{farm}")

    def attempt(self, job_id: str, token: str, name: str, identity: str) -> Path:
        """Where an attempt's folder lies.

        Args:
            job_id: like token and name the farm's own, safe in paths.
            token: of the attempt.
            name: of the view.
            identity: ``pid:starttime`` of the process that works in it.
        """
        return self.root / "jobs" / job_id / f"{token}.{name}@{identity}"

    def process(self, identity: str) -> Path:
        """Where the folder of a worker process lies, by its ``pid:starttime``."""
        return self.root / "processes" / identity

    def make(self, folder: Path) -> Path:
        """Make a folder of the above, for this user alone.

        Raises:
            DiskFull: when there is no space for it.
            InfrastructureError: when the root is not this user's alone: anybody may make it first.
        """
        for last_try in (False, False, True):
            try:
                private_folder(self.root)
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                break
            except FileNotFoundError:  # another attempt of the job just removed the job's folder behind itself
                if last_try:
                    raise
            except PermissionError as error:
                raise InfrastructureError(reason=f"the folder of temporary files: {error}") from error
            except OSError as error:
                raise DiskFull(view="", reason=str(error), what=str(folder)) from error
        return folder

    def drop(self, folder: Path) -> None:
        """Remove a folder of the above, and the job's when it was its last."""
        if not is_private(self.root):  # nothing of ours; a link in there may lead anywhere
            return
        shutil.rmtree(folder, ignore_errors=True)
        if folder.parent.parent == self.root / "jobs":
            _remove_if_empty(folder.parent)

    def sweep(self, job_id: str) -> int:
        """Remove everything of a job; returns how many attempts' folders went."""
        if not is_private(self.root):
            return 0
        folder = self.root / "jobs" / job_id
        attempts = _children(folder)
        shutil.rmtree(folder, ignore_errors=True)
        return len(attempts)

    def list(self) -> Iterator[tuple[str, Path]]:
        if not is_private(self.root):
            return
        for job in _children(self.root / "jobs"):
            for attempt in _children(job):
                yield job.name, attempt

    def sweep_dead(self) -> int:
        """Remove what dead processes left: their own folders and those of their attempts; returns how many.

        Where nobody is left, nothing is left.
        """
        if not is_private(self.root):
            return 0
        processes = [(folder.name, folder) for folder in _children(self.root / "processes")]
        attempts = [(folder.name.rpartition("@")[2], folder) for _, folder in self.list()]
        left = [folder for identity, folder in (*processes, *attempts) if not alive(identity)]
        for folder in left:
            self.drop(folder)
        for folder in (self.root / "processes", self.root / "jobs", self.root):
            _remove_if_empty(folder)
        return len(left)


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _remove_if_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # others are at work here, or it is gone already


if TYPE_CHECKING:
    _conforms: type[TempFiles] = TempFolders
