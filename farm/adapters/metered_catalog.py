"""A product catalogue that tells what the shop answered, and how soon."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from farm.errors import FarmError
from farm.render.metrics import Meter
from farm.render.ports import Association, Product, ProductCatalog


class MeteredCatalog:
    """See `farm.render.ports.ProductCatalog`: another one, measured."""

    def __init__(self, catalog: ProductCatalog, meter: Meter) -> None:
        self._catalog = catalog
        self._meter = meter

    @contextmanager
    def _asked(self, operation: str) -> Iterator[None]:
        began_s = time.monotonic()
        outcome = "cut_short"
        try:
            yield
            outcome = "ok"
        except FarmError as error:
            outcome = error.code
            raise
        finally:
            self._meter.count("farm_shop_answers_total", operation=operation, outcome=outcome)
            self._meter.observe("farm_shop_seconds", time.monotonic() - began_s, operation=operation)

    async def get_product(self, tenant: str, product_id: str) -> Product | None:
        with self._asked("get_product"):
            return await self._catalog.get_product(tenant, product_id)

    async def list_products(self, tenant: str) -> Sequence[Product]:
        with self._asked("list_products"):
            return await self._catalog.list_products(tenant)

    async def associate(self, tenant: str, product_id: str, wanted: Association) -> Mapping[str, Any]:
        with self._asked("associate"):
            return await self._catalog.associate(tenant, product_id, wanted)

    async def dissociate(self, tenant: str, product_id: str, job_id: str) -> None:
        with self._asked("dissociate"):
            await self._catalog.dissociate(tenant, product_id, job_id)


if TYPE_CHECKING:
    _conforms: type[ProductCatalog] = MeteredCatalog
