"""Rounds of the sweep: what is due and nothing else, each job on its own, one sweeper at a time."""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.memory_journal import open_memory
from farm.adapters.memory_store import MemoryStore
from farm.domain import keys
from farm.domain.event import rfc3339
from farm.errors import StorageUnavailable
from farm.render.looks import AGAIN_S, next_look
from farm.render.ports import ObjectInfo
from farm.render.sweep import BAD_S, OUTAGE_S, Sweep
from farm.render.sweeper import sweep_forever
from farm.saga.clock import FakeClock, SystemClock
from farm.settings import Settings
from tests.workshop import Workshop, prepared, workshop

DAY_S = 86_400.0
ENDED_S = 1_700_000_000.0


class Shelves(MemoryStore):
    """An object store that can be away for some keys, and counts how often it is listed."""

    def __init__(self) -> None:
        super().__init__()
        self.away = "nothing"
        self.listed = 0

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        self.listed += 1
        if self.away in prefix:
            raise StorageUnavailable(reason="away")
        return super().list(prefix)

    def delete_prefix(self, prefix: str) -> int:
        if self.away in prefix:
            raise StorageUnavailable(reason="away")
        return super().delete_prefix(prefix)


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return workshop(tmp_path, open_memory(), Shelves(), MemoryCatalog())


def shelves(shop: Workshop) -> Shelves:
    assert isinstance(shop.objects, Shelves)
    return shop.objects


async def ended(shop: Workshop, count: int) -> list[str]:
    async with shop.running():
        made = [(await shop.service.submit(prepared(views=["front_0deg"])))["id"] for _ in range(count)]
        for job_id in made:
            await shop.ended(job_id)
            shop.objects.put(keys.work("default", job_id, "late") + "x.png", b"late", content_type="image/png")
    return made


def damage(shop: Workshop, job_id: str) -> None:
    shop.sagas.records._world.sagas[job_id].record = '{"id": "' + job_id + '", "status": "completed"}'  # type: ignore[attr-defined]


async def test_one_bad_record_keeps_the_sweep_from_no_other(shop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    jobs = await ended(shop, 5)
    damage(shop, jobs[2])
    clock = SystemClock()
    assert await Sweep(sagas=shop.sagas, parts=shop.parts, clock=clock).run() == 4
    assert f"{jobs[2]} cannot be swept; the others are" in caplog.text
    (bad,) = [item for item in await shop.sagas.due.due(1e12, limit=99) if item.id == jobs[2]]
    assert BAD_S - 60 < bad.at_s - clock.wall_s() <= BAD_S, "and it does not come back in every round"


async def test_an_outage_puts_off_only_what_it_met(shop: Workshop) -> None:
    jobs = await ended(shop, 3)
    shelves(shop).away = jobs[1]
    clock = FakeClock(wall_s=SystemClock().wall_s() + 1)
    sweep = Sweep(sagas=shop.sagas, parts=shop.parts, clock=clock)
    assert await sweep.run() == 2
    shelves(shop).away = "nothing"
    assert await sweep.run() == 0
    clock.jump(OUTAGE_S + 1)
    assert await sweep.run() == 1


async def test_a_round_looks_at_nothing_that_is_not_due(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farm.render.sweep.REVIEW_S", 1e12)
    jobs = await ended(shop, 4)
    clock = FakeClock(wall_s=SystemClock().wall_s() + 1)
    sweep = Sweep(sagas=shop.sagas, parts=shop.parts, clock=clock)
    assert await sweep.run() == 4
    before = shelves(shop).listed
    await sweep.run()
    assert shelves(shop).listed == before
    for job_id in jobs[:2]:
        shop.objects.put(keys.work("default", job_id, "later") + "x.png", b"late", content_type="image/png")
    clock.jump(2 * 3600)
    assert await sweep.run() == 2, "an hour after its end each is looked at once more"
    clock.jump(DAY_S + 3600)
    await sweep.run()
    clock.jump(3 * 3600)
    before = shelves(shop).listed
    await sweep.run()
    assert shelves(shop).listed - before <= 3, "then only the walk over uploads, kept designs and kept pictures is left"


async def test_jobs_from_before_there_was_a_due_book_are_swept(shop: Workshop) -> None:
    await ended(shop, 3)
    waiting = (await shop.service.submit(prepared()))["id"]
    shop.sagas.records._world.due.clear()  # type: ignore[attr-defined]
    sweep = Sweep(sagas=shop.sagas, parts=shop.parts, clock=SystemClock())
    assert await sweep.run() == 3
    assert waiting in {item.id for item in await shop.sagas.due.due(1e12, limit=99)}


async def test_a_deletion_that_was_cut_short_is_due_at_once(shop: Workshop) -> None:
    (job_id,) = await ended(shop, 1)
    sweep = Sweep(sagas=shop.sagas, parts=shop.parts, clock=SystemClock())
    await sweep.run()
    shelves(shop).away = keys.job("default", job_id)
    with pytest.raises(StorageUnavailable):
        await shop.service.delete(job_id)
    shelves(shop).away = "nothing"
    await sweep.run()
    assert await shop.sagas.records.get(job_id) is None


async def test_the_sweeper_survives_whatever_a_round_meets(shop: Workshop, caplog: pytest.LogCaptureFixture) -> None:
    await ended(shop, 2)
    book = shop.sagas.due
    real, times = book.due, iter((RuntimeError("a defect"), StorageUnavailable(reason="away")))

    async def ill(until_s: float, *, limit: int) -> Any:
        for fault in times:
            raise fault
        return await real(until_s, limit=limit)

    book.due = ill  # type: ignore[method-assign]
    sweep = Sweep(sagas=shop.sagas, parts=shop.parts, clock=SystemClock())
    with caplog.at_level(logging.WARNING):
        task = asyncio.create_task(sweep_forever(sweep, book, "me", round_s=0.01))
        async with asyncio.timeout(10):
            while any("/late/" in item.key for item in shop.objects.list("t/")):
                await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "a round of the sweep failed; the next one comes" in caplog.text
    assert "the sweep was cut short" in caplog.text


async def test_one_sweeps_at_a_time_and_another_when_it_stops(shop: Workshop) -> None:
    rounds: dict[str, int] = {"one": 0, "two": 0}

    class Counting(Sweep):
        name = ""

        async def run(self, *arguments: Any) -> int:
            rounds[self.name] += 1
            return await super().run(*arguments)

    tasks = {}
    for name in rounds:
        sweep = Counting(sagas=shop.sagas, parts=shop.parts, clock=SystemClock())
        sweep.name = name
        tasks[name] = asyncio.create_task(sweep_forever(sweep, shop.sagas.due, name, round_s=0.01))
    async with asyncio.timeout(10):
        while max(rounds.values()) < 5:
            await asyncio.sleep(0.01)
        first = max(rounds, key=lambda name: rounds[name])
        other = "two" if first == "one" else "one"
        assert rounds[other] == 0
        tasks[first].cancel()
        await asyncio.gather(tasks[first], return_exceptions=True)
        while rounds[other] < 2:
            await asyncio.sleep(0.01)
    tasks[other].cancel()
    await asyncio.gather(tasks[other], return_exceptions=True)


# --- when to look again


def record(status: str, **given: Any) -> Mapping[str, Any]:
    live = status in ("pending", "rendering")
    return {
        "status": status,
        "created_at": rfc3339(ENDED_S - 60),
        "finished_at": None if live else rfc3339(ENDED_S),
        "compensation_pending": False,
        "product_id": None,
        **given,
    }


DAYS = {"output_days": 5.0, "record_days": 30.0, "retry_days": 7.0, "job_deadline_s": 3600.0}


@pytest.mark.parametrize(
    ("job", "settings", "expected_s"),
    [
        (record("pending"), {}, [3540.0]),
        (record("completed"), {}, [3601.0, 90_001.0, 5 * DAY_S + 1, 30 * DAY_S + 1]),
        (record("completed", product_id="tee"), {}, [3601.0, 90_001.0]),
        (
            record("completed", product_id="tee", superseded_by="job"),
            {"record_days": 0.0},
            [3601.0, 90_001.0, 432_001.0],
        ),
        (record("completed", outputs_expired_at="x"), {"record_days": 3.0}, [3601.0, 90_001.0, 3 * DAY_S + 1]),
        (record("completed"), {"output_days": 0.0}, [3601.0, 90_001.0]),
        (record("completed"), {"record_days": 2.0}, [3601.0, 90_001.0, 5 * DAY_S + 1]),
        (record("failed"), {}, [3601.0, 90_001.0, 7 * DAY_S + 1, 30 * DAY_S + 1]),
        (record("failed"), {"record_days": 2.0}, [3601.0, 90_001.0, 7 * DAY_S + 1]),
        (record("failed", compensation_pending=True), {}, []),
        (record("cancelled"), {"record_days": 0.0}, [3601.0, 90_001.0]),
    ],
)
def test_looks_are_foreseen(job: Mapping[str, Any], settings: dict[str, float], expected_s: list[float]) -> None:
    chosen = Settings(**{**DAYS, **settings})  # type: ignore[arg-type]
    found, now_s = [], ENDED_S
    while (next_s := next_look(job, chosen, now_s)) is not None:
        assert next_s > now_s
        if next_s == now_s + AGAIN_S and job["finished_at"] is None:
            break
        found.append(next_s - ENDED_S)
        now_s = next_s
    assert found == expected_s
