"""What every job must keep at its end, whatever befell it."""

from typing import Any

from farm.domain import keys
from tests.workshop import Workshop

ENDS = ("completed", "failed", "cancelled")


async def check_promises(shop: Workshop, *records: dict[str, Any]) -> None:
    """Nothing is orphaned anywhere, and each job's events are whole, with one end that is the last."""
    assert (await shop.audit()).findings == []
    for record in records:
        await check_events(shop, record)
        if record["status"] != "completed":
            await check_gone(shop, record)


async def check_events(shop: Workshop, record: dict[str, Any]) -> None:
    """For a job that ended once, and whose events are all still there."""
    events = [event async for event in shop.service.follow(record["id"])]
    assert [event["sequence"] for event in events] == list(range(1, len(events) + 1)), "events have gaps"
    told = [event["type"].removeprefix("render.job.") for event in events]
    assert told[0] == "created"
    assert told.count("created") == 1
    assert [name for name in told if name in ENDS] == [record["status"]]
    assert told[-1] == record["status"], "something happened after the end"
    finished = [event["data"]["view"] for event in events if event["type"].endswith("view_completed")]
    assert sorted(finished) == sorted(set(finished)), "a finished view was finished again"


async def check_gone(shop: Workshop, record: dict[str, Any]) -> None:
    """A failed or cancelled job has no outputs and no objects; a failed one may keep its designs."""
    assert record["outputs"] == {}
    assert record["compensation_pending"] is False
    left = [item.key for item in shop.objects.list(keys.job(record["tenant"], record["id"]))]
    left += [item.key for item in shop.objects.list(keys.uploads(record["tenant"], record["id"]))]
    if record["status"] == "failed":
        left = [key for key in left if not key.startswith(keys.designs(record["tenant"], record["id"]))]
    assert left == []
