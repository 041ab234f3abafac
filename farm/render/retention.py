"""Retention: what ended jobs keep, and for how long; enforced by the sweep.

Pictures that a product shows are never taken away: they are the shop's. Others go after ``output_days``: the record
says so first (``outputs_expired_at``), then the objects go, so whoever dies in between leaves strays that the sweep
knows. A record goes after ``record_days`` once nothing of its job is left, by the same durable deletion as when
somebody asks for it.
"""

import logging
from collections.abc import Mapping
from typing import Any

from farm.domain.event import rfc3339
from farm.domain.status import Status
from farm.render.deletion import Deletion
from farm.saga.clock import Clock
from farm.saga.store import Store
from farm.settings import Settings

log = logging.getLogger(__name__)

EXPIRED = "outputs_expired_at"
"""The record's member that says when its pictures were given up."""
DAY_S = 86_400.0


class Retention:
    """Lets go of what was kept long enough."""

    def __init__(self, *, settings: Settings, sagas: Store, deletion: Deletion, clock: Clock) -> None:
        self._settings = settings
        self._sagas = sagas
        self._deletion = deletion
        self._clock = clock

    async def apply(self, record: Mapping[str, Any], *, ended_s: float) -> Mapping[str, Any] | None:
        """The record as it is from now on; ``None`` when the job is no longer remembered.

        Args:
            ended_s: when the job ended, seconds since 1970.

        Raises:
            StoreUnavailable, StorageUnavailable, ShopUnavailable: the next sweep goes on.
        """
        age_days = (self._clock.wall_s() - ended_s) / DAY_S
        if record["compensation_pending"]:
            return record
        if self._is_over(age_days, self._settings.output_days) and keeps_unshown_pictures(record):
            record = await self._expire(record)
        if self._is_over(age_days, self._settings.record_days) and keeps_nothing(record, self._settings, age_days):
            log.info("job %s ended %.0f days ago and is forgotten", record["id"], age_days)
            await self._deletion.begin(record, keep_media=False)
            await self._deletion.finish(record["id"])
            return None
        return record

    def _is_over(self, age_days: float, days: float) -> bool:
        return 0 < days < age_days

    async def _expire(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        log.info("job %s: its pictures were kept long enough", record["id"])
        told = {
            "outputs": {},
            "artifacts": [],
            "views": [{**view, "url": None} for view in record["views"]],
            EXPIRED: rfc3339(self._clock.wall_s()),
        }
        await self._sagas.records.annotate(record["id"], told)
        return {**record, **told}


def keeps_unshown_pictures(record: Mapping[str, Any]) -> bool:
    """Whether a completed job has pictures that no product shows: it had none, or a newer job took its place."""
    unshown = record["product_id"] is None or bool(record.get("superseded_by"))
    return record["status"] == Status.COMPLETED and unshown and record.get(EXPIRED) is None


def keeps_nothing(record: Mapping[str, Any], settings: Settings, age_days: float) -> bool:
    """Whether no object of an ended job is left, or should be."""
    match Status(record["status"]):
        case Status.COMPLETED:
            return record.get(EXPIRED) is not None
        case Status.FAILED:
            return age_days > settings.retry_days
        case _:
            return True
