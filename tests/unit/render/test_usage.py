"""What a job used and cost: by device, without what was kept, by the prices of its acceptance."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.memory_journal import open_memory
from farm.adapters.memory_store import MemoryStore
from farm.render.usage import Usage
from tests.workshop import prepared, workshop

PRICES = {"cpu_hour": 0.04, "gpu_hour": 0.5}


def done(event: str = "view_done", **report: Any) -> dict[str, Any]:
    return {"event": event, "view": "front_0deg", "report": report}


@pytest.mark.parametrize(
    ("notes", "cpu_s", "gpu_s"),
    [
        ([], 0.0, 0.0),
        ([done(attempt_s=10.0, total_s=9.0, device="cpu", threads=4)], 40.0, 0.0),
        ([done(total_s=9.0, device="OPTIX", threads=8)], 0.0, 9.0),
        ([done(attempt_s=10.0, device="cuda"), done("model_done", total_s=2.0, device="cpu")], 2.0, 10.0),
        ([done(attempt_s=10.0, device="cuda", cached=True), done(total_s=0.0)], 0.0, 0.0),
        ([{"event": "frame_done", "frame": 1, "cached": False, "attempt_s": 3.0, "device": "cpu", "threads": 2}], 6, 0),
        ([{"event": "frame_done", "frame": 1, "cached": True, "attempt_s": 3.0, "device": "cpu"}], 0.0, 0.0),
        ([{"event": "view_failed", "view": "front_0deg", "attempt": 1}], 0.0, 0.0),
    ],
)
def test_seconds_by_what_they_were_spent_on(notes: list[dict[str, Any]], cpu_s: float, gpu_s: float) -> None:
    usage = Usage.of(notes)
    assert (usage.cpu_s, usage.gpu_s) == (cpu_s, gpu_s)
    assert usage.cost(PRICES) == pytest.approx((cpu_s * 0.04 + gpu_s * 0.5) / 3600, abs=1e-8)


@pytest.mark.parametrize("saga", ["granular", "simple"])
async def test_a_record_tells_them_by_the_prices_at_acceptance(tmp_path: Path, saga: str) -> None:
    place = workshop(tmp_path, open_memory(), MemoryStore(), MemoryCatalog(), price_cpu_hour=3600.0)
    place.painters.report = {"attempt_s": 2.0, "device": "cpu", "threads": 3}
    accepted = await place.service.submit(prepared(saga=saga, views=["front_0deg", "back_180deg"]))
    assert (accepted["usage"], accepted["cost"]) == ({"cpu_s": 0.0, "gpu_s": 0.0}, 0.0)
    dearer = replace(place, settings=replace(place.settings, price_cpu_hour=1e6))
    async with dearer.running():
        record = await dearer.ended(accepted["id"])
    assert record["usage"] == {"cpu_s": 12.0, "gpu_s": 0.0}
    assert record["cost"] == 12.0
