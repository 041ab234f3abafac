"""A served farm's services over a test farm: what the HTTP face works with, made as `serve_app.services` makes it."""

import asyncio
from contextlib import AsyncExitStack

import redis.asyncio

from farm.adapters.bake_shelf import BakeShelf
from farm.adapters.redis_board import RedisBoard
from farm.adapters.redis_picture_rings import RedisPictureRings
from farm.picture.decode_nursery import Nurseries
from farm.render.designs import DesignShelf
from farm.render.overview import Overview
from farm.render.picture_maker import PictureMaker
from farm.render.pictures import Pictures
from farm.render.ports import KeyRing
from farm.render.preview import Previewer
from farm.saga.clock import SystemClock
from farm.wiring import open_webhooks
from serve_app.followers import Followers
from serve_app.idempotency import Answers
from serve_app.limits import Limiter
from serve_app.picture_addresses import PictureAddresses
from serve_app.policy import Elsewhere
from serve_app.services import Services, Statistics, no_cluster
from serve_app.sessions import Sessions
from serve_app.uploads import Tickets
from tests.catalogue_shop import CatalogueShop


async def services_of(
    place: CatalogueShop, keys: KeyRing, client: redis.asyncio.Redis, stack: AsyncExitStack
) -> Services:
    """Services over ``place``, with keys and limits in the store ``client`` speaks to, until ``stack`` is closed."""
    shop = place.shop
    secret, _ = await keys.settle_signing_secret()
    designs = DesignShelf(shop.settings, shop.objects)
    maker = PictureMaker(shop.settings, store=shop.objects, shelf=BakeShelf.of(shop.settings), threads=1)
    return Services(
        settings=shop.settings,
        service=shop.service,
        store=shop.objects,
        catalog=shop.catalog,
        sagas=shop.sagas,
        keys=keys,
        sessions=Sessions(keys, secret, lasting_s=3600),
        limiter=Limiter.of(place.link, shop.settings.requests_per_minute),
        decoding=asyncio.Semaphore(2),
        nurseries=stack.enter_context(Nurseries(2)),
        previewer=Previewer(shop.settings, store=shop.objects, maker=maker),
        designs=designs,
        pictures=Pictures(shop.settings, store=shop.objects, designs=designs, maker=maker),
        making=asyncio.Semaphore(2),
        addresses=PictureAddresses(secret, RedisPictureRings(client)),
        making_limiter=Limiter.of(place.link, shop.settings.pictures_per_minute, what="pictures made"),
        answers=Answers(client),
        tickets=Tickets(secret),
        catalogues=place.service,
        kit=place.kit,
        planning=asyncio.Semaphore(2),
        webhooks=open_webhooks(shop.settings, place.link, shop.sagas),
        statistics=Statistics(shop.service),
        followers=Followers(shop.service),
        temp=place.home,
        scrape=no_cluster,
        overview=Overview(sagas=shop.sagas, board=RedisBoard(client), clock=SystemClock()),
        elsewhere=Elsewhere(shop.objects),
    )
