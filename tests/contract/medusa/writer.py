"""A process that attaches a job's pictures and nothing else; made to be killed."""

import asyncio
import sys

from redis.asyncio import Redis

from farm.adapters.medusa_api import MedusaApi
from farm.adapters.medusa_catalog import MedusaCatalog
from farm.adapters.shop_lock import ShopLock
from farm.domain.ids import DEFAULT_TENANT
from tests.contract.catalog.wanted import wanted

LEASE_S = 3.0


async def write(redis_url: str, shop_url: str, api_key: str, product_id: str, job_id: str) -> None:
    async with Redis.from_url(redis_url) as client:
        catalog = MedusaCatalog(MedusaApi(shop_url, api_key), ShopLock(client, ttl_s=LEASE_S))
        await catalog.associate(DEFAULT_TENANT, product_id, wanted(job_id))


if __name__ == "__main__":
    asyncio.run(write(*sys.argv[1:]))
