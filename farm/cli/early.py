"""Relit pictures in the output folder before the farm is up: made by this very process, confirmed by the job."""

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from farm.cli.arrivals import Arrivals
from farm.cli.progress import JobProgress
from farm.domain.request import Engine, Mode
from farm.errors import FarmError
from farm.home.folder import Home
from farm.home.state import Phase
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.render.prepare import Prepared

log = logging.getLogger(__name__)

FEW_CORES = 3
"""Up to here the farm's start would take from the pictures what it gains: it waits for them."""
HEAD_START_S = 8.0
"""But no longer than this."""


@asynccontextmanager
async def arriving(
    settings: Settings, prepared: "Prepared", folder: Path, progress: JobProgress
) -> AsyncIterator[Arrivals]:
    """The folder's arrivals; unless they are kept or left in the body, they are undone at its end.

    Where no farm is up and the request is relit, its pictures begin to come at once. On few cores the body begins when
    they are there.
    """
    arrivals = Arrivals(folder, progress)
    stop = Event()
    making: asyncio.Task[None] | None = None
    try:
        if _farm_is_cold(settings):
            making = asyncio.create_task(asyncio.to_thread(_make, settings, prepared, arrivals, stop))
            if len(os.sched_getaffinity(0)) <= FEW_CORES:
                await asyncio.wait({making}, timeout=HEAD_START_S)
        yield arrivals
    finally:
        stop.set()
        if making is not None:
            await asyncio.wait({making})
        if told := arrivals.undo():
            progress.say(told)


def _farm_is_cold(settings: Settings) -> bool:
    """Whether a job would have to wait for a farm: one that is up is quicker than this process."""
    if settings.ray_address or settings.redis_url:
        return False
    host = Home(settings.home).host()
    return host is None or host.phase is not Phase.READY


def _make(settings: Settings, prepared: "Prepared", arrivals: Arrivals, stop: Event) -> None:
    """Make what can be made; whatever goes wrong is the job's to meet, and to tell."""
    from farm.adapters.bake_shelf import BakeShelf
    from farm.adapters.storage import store_of
    from farm.domain import template as templates
    from farm.render.early import early_pictures
    from farm.render.making import choose
    from farm.render.tasks.relighter import Relighter

    work = Path(tempfile.mkdtemp(prefix="farm-early-"))
    try:
        store = store_of(settings)
        if not _relit(prepared) or choose(settings, store, prepared.request, prepared.template).stills != "relight":
            return

        template = templates.find(settings.template_folders, prepared.template["id"])

        def relighter() -> Relighter:
            return Relighter(
                store=store,
                shelf=BakeShelf.of(settings),  # on a shelf one bake at a time is opened
                template=template.id,
                template_hash=template.hash,
                folder=template.folder,
                threads=1,
            )

        for picture in early_pictures(prepared, template, relighter, folder=work, stop=stop):
            if stop.is_set():
                break
            arrivals.early(picture.view, picture.name, picture.data)
    except (FarmError, OSError) as error:
        log.info("no early pictures: %s", error)
    except Exception:
        log.exception("early pictures failed")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _relit(prepared: "Prepared") -> bool:
    request = prepared.request
    return request["engine"] != Engine.CYCLES and Mode(request["mode"]).stills
