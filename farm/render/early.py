"""Pictures before the job: a prepared request's relit stills, made in this process by what a worker makes them with.

The same decoding, composing, relighting, encoding and verdict, so a picture made here has the very bytes that the job
will store; whoever shows them compares.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, local
from typing import Any

from farm.domain.placement import Placement
from farm.domain.request import Format
from farm.domain.template import Template
from farm.errors import BadPicture
from farm.picture.own_png import own_pixels
from farm.picture.texture import PanelTexture
from farm.render.prepare import Prepared
from farm.render.tasks.compose_task import composed, facts_of
from farm.render.tasks.judge import judge_with
from farm.render.tasks.relighter import Relighter
from farm.render.tasks.view_task import still_order


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyPicture:
    """A picture that its verdict passed.

    Attributes:
        name: of its file, as the job's output will be called.
    """

    view: str
    name: str
    data: bytes
    sha256: str


def early_pictures(
    prepared: Prepared, template: Template, relighter: Callable[[], Relighter], *, folder: Path, stop: Event
) -> Iterator[EarlyPicture]:
    """The request's stills in the order of its views, two or more made at once where there are cores.

    Args:
        template: of the request.
        relighter: makes one for each thread.
        folder: of the caller's own, for files on their way.
        stop: set it to have no further picture begun.

    Raises:
        BadPicture: when the verdict is against one; the job will meet the same.
        FarmError: as the bake was met.
    """
    textures = _textures(prepared, template)
    judge = judge_with(template.folder, textures)
    form = Format(prepared.request["format"])
    own = local()

    def make(view: str) -> EarlyPicture | None:
        if stop.is_set():
            return None
        if not hasattr(own, "relighter"):
            own.relighter = relighter()
        out = folder / (view + form.suffix)
        order = still_order(prepared.request, view, template=template.folder, out=out, threads=1, device="cpu")
        own.relighter.render(order, prints=textures)
        data = out.read_bytes()
        judgement = judge(data, order)
        if judgement.reason:
            raise BadPicture(view=view, reason=judgement.reason)
        return EarlyPicture(view=view, name=view + form.suffix, data=data, sha256=hashlib.sha256(data).hexdigest())

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        coming = [pool.submit(make, view) for view in prepared.request["views"]]
        try:
            for one in coming:
                if (picture := one.result()) is not None:
                    yield picture
        finally:
            for one in coming:
                one.cancel()


def open_views(
    request: Mapping[str, Any], template: Template, relighter: Relighter, views: "SimpleQueue[str]", stop: Event
) -> None:
    """Open one view after the other for `early_pictures` on the same shelf: that takes no design yet.

    Args:
        request: normalised.
        views: left to open; shared with others who do the same.
        stop: set it to have no further one begun.

    Raises:
        FarmError: as a bake was met; the picture of that view will meet it again.
    """
    with suppress(Empty):
        while not stop.is_set():
            view = views.get_nowait()
            out = template.folder / view  # never written
            relighter.open(still_order(request, view, template=template.folder, out=out, threads=1, device="cpu"))


def _textures(prepared: Prepared, template: Template) -> list[PanelTexture]:
    used = {Placement.model_validate(one).design for one in prepared.request["placements"]}
    designs = {index: own_pixels(prepared.designs[index].data) for index in used}
    return list(composed(prepared.request, designs, template=template.folder, facts=facts_of(template.folder)))
