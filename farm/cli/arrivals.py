"""Pictures arriving in the output folder: those made here before the job, then each of the job's as it is finished.

A picture that was there before goes aside until the job is completed, and comes back when the job is undone.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from farm.cli.progress import JobProgress
from farm.domain.request import Format
from farm.errors import FarmError, ObjectMissing

if TYPE_CHECKING:
    from farm.render.ports import ObjectStore


class Arrivals:
    """The folder's pictures, from the first to the job's end. Threads may share it.

    Args:
        folder: made when the first picture comes.
    """

    def __init__(self, folder: Path, progress: JobProgress) -> None:
        self._folder = folder
        self._progress = progress
        self._there: dict[str, str] = {}
        self._seen: set[str] = set()
        self._early: set[str] = set()
        self._replaced: set[str] = set()
        self._aside: Path | None = None
        self._made: list[Path] = []
        self._closed = False
        self._lock = Lock()

    # --- coming -----------------------------------------------------------------------------------------------------

    def early(self, view: str, name: str, data: bytes) -> None:
        """Put a picture that was made here; the job will say whether it is its own."""
        with self._lock:
            if self._closed or name in self._there:
                return
            self._put(name, data)
            self._early.add(name)
        self._progress.arrived(view, f"relit here, {self._folder / name}; the job stores it")

    def look(self, store: "ObjectStore", record: Mapping[str, Any]) -> None:
        """Bring what the job has finished since the last look, and compare it with what was there early. Blocking.

        Raises:
            OSError: when the folder cannot be written.
        """
        suffix = Format(record["request"]["format"]).suffix
        for view in record["views"]:
            key, name = view.get("picture"), view["view"] + suffix
            if key is None or view["status"] != "done" or name in self._seen:
                continue
            try:
                data = store.get(key)
            except ObjectMissing:
                continue  # the job goes on: it is stored, or undone
            except FarmError:
                return  # the download at the end is patient and says what is wrong
            self._seen.add(name)
            self._of_the_job(view["view"], name, data)

    def _of_the_job(self, view: str, name: str, data: bytes) -> None:
        with self._lock:
            before = self._there.get(name)
            if self._closed or before == hashlib.sha256(data).hexdigest():
                return
            self._put(name, data)
        if before is None:
            self._progress.arrived(view, str(self._folder / name))
            return
        self._replaced.add(name)
        self._progress.say(f"{view}: the job's picture differs from the one shown early and has taken its place")

    def _put(self, name: str, data: bytes) -> None:
        self._make_folder()
        target = self._folder / name
        if name not in self._there and target.exists():
            if self._aside is None:
                self._aside = Path(tempfile.mkdtemp(prefix=".farm-before-", dir=self._folder))
            target.replace(self._aside / name)
        beside = self._folder / f".farm-{name}.part"
        beside.write_bytes(data)
        beside.replace(target)
        self._there[name] = hashlib.sha256(data).hexdigest()

    def _make_folder(self) -> None:
        missing = []
        place = self._folder
        while not place.exists():
            missing.append(place)
            place = place.parent
        for place in reversed(missing):
            place.mkdir(exist_ok=True)
            self._made.append(place)

    # --- the end ----------------------------------------------------------------------------------------------------

    def keep(self) -> str:
        """The job is completed: what was there before goes for good. In words, how the early pictures did."""
        with self._lock:
            self._closed = True
            if self._aside is not None:
                shutil.rmtree(self._aside, ignore_errors=True)
            if not self._early:
                return ""
            told = f"{_count(len(self._early - self._replaced), 'shown early')} the job's own, byte for byte"
            return f"{told}; replaced: {', '.join(sorted(self._replaced))}" if self._replaced else told

    def leave(self) -> None:
        """The job goes on without this command: what is there stays, former pictures of the same names go."""
        with self._lock:
            self._closed = True
            if self._aside is not None:
                shutil.rmtree(self._aside, ignore_errors=True)

    def undo(self) -> str:
        """The job is undone, or never was: its pictures go, former ones come back. In words, what was done."""
        with self._lock:
            if self._closed:
                return ""
            self._closed = True
            gone, kept = 0, []
            for name, sha256 in self._there.items():
                target = self._folder / name
                try:
                    if hashlib.sha256(target.read_bytes()).hexdigest() != sha256:
                        kept.append(name)  # somebody's own since
                        continue
                    target.unlink()
                    gone += 1
                except OSError:
                    continue
            back = self._put_back(kept)
            for place in reversed(self._made):
                try:
                    place.rmdir()
                except OSError:
                    break  # something of somebody's lies there
            parts = [f"{_count(gone, 'shown early')} gone again" if gone else ""]
            parts += [f"{back} former {'picture is' if back == 1 else 'pictures are'} back" if back else ""]
            parts += [f"left as they are, changed by somebody since: {', '.join(kept)}" if kept else ""]
            return "; ".join(filter(None, parts))

    def _put_back(self, kept: list[str]) -> int:
        if self._aside is None:
            return 0
        back = 0
        for former in sorted(self._aside.iterdir()):
            if former.name not in kept:
                former.replace(self._folder / former.name)
                back += 1
        if not any(self._aside.iterdir()):
            self._aside.rmdir()
        return back


def _count(number: int, which: str) -> str:
    return f"{number} picture {which} is" if number == 1 else f"{number} pictures {which} are"
