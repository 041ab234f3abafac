"""The run coordinator is killed with SIGKILL at every append of a run and of its batches; each row is there once."""

import asyncio
import contextlib
import multiprocessing
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.process import BaseProcess
from typing import Any

import pytest

from farm.render.catalog.report import ReportRow
from tests.catalogue_shop import CatalogueShop, open_catalogue
from tests.crash.coordinators import POLL_S, Incarnations
from tests.crash.places import Place

_FORKS = multiprocessing.get_context("forkserver")
LEASE_S = 0.4
ROWS = 14
SLICE_ROWS = 5
RUN_APPENDS = range(1, 6)
"""A run of three slices: its begin, three notes, its end; the last two may be one."""
BATCH_APPENDS = range(1, 11)


def _coordinate(place: Place, settings: dict[str, Any]) -> None:
    async def run() -> None:
        async with open_catalogue(place, **settings) as farm:
            farm.painters.seconds = 0.005
            async with farm.running():
                await asyncio.Event().wait()

    asyncio.run(run())


@asynccontextmanager
async def killable(place: Place, **settings: Any) -> AsyncIterator[Incarnations]:
    """Coordinators of jobs and runs in one process, which comes back after every crash, until the end of the block."""
    lives = Incarnations()
    task = asyncio.create_task(_keep_alive(place, settings, lives))
    try:
        yield lives
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _keep_alive(place: Place, settings: dict[str, Any], lives: Incarnations) -> None:
    process: BaseProcess | None = None
    try:
        while True:
            process = _FORKS.Process(target=_coordinate, args=(place, settings), daemon=True)
            process.start()
            while process.is_alive():
                await asyncio.sleep(POLL_S)
            lives.exit_codes.append(process.exitcode)
    finally:
        if process is not None:
            process.kill()
            process.join()


def lines(farm: CatalogueShop, count: int = ROWS) -> list[dict[str, Any]]:
    cells = [{"product_id": f"tee-{n}", "design": farm.design(f"{n}.png", (n, 3, 4))} for n in range(1, count + 1)]
    cells[3]["engine"] = "cycles"
    cells[7]["size"] = "wrong"
    return cells


async def check(farm: CatalogueShop, run_id: str) -> list[ReportRow]:
    """Every row once, with one set of pictures on its product; nothing anywhere that belongs to nobody."""
    report = await farm.report(run_id)
    assert [row.row for row in report] == list(range(1, ROWS + 1))
    for row in report:
        product = await farm.shop.catalog.get_product("default", str(row.product_id))
        shown = [entry.job_id for entry in product.media] if product else []
        if row.status == "completed":
            assert set(shown) == {row.job_id}
        else:
            assert shown == []
    assert (await farm.audit()).findings == []
    batches = await farm.kit.batches.records.list(limit=10)
    assert batches.records == (), "what was kept to take slices up again is gone"
    return report


async def _run(place: Place, **points: Any) -> tuple[list[ReportRow], dict[str, Any], int]:
    async with open_catalogue(place, lease_s=LEASE_S) as farm:
        async with killable(place, lease_s=LEASE_S) as lives:
            run_id = await farm.start(lines(farm), **points)
            record = await farm.ended(run_id)
        assert set(lives.exit_codes) <= {-9}, "a coordinator died of something else"
        return await check(farm, run_id), record, lives.killed


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("number", RUN_APPENDS)
async def test_killed_at_an_append_of_the_run(place: Place, number: int, where: str) -> None:
    report, record, killed = await _run(place, failpoints=f"journal.{number}.{where}=kill")
    assert killed == 1 or number == RUN_APPENDS[-1]
    assert (record["status"], record["counts"]["completed"]) == ("completed", ROWS - 1)
    assert Counter(row.status for row in report) == {"completed": ROWS - 1, "failed": 1}


@pytest.mark.parametrize("where", ["before", "after"])
@pytest.mark.parametrize("number", BATCH_APPENDS)
async def test_killed_at_an_append_of_each_batch(place: Place, number: int, where: str) -> None:
    report, record, killed = await _run(place, batch_failpoints=f"journal.{number}.{where}=kill")
    assert killed >= 1 or number > 8
    assert record["counts"]["completed"] == ROWS - 1
    assert Counter(row.status for row in report) == {"completed": ROWS - 1, "failed": 1}


@pytest.mark.parametrize("step", ["accept_rows", "relight_rows", "attach_rows", "finish_rows"])
@pytest.mark.parametrize("where", ["before", "inside", "after"])
async def test_killed_in_the_middle_of_a_step(place: Place, step: str, where: str) -> None:
    _, record, killed = await _run(place, batch_failpoints=f"{step}.{where}=kill")
    assert killed >= 1 or (step, where) == ("finish_rows", "after")
    assert record["counts"]["completed"] == ROWS - 1


async def test_a_row_that_was_noted_is_not_painted_again(place: Place) -> None:
    # One slice at a time: what another slice paints as the process dies has not been noted yet.
    await _run(place, window=SLICE_ROWS, batch_failpoints="attach_rows.before=kill")
    painted = Counter((place.home / "painted.log").read_text().split())
    assert set(painted.values()) == {1}


@pytest.mark.parametrize("step", ["accept_rows", "relight_rows", "attach_rows", "finish_rows"])
async def test_a_batch_that_cannot_be_finished_is_undone_and_its_rows_failed(place: Place, step: str) -> None:
    async with open_catalogue(place, lease_s=LEASE_S) as farm:
        async with killable(place, lease_s=LEASE_S):
            run_id = await farm.start(lines(farm), batch_failpoints=f"{step}.inside=raise*99")
            record = await farm.ended(run_id)
        report = await check(farm, run_id)
    assert record["status"] == "completed"
    assert [row.row for row in report if row.status == "completed"] == [4], "the ordinary job"
    assert {row.code for row in report if row.status == "failed"} == {"batch_failed", "invalid_request"}


@pytest.mark.parametrize("after_rows", [0, 5])
async def test_cancelled_and_killed_on_the_way_back(place: Place, after_rows: int) -> None:
    async with open_catalogue(place, lease_s=LEASE_S) as farm:
        points = "compensate.run_rows.before=kill;compensate.relight_rows.inside=kill"
        async with killable(place, lease_s=LEASE_S):
            run_id = await farm.start(
                lines(farm), window=5, failpoints=points, batch_failpoints="compensate.relight_rows.inside=kill"
            )
            while (await farm.service.get(run_id))["rows_done"] < after_rows:
                await asyncio.sleep(0.005)
            await farm.service.cancel(run_id)
            record = await farm.ended(run_id)
        report = await check(farm, run_id)
    assert record["status"] == "cancelled"
    counted = Counter(row.status for row in report)
    assert counted["completed"] == record["counts"]["completed"]
    assert counted["skipped"] == record["skipped"]
