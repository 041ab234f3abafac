"""Pictures that are asked for and answered, with no job: one view of a request, relit; equal ones are made once."""

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from farm.domain import template as templates
from farm.domain.colour import TRANSPARENT
from farm.domain.picture_format import AUTO, PictureFormat, negotiated
from farm.domain.request import Engine, Mode, RenderRequest, parse_request
from farm.domain.shape import sides_px
from farm.domain.view import ALL_VIEWS
from farm.errors import BakeMissing, BakeTooSmall, InvalidRequest
from farm.render import bakes
from farm.render.bakes import Bake
from farm.render.bounded_cache import BoundedCache
from farm.render.designs import DesignShelf, KeptDesign
from farm.render.making import fingerprint_of
from farm.render.picture_maker import Phases, PictureMaker
from farm.render.ports import ObjectStore
from farm.render.prepare import Prepared, PreparedDesign, prepare_unseen
from farm.settings import Settings

DEFAULT_SIZE_PX = 1024
ALIVE_S = 5.0
"""How long a design that was there is taken to be: pictures of one that was deleted end within this, everywhere."""
BAKES_S = 30.0
FINISHED_SHARE = 0.1
"""Of the memory that pictures may take."""
_DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000100000001080200000090"
    "7753de0000000c49444154789c63606060000000040001f61738550000000049454e44ae426082"
)
"""The smallest design: one black pixel, as a PNG."""
_KNOWN_BYTES = 8_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOrder:
    """One picture, with everything that determines it.

    Attributes:
        request: normalised; its format may be one that no job has.
        fingerprint: of all of it: equal ones are equal bytes.
    """

    tenant: str
    prepared: Prepared
    ids: tuple[str, ...]
    view: str
    bake: Bake
    format: PictureFormat
    fingerprint: str

    @property
    def delta_e(self) -> float | None:
        """The mean ΔE00 inside the print that was measured for this view; ``None`` where it was not."""
        found = self.bake.delta_e([self.view], min(sides_px(self.prepared.request)))
        return None if found == float("inf") else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A finished picture.

    Attributes:
        seconds: what making it took, by phase; empty where it was at hand.
    """

    data: bytes
    seconds: Mapping[str, float]


class Pictures:
    """One per process; every method blocks, and threads may share it."""

    def __init__(
        self,
        settings: Settings,
        *,
        store: ObjectStore,
        designs: DesignShelf,
        maker: PictureMaker,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._store = store
        self._shelf = designs
        self._maker = maker
        self._monotonic = monotonic
        self._designs: BoundedCache[tuple[str, str], tuple[float, KeptDesign]] = BoundedCache(
            _KNOWN_BYTES, lambda known: 1_000
        )
        self._bakes: BoundedCache[str, tuple[float, Sequence[Bake]]] = BoundedCache(_KNOWN_BYTES, lambda known: 10_000)
        self._orders: BoundedCache[Hashable, tuple[float, PictureOrder]] = BoundedCache(
            _KNOWN_BYTES, lambda known: 4_000
        )
        self._finished: BoundedCache[str, bytes] = BoundedCache(
            int(settings.pictures_memory_bytes * FINISHED_SHARE), len
        )

    def order(
        self,
        tenant: str,
        given: Mapping[str, Any],
        designs: Sequence[str],
        *,
        accept: str | None = None,
        name: Hashable | None = None,
    ) -> PictureOrder:
        """What is to be made of a request: looked up and checked, nothing is made.

        Args:
            given: the request's members that were given; ``format`` may also be ``avif`` or ``auto``, which it is where
                it is left out.
            designs: ids of kept designs.
            accept: the caller's header, for ``auto``.
            name: under which it is found again by `recent`.

        Raises:
            InvalidRequest: naming every wrong member. NotFound: when there is no such template.
            DesignUnknown, DesignDeleted: as `DesignShelf.find`.
            BakeMissing, BakeTooSmall: when it cannot be relit so.
        """
        request, wanted = _parsed(given)
        garment = templates.find(self._settings.template_folders, request.template)
        baked = self._baked(garment.id, garment.hash)
        view = str(request.views[0])
        if "size" not in given:
            largest = max((bake.size_px for bake in baked if view in bake.parts), default=DEFAULT_SIZE_PX)
            request = request.model_copy(update={"size": min(DEFAULT_SIZE_PX, largest)})
        known = [self._alive(tenant, name) for name in designs]
        prepared = prepare_unseen(self._settings, request, [_unread(one) for one in known])
        format = wanted or negotiated(accept, opaque=prepared.request["background_color"] != TRANSPARENT)
        normalised = {**prepared.request, "format": str(format)}
        if format is PictureFormat.JPEG and normalised["background_color"] == TRANSPARENT:
            normalised["background_color"] = "#ffffff"
        prepared = replace(prepared, request=normalised)
        bake = _serving(baked, garment.id, view, min(sides_px(normalised)))
        data = {
            "tenant": tenant,
            "designs": [{"sha256": one.print_sha256} for one in known],
            "request": normalised,
            "template": prepared.template,
        }
        order = PictureOrder(
            tenant=tenant,
            prepared=prepared,
            ids=tuple(designs),
            view=view,
            bake=bake,
            format=format,
            fingerprint=fingerprint_of(data, view, engine=str(Engine.RELIGHT), renderer=bake.renderer),
        )
        if name is not None:
            self._orders.put(name, (self._monotonic(), order))
        return order

    def recent(self, name: Hashable) -> PictureOrder | None:
        """An order that was looked up under that name a moment ago; never blocks."""
        found = self._orders.get(name)
        return found[1] if found is not None and self._monotonic() - found[0] <= ALIVE_S else None

    def finished(self, order: PictureOrder) -> Picture | None:
        """The picture, if it is at hand."""
        data = self._finished.get(order.fingerprint)
        return Picture(data=data, seconds={}) if data is not None else None

    def make(self, order: PictureOrder) -> Picture:
        """The picture; of those who ask for the same at once, one makes it.

        Raises:
            DesignUnknown, DesignDeleted: when a design went meanwhile.
            ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden, BakeBroken: as the light was met.
        """
        phases = Phases()

        def read(index: int) -> bytes:
            return self._shelf.read(order.tenant, order.ids[index]).data

        def made() -> bytes:
            return self._maker.make(order.prepared, order.view, order.bake, read=read, phases=phases)

        return Picture(data=self._finished.made(order.fingerprint, made), seconds=phases.seconds)

    def rehearse(self) -> None:
        """Make one picture of next to nothing, so that nobody waits for light to be opened and kernels to be loaded.

        Raises:
            BakeMissing: where the first garment has no light: then there is nothing to open.
        """
        request = RenderRequest(views=(ALL_VIEWS[0],), size=DEFAULT_SIZE_PX)
        garment = templates.find(self._settings.template_folders, request.template)
        baked = self._baked(garment.id, garment.hash)
        dot = PreparedDesign(data=_DOT, sha256="", width_px=1, height_px=1)
        prepared = prepare_unseen(self._settings, request, [dot])
        bake = _serving(baked, garment.id, str(ALL_VIEWS[0]), DEFAULT_SIZE_PX)
        self._maker.make(prepared, str(ALL_VIEWS[0]), bake)

    def _alive(self, tenant: str, name: str) -> KeptDesign:
        now_s = self._monotonic()
        found = self._designs.get((tenant, name))
        if found is not None and now_s - found[0] <= ALIVE_S:
            return found[1]
        known = self._shelf.find(tenant, name)
        self._designs.put((tenant, name), (now_s, known))
        return known

    def _baked(self, template: str, template_hash: str) -> Sequence[Bake]:
        now_s = self._monotonic()
        found = self._bakes.get(template_hash)
        if found is not None and now_s - found[0] <= BAKES_S and found[1]:
            return found[1]
        baked = bakes.finished(self._store, template, template_hash)
        self._bakes.put(template_hash, (now_s, baked))
        return baked


def _parsed(given: Mapping[str, Any]) -> tuple[RenderRequest, PictureFormat | None]:
    """The request, and the format that it names."""
    format = given.get("format", AUTO)
    kinds = [str(kind) for kind in PictureFormat]
    if format not in (AUTO, *kinds):
        raise _wrong("/format", f"it is {AUTO}, {', '.join(kinds[:-1])} or {kinds[-1]}")
    # A job has no AVIF, and what is chosen later is no wish for a PNG.
    stated = format if format in ("jpeg", "png", "webp") else "png"
    request = parse_request({"views": [ALL_VIEWS[0]], **given, "format": stated})
    if len(request.views) != 1:
        raise _wrong("/views", "a picture has one view")
    if request.mode is not Mode.IMAGES_ONLY or request.effective_model:
        raise _wrong("/mode", "a picture is one still: films and models are made by POST /v1/jobs")
    if "engine" in given and request.engine is Engine.CYCLES:
        raise _wrong("/engine", "pictures are relit; POST /v1/jobs traces paths")
    return request, None if format == AUTO else PictureFormat(format)


def _wrong(pointer: str, reason: str) -> InvalidRequest:
    return InvalidRequest(reason=f"{pointer}: {reason}", errors=[{"pointer": pointer, "reason": reason}])


def _unread(known: KeptDesign) -> PreparedDesign:
    """A design without its bytes, which are read only where a picture needs them."""
    return PreparedDesign(
        data=b"",
        sha256=known.print_sha256,
        width_px=known.width_px,
        height_px=known.height_px,
        notes=known.warnings,
    )


def _serving(baked: Sequence[Bake], template: str, view: str, size_px: int) -> Bake:
    bake = bakes.serving(baked, view, size_px)
    if bake is not None:
        return bake
    most_px = bakes.largest(baked, view)
    if most_px:
        pointed = [{"pointer": "/size", "reason": f"{view} has light for {most_px} px at most"}]
        raise BakeTooSmall(template=template, size_px=size_px, baked_px=most_px, errors=pointed)
    raise BakeMissing(template=template, view=view, size_px=size_px)
