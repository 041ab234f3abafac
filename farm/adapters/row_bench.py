"""What a worker process lays out for the rows of a batch: decoder, templates, bakes, results kept from before."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from blender.protocol import ViewOrder
from farm.adapters.design_source import Designs
from farm.domain import template as templates
from farm.domain.template import Template
from farm.errors import TemplateBroken
from farm.picture.decode import DecodeLimits
from farm.picture.decode_server import DecodeServer
from farm.picture.texture import PanelTexture
from farm.render.catalog.choice import fingerprints_for
from farm.render.ports import ObjectStore
from farm.render.results import ResultCache
from farm.render.tasks.relighter import Relighter, Shelf
from farm.render.tasks.row_bench import RowBench, Taken
from farm.settings import Settings


@contextmanager
def row_bench(
    settings: Settings,
    store: ObjectStore,
    shelf: Shelf,
    *,
    threads: int,
    check_lease: Callable[[], None],
) -> Iterator[RowBench]:
    """The bench for one piece of a batch; its decoder ends with it.

    Args:
        shelf: the bakes this process keeps open.
        threads: cores to use.
        check_lease: raises when the attempt was overtaken.
    """
    limits = DecodeLimits(max_bytes=settings.design_max_bytes, max_pixels=settings.design_max_pixels)
    found: dict[tuple[str, str], Template] = {}

    def find(wanted: Mapping[str, str]) -> Template:
        key = (wanted["id"], wanted["hash"])
        if key not in found:
            template = templates.find(settings.template_folders, wanted["id"])
            if template.hash != wanted["hash"]:
                reason = f"this node has {template.hash[:12]}, the row was accepted with {wanted['hash'][:12]}"
                raise TemplateBroken(template=wanted["id"], reason=reason)
            found[key] = template
        return found[key]

    with DecodeServer(limits, settings.decode_deadline_s) as decoder:
        yield RowBench(
            store=store,
            designs=Designs.of(settings),
            decode=decoder.decode,
            find=find,
            relight=BakeCamera(store, shelf).take,
            results=ResultCache(store, days=settings.cache_days),
            fingerprints=fingerprints_for(settings),
            check_lease=check_lease,
            threads=threads,
            dpi_floor=settings.dpi_floor,
        )


class BakeCamera:
    """Takes pictures from bakes; the bakes found stay known for as long as this lives."""

    def __init__(self, store: ObjectStore, shelf: Shelf) -> None:
        self._store = store
        self._shelf = shelf
        self._relighters: dict[str, Relighter] = {}

    def take(
        self, orders: Sequence[ViewOrder], template: Template, textures: Sequence[PanelTexture]
    ) -> Iterator[Taken]:
        """A picture of each order; they differ in their fabric alone.

        Raises:
            BakeMissing: when there is no bake for it.
            ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden: as the store met them.
        """
        relighter = self._relighters.get(template.hash)
        if relighter is None:
            relighter = Relighter(
                store=self._store,
                shelf=self._shelf,
                template=template.id,
                template_hash=template.hash,
                folder=template.folder,
                threads=orders[0].threads,
            )
            self._relighters[template.hash] = relighter
        for picture in relighter.pictures(orders, textures):
            yield Taken(data=picture.data, renderer=picture.renderer)
