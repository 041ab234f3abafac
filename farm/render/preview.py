"""Previews: a prepared request's pictures by relighting, in memory, with no job and nothing stored."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from farm.domain import template as templates
from farm.domain.request import parse_request
from farm.domain.shape import sides_px
from farm.domain.view import ALL_VIEWS
from farm.errors import BakeMissing
from farm.render import bakes
from farm.render.bakes import Bake
from farm.render.picture_maker import PictureMaker
from farm.render.ports import ObjectStore
from farm.render.prepare import Prepared, PreparedDesign, prepare
from farm.settings import Settings

DEFAULT_SIZE_PX = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """One picture: its view, and the bytes of its file."""

    view: str
    data: bytes


class Previewer:
    """Makes previews, all of a request's views; what makes them keeps what it opened. Threads may share it.

    Args:
        maker: what makes the pictures.
    """

    def __init__(self, settings: Settings, *, store: ObjectStore, maker: PictureMaker) -> None:
        self._settings = settings
        self._store = store
        self._maker = maker
        self._bakes: dict[tuple[str, int], Bake] = {}
        self._lock = threading.Lock()

    def preview(self, prepared: Prepared) -> list[Preview]:
        """The pictures of a request, in the order of its views.

        Raises:
            BakeMissing: where a view is not baked at that size.
            ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden, BakeBroken: as the bake was met.
        """
        request = prepared.request
        bake = self._bake(prepared.template, min(sides_px(request)), request["views"])
        return [Preview(view=view, data=self._maker.make(prepared, view, bake)) for view in request["views"]]

    def _bake(self, template: Mapping[str, str], size_px: int, views: tuple[str, ...]) -> Bake:
        key = (template["hash"], size_px)
        with self._lock:
            found = self._bakes.get(key)
            if found is None or not found.covers(views):
                found = bakes.find(self._store, template["id"], template["hash"], size_px, views)
                if found is None:
                    raise BakeMissing(template=template["id"], view=", ".join(views), size_px=size_px)
                self._bakes[key] = found
            return found


def requested(
    settings: Settings, store: ObjectStore, given: Mapping[str, Any], designs: Sequence[bytes | PreparedDesign]
) -> Prepared:
    """A preview's request made ready: as for a job, but of one view, and as large as the bake allows.

    Args:
        given: the request's fields that were given.

    Raises:
        InvalidRequest, NotFound, BadDesign, LowResolution: as `farm.render.prepare.prepare`.
        BakeMissing: when no size is given and the template is not baked at all.
    """
    request = parse_request({"views": [ALL_VIEWS[0]], **given})
    if "size" not in given:
        garment = templates.find(settings.template_folders, request.template)
        sizes = bakes.sizes(store, garment.id, garment.hash)
        if not sizes:
            raise BakeMissing(template=garment.id, view=", ".join(request.views), size_px=DEFAULT_SIZE_PX)
        request = request.model_copy(update={"size": min(DEFAULT_SIZE_PX, max(sizes))})
    return prepare(settings, request, designs)
