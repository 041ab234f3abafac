"""A worker process: the warm Blender in it, its folder, its heart, and how it ends."""

import faulthandler
import logging
import os
import resource
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import farm
from farm.adapters.bake_shelf import BakeShelf
from farm.adapters.redis_heartbeat import RedisPulse
from farm.adapters.storage import store_of
from farm.adapters.temp_folders import TempFolders
from farm.adapters.texture_cache import TextureCache
from farm.domain import template as templates
from farm.errors import MissingLibrary, RenderError, VersionMismatch
from farm.home import process as processes
from farm.log import about, start_logging
from farm.render.ports import ObjectStore
from farm.render.tasks.heart import Heart
from farm.render.tasks.heartbeat import Grant, ProcessId
from farm.settings import Settings

if TYPE_CHECKING:
    from blender.session import Session

log = logging.getLogger(__name__)

LAST_WORDS = "last_words.txt"
"""In the process's folder: why it ended itself, or the stack it crashed on."""
EXIT_CODE = 70
PATIENCE_LEASES = 6
"""So many leases long may the store be silent before a worker gives up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """Where a task works, and by which rules: travels with every task.

    Attributes:
        version: of the farm that asks. It comes first: pickled fields are told apart by their order, so it is the one
            that a worker of another version can rely on.
        redis_url: of the store that takes the heartbeats.
        threads: CPU threads of a render; 0: all.
    """

    version: str = farm.__version__
    settings: Settings
    redis_url: str
    threads: int

    @property
    def ttl_s(self) -> float:
        """How long a heartbeat holds: longer than any call of Blender's that keeps the thread from beating."""
        return 3 * self.settings.lease_s


class BlenderWorker:
    """This process, as a worker; made with the first task and kept."""

    _here: "BlenderWorker | None" = None

    @classmethod
    def here(cls, station: Station, node_id: str) -> Self:
        """The worker of this process.

        Raises:
            VersionMismatch: when this node's farm is not the one that asks.
            DiskFull: when its folder cannot be made.
        """
        if station.version != farm.__version__:
            raise VersionMismatch(found=farm.__version__, wanted=station.version)
        if cls._here is None:
            cls._here = cls(station, node_id)
        assert isinstance(cls._here, cls)
        return cls._here

    def __init__(self, station: Station, node_id: str) -> None:
        identity = processes.identity()
        assert identity is not None, "a running process has an identity"
        start_logging(station.settings, "worker")
        self.process = ProcessId(node_id=node_id, identity=identity)
        self.folders = TempFolders.of(station.settings)
        self.folder = self.folders.make(self.folders.process(identity))
        self.textures = TextureCache(self.folders.make(self.folder / "textures"))
        self.bakes = BakeShelf.of(station.settings)
        self._station = station
        self._pulse = RedisPulse(station.redis_url)
        self._session: Session | None = None
        self._session_key: tuple[str, str, str] | None = None
        # Blender and Python put their temporary files where these say; a crash leaves them in this process's folder.
        os.environ["TMPDIR"] = tempfile.tempdir = str(self.folder)
        os.environ["BLENDER_USER_RESOURCES"] = str(self.folder)
        self._last_words = (self.folder / LAST_WORDS).open("w", encoding="utf-8")
        faulthandler.enable(self._last_words, all_threads=False)

    @cached_property
    def store(self) -> ObjectStore:
        """The object store of the settings."""
        return store_of(self._station.settings)

    @contextmanager
    def attempt(self, station: Station, grant: Grant, token: str) -> Iterator[tuple[Heart, Path]]:
        """An attempt's heart, beating, and its folder, gone afterwards."""
        if station.redis_url != self._station.redis_url:  # the store was moved
            self._pulse.close()
            self._pulse = RedisPulse(station.redis_url)
        self._station = station
        heart = Heart(
            self._pulse,
            grant,
            self.process,
            ttl_s=station.ttl_s,
            patience_s=PATIENCE_LEASES * station.settings.lease_s,
            end=self.end,
        )
        with heart, about(grant.job_id):
            log.info("%s begins", grant.name)
            self.folders.sweep_dead()
            folder = self.folders.make(self.folders.attempt(grant.job_id, token, grant.name, self.process.identity))
            try:
                yield heart, folder
            finally:
                self.folders.drop(folder)

    def session(self, template: Path, device: str, threads: int) -> "Session":
        """The warm Blender, opened anew when it has another template open, or another device.

        Args:
            device: ``cpu``, ``auto``, or a kind and the index of the one to use, such as ``optix:1``.

        Raises:
            MissingLibrary: when Blender cannot be loaded.
            TemplateBroken: when a file of the template is not the one it was built with.
            RenderError: when the device is not there.
        """
        from blender.session import Session

        facts = templates.Template.load(template)
        key = (facts.hash, device, str(template))
        if self._session is None or self._session_key != key:
            if self._session is not None:
                self._session.close()
                self._session = None
            facts.verify()
            kind, _, index = device.partition(":")
            try:
                session = Session(template, device=kind, threads=threads)
            except ImportError as error:
                raise MissingLibrary(reason=str(error)) from error
            if index and session.device != "CPU":
                _use_only(session.device, int(index))
            self._session, self._session_key = session, key
        return self._session

    @property
    def resident_bytes(self) -> int:
        """Memory this process holds now."""
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return pages * resource.getpagesize()

    def end(self, why: str) -> None:
        """End this process at once, whatever Blender is doing, leaving a last word. Does not return."""
        self._last_words.write(f"ended itself: {why}\n")
        self._last_words.flush()
        os._exit(EXIT_CODE)


def _use_only(kind: str, index: int) -> None:
    """Of several GPUs use the one that Ray assigned.

    Raises:
        RenderError: when there are fewer.
    """
    from blender.gpu import use_only

    try:
        use_only(kind, index)
    except IndexError as error:
        raise RenderError(view="", reason=str(error)) from error


def last_words(folder: Path) -> str:
    """What a dead process left behind: one line for a person, empty when it died without a word."""
    try:
        lines = (folder / LAST_WORDS).read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in lines if line.strip()), "")


def where(worker: BlenderWorker) -> dict[str, Any]:
    """Node and process, for reports."""
    return {"node": worker.process.node_id, "process": worker.process.identity}
