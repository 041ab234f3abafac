"""The product catalogue of a Medusa v2 shop, over its admin HTTP API.

The shop has no condition on a write, replaces the whole list of images with each, and forgets what it is told about
them. So every change is: take the product's lease, read, decide (`farm.adapters.medusa_shelf`), write once, and see in
the answer that the shop took it.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from farm.adapters.medusa_api import MedusaApi, MedusaSession
from farm.adapters.medusa_shelf import PREFIX, Shelf, associated, changes, dissociated, is_record, mended
from farm.adapters.shop_lock import HeldLock, LockLost, ShopLock
from farm.domain.ids import DEFAULT_TENANT, JOB_ID, PRODUCT_ID
from farm.errors import ShopRefused, ShopUnavailable
from farm.render.ports import Association, MediaEntry, Product, ProductCatalog

log = logging.getLogger(__name__)

ROUNDS = 4
"""How often a change is decided anew, because the product was another when it was to be written."""


class MedusaCatalog:
    """Products of one shop, which belongs to one tenant.

    Args:
        api: of the shop.
        lock: shared by all who change this shop's products.
        tenant: whose shop it is; others have no products here.
    """

    def __init__(self, api: MedusaApi, lock: ShopLock, *, tenant: str = DEFAULT_TENANT) -> None:
        self._api = api
        self._lock = lock
        self._tenant = tenant

    async def get_product(self, tenant: str, product_id: str) -> Product | None:
        if tenant != self._tenant or not PRODUCT_ID.fullmatch(product_id):
            return None
        async with self._api.session() as session:
            found = await session.product(product_id)
        return None if found is None else _product(tenant, found)

    async def list_products(self, tenant: str) -> Sequence[Product]:
        if tenant != self._tenant:
            return ()
        async with self._api.session() as session:
            return [_product(tenant, found) async for found in session.products()]

    async def associate(self, tenant: str, product_id: str, wanted: Association) -> Mapping[str, Any]:
        """Attach; done twice it is there once.

        Raises:
            ShopRefused: the product is not there, the key is not accepted, or the job was taken back meanwhile.
            ShopUnavailable: worth another try.
        """
        if tenant != self._tenant or not PRODUCT_ID.fullmatch(product_id):
            raise ShopRefused(product_id=product_id, reason="there is no such product")
        shelf = await self._change(product_id, wanted.job_id, lambda shelf: associated(shelf, wanted))
        if shelf is None:
            raise ShopRefused(product_id=product_id, reason="there is no such product")
        if wanted.job_id not in shelf.records:
            raise ShopRefused(product_id=product_id, reason=f"job {wanted.job_id} has been taken back")
        return {
            "media_ids": [entry.id for entry in wanted.entries],
            "superseded": list(shelf.records[wanted.job_id].supersedes),
        }

    async def dissociate(self, tenant: str, product_id: str, job_id: str) -> None:
        """Remove exactly this job's entries and put back what they replaced; a product that is gone needs nothing.

        From then on, and for a day, `associate` refuses the job: a coordinator that was suspended in the middle of it
        and wakes up after another one took the job back must not attach pictures that are no more.
        """
        if tenant != self._tenant or not PRODUCT_ID.fullmatch(product_id):
            return
        await self._lock.bury(job_id)
        await self._change(product_id, job_id, lambda shelf: dissociated(shelf, job_id))

    async def _change(self, product_id: str, job_id: str, step: Callable[[Shelf], Shelf]) -> Shelf | None:
        """The shelf as it is afterwards, ``None`` when there is no such product."""
        for last_round in (number == ROUNDS for number in range(1, ROUNDS + 1)):
            async with self._lock.hold(product_id) as held, self._api.session() as session:
                found = await session.product(product_id)
                if found is None:
                    return None
                before = _shelf(found)
                # Asked under the lease: who takes the job back writes after us, or we see it here.
                wanted = dissociated if await self._lock.buried(job_id) else _just(step)
                mend = await self._lock.to_mend(product_id)
                after = wanted(mended(before) if mend else before, job_id)
                try:
                    done = await self._write(session, held, product_id, before, after)
                except ShopRefused as refused:
                    # An id is taken: by an entry that came between read and write, or by another product for good.
                    if last_round or not refused.taken:
                        raise
                    done = False
                if done and mend:
                    await self._lock.mended(product_id)
            if done and not (held.lost and held.wrote):
                return after
        raise ShopUnavailable(reason=f"product {product_id} was another each time it was to be changed")

    async def _write(
        self, session: MedusaSession, held: HeldLock, product_id: str, before: Shelf, after: Shelf
    ) -> bool:
        """Whether the product is now as wanted."""
        body = changes(before, after)
        if body is None:
            return True
        try:
            await held.before_write()
        except LockLost as error:
            log.info("%s", error)
            return False
        try:
            answer = await session.write(product_id, body)
        except (ShopRefused, ShopUnavailable) as error:
            if not error.in_doubt:
                held.settled()
            raise
        held.settled()
        if answer is None:  # the product went between read and write; the next round sees that it is gone
            return False
        return _shelf(answer) == after


def _just(step: Callable[[Shelf], Shelf]) -> Callable[[Shelf, str], Shelf]:
    return lambda shelf, _: step(shelf)


def _shelf(found: Mapping[str, Any]) -> Shelf:
    try:
        return Shelf.from_json(found)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ShopUnavailable(reason=f"its answer is no product of Medusa 2: {error!r}", in_doubt=True) from error


def _product(tenant: str, found: Mapping[str, Any]) -> Product:
    shelf = _shelf(found)
    by_id = {
        picture.id: MediaEntry(
            id=picture.id, url=picture.url, job_id=job_id, view=picture.view, fabric_color=record.fabric_color or None
        )
        for job_id, record in shelf.records.items()
        for picture in record.media
    }
    media = []
    for image in shelf.images:
        known = by_id.get(image.id)
        if known is not None and known.url == image.url:
            media.append(known)
        else:
            media.append(_unrecorded(image.id, image.url))
    metadata = {key: value for key, value in (found["metadata"] or {}).items() if not is_record(key, value)}
    for job_id, record in shelf.records.items():
        if record.files and not record.superseded_by:
            metadata[PREFIX + job_id] = dict(record.files)
    return Product(tenant=tenant, id=str(found["id"]), media=tuple(media), thumbnail=shelf.thumbnail, metadata=metadata)


def _unrecorded(image_id: str, url: str) -> MediaEntry:
    """An entry made by hand, unless its id is one that only the farm makes."""
    job_id, _, view = image_id.partition(".")
    if JOB_ID.fullmatch(job_id) and view:
        return MediaEntry(id=image_id, url=url, job_id=job_id, view=view)
    return MediaEntry(id=image_id, url=url)


if TYPE_CHECKING:
    _conforms: type[ProductCatalog] = MedusaCatalog
