"""Several jobs for one product at once, some failing at the last moment: it shows the survivors and nobody else."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest

from farm.adapters.builtin_catalog import BuiltinCatalog
from farm.errors import AlreadyExists
from farm.render.ports import Association, MediaEntry
from tests.crash.promises import check_promises
from tests.workshop import Workshop, prepared

VIEWS = ["front_0deg", "back_180deg"]
LATE = "complete_job.inside=raise*99"
BY_HAND = MediaEntry(id="by-hand", url="https://pictures.example/hand.jpg")


class GatedCatalog(BuiltinCatalog):
    """The product changes when the test says so, and the job hears of it when the test says so.

    Attributes:
        order: the jobs in the order in which they were attached.
    """

    def gated(self) -> "GatedCatalog":
        self.may_attach: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.may_go_on: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.order: list[str] = []
        return self

    async def associate(self, tenant: str, product_id: str, wanted: Association) -> Mapping[str, Any]:
        await self.may_attach[wanted.job_id].wait()
        answer = await super().associate(tenant, product_id, wanted)
        if wanted.job_id not in self.order:
            self.order.append(wanted.job_id)
        await self.may_go_on[wanted.job_id].wait()
        return answer


@dataclass(frozen=True)
class Plan:
    """One of the jobs that race."""

    colour: str = "red"
    fails: bool = False
    media: str = "replace"
    saga: str = "granular"


async def _race(shop: Workshop, plans: Sequence[Plan], moves: Sequence[int]) -> None:
    """The jobs' moves in this order: a job's first is that it is attached, its second that it goes on to its end."""
    await shop.catalog.create_product("default", "tee", media=[BY_HAND])  # type: ignore[attr-defined]
    async with shop.running():
        accepted = await shop.service.submit(prepared(product_id="tee", views=VIEWS, fabric_color="red"))
        earlier = await shop.ended(accepted["id"])
    catalog = GatedCatalog(shop.catalog._redis, namespace=shop.catalog._namespace).gated()  # type: ignore[attr-defined]
    async with replace(shop, catalog=catalog).running(shards=2):
        jobs = []
        for plan in plans:
            request = prepared(
                product_id="tee", views=VIEWS, fabric_color=plan.colour, media=plan.media, saga=plan.saga
            )
            accepted = await shop.service.submit(request, failpoints=LATE if plan.fails else "")
            jobs.append(accepted["id"])
        for mover in moves:
            job_id = jobs[mover]
            if not catalog.may_attach[job_id].is_set():
                catalog.may_attach[job_id].set()
                async with asyncio.timeout(20):
                    while job_id not in catalog.order:
                        await asyncio.sleep(0.002)
            else:
                catalog.may_go_on[job_id].set()
                await shop.ended(job_id)
        records = [await shop.ended(job_id) for job_id in jobs]
    for plan, record in zip(plans, records, strict=True):
        assert record["status"] == ("failed" if plan.fails else "completed")
    await _check_product(shop, earlier, dict(zip(jobs, zip(plans, records, strict=True), strict=True)), catalog.order)
    await check_promises(shop, earlier, *records)


async def _check_product(
    shop: Workshop, earlier: dict[str, Any], raced: Mapping[str, tuple[Plan, dict[str, Any]]], order: Sequence[str]
) -> None:
    """As if the jobs that failed had never been, and the others had come one after the other."""
    survivors = [("red", "replace", earlier)]
    survivors += [(plan.colour, plan.media, record) for plan, record in map(raced.get, order) if not plan.fails]  # type: ignore[misc]
    shown: list[tuple[str, dict[str, Any]]] = []
    for colour, media, record in survivors:
        if media == "replace":
            shown = [(other, job) for other, job in shown if other != colour]
        shown.append((colour, record))
    urls = [record["outputs"][f"{view}.png"] for _, record in shown for view in VIEWS]
    product = await shop.catalog.get_product("default", "tee")
    assert product is not None
    assert sorted(entry.url for entry in product.media) == sorted([BY_HAND.url, *urls])
    assert product.thumbnail == survivors[-1][2]["outputs"]["front_0deg.png"]


ORDERS = sorted(set(itertools.permutations([0, 0, 1, 1])))


@pytest.mark.parametrize("moves", ORDERS, ids=lambda moves: "".join("ab"[n] for n in moves))
@pytest.mark.parametrize("fails", ["none", "first", "second", "both"])
async def test_two_jobs_of_one_colour_in_every_order(shop: Workshop, moves: Sequence[int], fails: str) -> None:
    plans = [Plan(fails=fails in ("first", "both")), Plan(fails=fails in ("second", "both"), saga="simple")]
    await _race(shop, plans, moves)


@pytest.mark.parametrize("seed", range(12))
async def test_four_jobs_of_two_colours_in_some_order(shop: Workshop, seed: int) -> None:
    rng = Random(seed)
    plans = [
        Plan(
            colour=rng.choice(["red", "red", "blue"]),
            fails=rng.random() < 0.5,
            media=rng.choice(["replace", "replace", "append"]),
            saga=rng.choice(["granular", "simple"]),
        )
        for _ in range(4)
    ]
    moves = [0, 1, 2, 3] * 2
    rng.shuffle(moves)
    await _race(shop, plans, moves)


async def test_many_jobs_let_loose_on_one_product(shop: Workshop) -> None:
    async with shop.running(shards=2):
        accepted = [
            await shop.service.submit(
                prepared(product_id="tee", views=VIEWS, fabric_color=("red", "blue")[n % 2]),
                failpoints=LATE if n % 3 == 0 else "",
            )
            for n in range(12)
        ]
        records = [await shop.ended(job["id"]) for job in accepted]
    await check_promises(shop, *records)
    product = await shop.catalog.get_product("default", "tee")
    assert product is not None
    assert sorted((str(entry.fabric_color), str(entry.view)) for entry in product.media) == sorted(
        (colour, view) for colour in {record["request"]["fabric_color"] for record in records} for view in VIEWS
    )
    completed = {record["id"] for record in records if record["status"] == "completed"}
    assert {entry.job_id for entry in product.media} <= completed


async def test_a_job_whose_id_is_taken_leaves_no_upload(shop: Workshop) -> None:
    async with shop.running():
        record = await shop.ended((await shop.service.submit(prepared(product_id="tee", views=VIEWS)))["id"])
        with pytest.raises(AlreadyExists):
            await shop.service.submit(prepared(), job_id=record["id"])
    await check_promises(shop, record)
