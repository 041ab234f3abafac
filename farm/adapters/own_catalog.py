"""The farm's own catalogue, wherever its products are kept."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from farm.adapters.product_history import Edited, ProductHistory, Shown, associated, dissociated, edited
from farm.errors import AlreadyExists, NotFound
from farm.render.ports import Association, MediaEntry, Product

type Outcome[T] = tuple[ProductHistory | None, T]
"""The product after a change (``None``: it is not there any more), and what the change answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductLink:
    """A job that is attached to a product; without ``media_ids``, others' pictures stand where its own did."""

    product_id: str
    job_id: str
    media_ids: tuple[str, ...]


class OwnCatalog(ABC):
    """Everything but the keeping; every change of a product is one atomic step.

    Beside the port, what a person does to products by hand, and what the audit asks.
    """

    async def get_product(self, tenant: str, product_id: str) -> Product | None:
        found = await self._load(tenant, product_id)
        return None if found is None else found.product()

    async def list_products(self, tenant: str) -> Sequence[Product]:
        """All products, by id."""
        return [history.product() for history in await self._load_all(tenant)]

    async def associate(self, tenant: str, product_id: str, wanted: Association) -> Mapping[str, Any]:
        """See the port. A product that is not there is created: then ``created_product`` in the answer is true.

        Pictures stand where those they replace stood, else at the end. An equal picture (same url) keeps its id.
        An association without entries replaces none. The metadata stand under ``render_<job>``.
        """
        return await self._change(tenant, product_id, lambda found: associated(found, tenant, product_id, wanted))

    async def dissociate(self, tenant: str, product_id: str, job_id: str) -> None:
        """See the port. The product is then as if the job had never been; so is its absence."""
        await self._change(tenant, product_id, lambda found: (dissociated(found, job_id), None))

    async def list_associations(self, tenant: str) -> Sequence[ProductLink]:
        """The jobs that are attached to products, by product, oldest first; superseded jobs are among them."""
        links: list[ProductLink] = []
        for history in await self._load_all(tenant):
            shown: dict[str, list[str]] = {link.job_id: [] for link in history.links()}
            for entry in history.shown().media:
                if entry.job_id is not None:
                    shown.setdefault(entry.job_id, []).append(entry.id)
            links += [
                ProductLink(product_id=history.product_id, job_id=job_id, media_ids=tuple(ids))
                for job_id, ids in shown.items()
            ]
        return links

    async def create_product(
        self,
        tenant: str,
        product_id: str,
        *,
        media: Sequence[MediaEntry] = (),
        thumbnail: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Product:
        """Create by hand.

        Raises:
            AlreadyExists: it is there.
        """
        created = ProductHistory(
            tenant=tenant,
            product_id=product_id,
            kept=True,
            ground=Shown(thumbnail=thumbnail, metadata=dict(metadata or {})),
        )

        def create(found: ProductHistory | None) -> Outcome[Product]:
            if found is not None:
                raise AlreadyExists(kind="product", id=product_id)
            history = edited(created, Edited(put=tuple(media)))
            return history, history.product()

        return await self._change(tenant, product_id, create)

    async def put_media(
        self, tenant: str, product_id: str, entries: Sequence[MediaEntry], *, thumbnail: str | None = None
    ) -> Product:
        """Add or replace entries by hand; they belong to no job then.

        Raises:
            NotFound: there is no such product.
        """
        return await self._edit(tenant, product_id, Edited(put=tuple(entries), thumbnail=thumbnail))

    async def remove_media(self, tenant: str, product_id: str, media_ids: Sequence[str]) -> Product:
        """Remove entries by hand, whoever owns them; ids that are not there are no error.

        Raises:
            NotFound: there is no such product.
        """
        return await self._edit(tenant, product_id, Edited(removed=tuple(media_ids)))

    async def delete_product(self, tenant: str, product_id: str) -> None:
        """Remove the product with all it shows; one that is not there is no error."""
        await self._change(tenant, product_id, lambda _: (None, None))

    async def _edit(self, tenant: str, product_id: str, change: Edited) -> Product:
        def edit(found: ProductHistory | None) -> Outcome[Product]:
            if found is None:
                raise NotFound(kind="product", id=product_id)
            history = edited(found, change)
            return history, history.product()

        return await self._change(tenant, product_id, edit)

    @abstractmethod
    async def _load(self, tenant: str, product_id: str) -> ProductHistory | None: ...

    @abstractmethod
    async def _load_all(self, tenant: str) -> Sequence[ProductHistory]: ...

    @abstractmethod
    async def _change[T](
        self, tenant: str, product_id: str, change: Callable[[ProductHistory | None], Outcome[T]]
    ) -> T:
        """Read, change and write one product with nobody in between; ``change`` is pure and may run several times."""
