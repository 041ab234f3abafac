"""Relit pictures in the output folder before the farm is up: made by this very process, confirmed by the job."""

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from farm.cli.arrivals import Arrivals
from farm.cli.progress import JobProgress
from farm.concurrency import wait_out
from farm.domain.request import Engine, Mode, RenderRequest
from farm.errors import FarmError
from farm.home.folder import Home
from farm.home.state import Phase
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.adapters.bake_shelf import BakeShelf
    from farm.domain.template import Template
    from farm.render.ports import ObjectStore
    from farm.render.prepare import Prepared
    from farm.render.tasks.relighter import Relighter

log = logging.getLogger(__name__)

FEW_CORES = 3
"""Up to here the farm's start would take from the pictures what it gains: it waits for them."""
HEAD_START_S = 8.0
"""But no longer than this."""
LAST_VIEW_S = 5.0
"""How long the view that is being opened may take when nobody wants it any more."""


class Early:
    """What is done ahead of the farm: views are opened while the design is decoded, then their pictures made.

    Nothing is written into the home before the design is found good: a refusal leaves no trace.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stop = Event()
        self._threads: list[Thread] = []
        self._work: Path | None = None
        self._shelf: BakeShelf | None = None

    def begin(self, request: RenderRequest) -> None:
        """Open the request's views, where no farm is up that would be quicker and the request may be relit."""
        if not _farm_is_cold(self._settings):
            self._run(_import_what_follows)
            return
        if request.engine is Engine.CYCLES or not Mode(request.mode).stills:
            return
        self._work = Path(tempfile.mkdtemp(prefix="farm-early-"))
        views: SimpleQueue[str] = SimpleQueue()
        for view in request.views:
            views.put(str(view))
        ready = Event()
        for number in range(min(len(os.sched_getaffinity(0)), len(request.views))):
            self._run(self._open, request, views, ready, number == 0)

    def make(self, prepared: "Prepared", arrivals: Arrivals) -> None:
        """Make what can be made; whatever goes wrong is the job's to meet, and to tell. Blocking."""
        if self._work is None:
            return
        from farm.domain import template as templates
        from farm.render.early import early_pictures
        from farm.render.making import choose

        try:
            store = self._store()
            if choose(self._settings, store, prepared.request, prepared.template).stills != Engine.RELIGHT:
                return
            template = templates.find(self._settings.template_folders, prepared.template["id"])
            made = early_pictures(
                prepared, template, lambda: self._relighter(template), folder=self._work, stop=self._stop
            )
            for picture in made:
                if self._stop.is_set():
                    break
                arrivals.early(picture.view, picture.name, picture.data)
            self._hand_over(self._work / "places")
        except (FarmError, OSError) as error:
            log.info("no early pictures: %s", error)
        except Exception:
            log.exception("early pictures failed")

    def stop(self) -> None:
        """Begin nothing more."""
        self._stop.set()

    def close(self) -> None:
        """Stop, and leave nothing of its own. Blocking."""
        self.stop()
        for thread in self._threads:
            thread.join(LAST_VIEW_S)
        if self._work is not None:
            shutil.rmtree(self._work, ignore_errors=True)
            self._work = None

    def _run(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = Thread(target=work, args=arguments, name=work.__name__, daemon=True)
        thread.start()
        self._threads.append(thread)

    # --- opening ----------------------------------------------------------------------------------------------------

    def _open(self, request: RenderRequest, views: "SimpleQueue[str]", ready: Event, first: bool) -> None:
        try:
            from farm.domain import template as templates
            from farm.render.early import open_views
            from farm.render.prepare import normalise

            if first:
                self._shelf = self._new_shelf()
                ready.set()
            else:
                ready.wait()
            template = templates.find(self._settings.template_folders, request.template)
            open_views(normalise(request, ()), template, self._relighter(template), views, self._stop)
        except (FarmError, OSError) as error:
            log.info("a view is not opened ahead: %s", error)
        except Exception:
            log.exception("views cannot be opened ahead")
        finally:
            ready.set()

    def _new_shelf(self) -> "BakeShelf":
        from farm.adapters.bake_shelf import BakeShelf

        assert self._work is not None
        return BakeShelf.of(self._settings) if self._settings.home.is_dir() else BakeShelf(self._work / "places")

    def _store(self) -> "ObjectStore":
        from farm.adapters.storage import store_of

        return store_of(self._settings)

    def _relighter(self, template: "Template") -> "Relighter":
        from farm.render.tasks.relighter import Relighter

        return Relighter(
            store=self._store(),
            shelf=self._shelf or self._new_shelf(),
            template=template.id,
            template_hash=template.hash,
            folder=template.folder,
            threads=1,
        )

    def _hand_over(self, places: Path) -> None:
        """Where pixels lie was found out once: the workers of the farm that is about to start need not do it again."""
        if not places.is_dir():
            return
        Home(self._settings.home).create()
        kept = self._settings.home / "places"
        try:
            kept.mkdir(mode=0o700, exist_ok=True)
            for file in places.glob("*.npz"):
                beside = kept / f"{file.stem}.{os.getpid()}.part"
                shutil.copyfile(file, beside)
                beside.replace(kept / file.name)
        except OSError as error:
            log.info("places are made again: %s", error)


@asynccontextmanager
async def arriving(early: Early, prepared: "Prepared", folder: Path, progress: JobProgress) -> AsyncIterator[Arrivals]:
    """The folder's arrivals; unless they are kept or left in the body, they are undone at its end.

    On few cores the body begins when the early pictures are there.
    """
    arrivals = Arrivals(folder, progress)
    making = asyncio.create_task(asyncio.to_thread(early.make, prepared, arrivals))
    try:
        if len(os.sched_getaffinity(0)) <= FEW_CORES:
            await asyncio.wait({making}, timeout=HEAD_START_S)
        yield arrivals
    finally:
        early.stop()
        try:
            await wait_out(making)
        finally:
            if told := arrivals.undo():
                progress.say(told)


def _import_what_follows() -> None:
    """Load the client of the farm while the design's own process decodes: a third of a second on one core."""
    import farm.picture.contact_sheet
    import farm.wiring  # noqa: F401


def _farm_is_cold(settings: Settings) -> bool:
    """Whether a job would have to wait for a farm: one that is up is quicker than this process."""
    if settings.ray_address or settings.redis_url:
        return False
    host = Home(settings.home).host()
    return host is None or host.phase is not Phase.READY
