"""The farm's own catalogue in memory: for tests and for trying things out."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from farm.adapters.own_catalog import Outcome, OwnCatalog
from farm.adapters.product_history import ProductHistory
from farm.render.ports import ProductCatalog


class MemoryCatalog(OwnCatalog):
    """Products in a dictionary. For one event loop: nothing here awaits, so nobody comes in between."""

    def __init__(self) -> None:
        self._products: dict[tuple[str, str], ProductHistory] = {}

    async def _load(self, tenant: str, product_id: str) -> ProductHistory | None:
        return self._products.get((tenant, product_id))

    async def _load_all(self, tenant: str) -> Sequence[ProductHistory]:
        return [history for key, history in sorted(self._products.items()) if key[0] == tenant]

    async def _change[T](
        self, tenant: str, product_id: str, change: Callable[[ProductHistory | None], Outcome[T]]
    ) -> T:
        history, answer = change(self._products.get((tenant, product_id)))
        if history is None:
            self._products.pop((tenant, product_id), None)
        else:
            self._products[tenant, product_id] = history
        return answer


if TYPE_CHECKING:
    _conforms: type[ProductCatalog] = MemoryCatalog
