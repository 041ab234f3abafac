"""The overview: what an operator wants to see at one glance, from the store and the board alone."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from farm.domain.status import Status
from farm.render.cluster import STUCK_S, Cluster, ClusterBoard
from farm.render.record import seconds_of
from farm.render.statistics import percentiles
from farm.saga.clock import Clock
from farm.saga.store import Store

RECENT_JOBS = 200
RECENT_S = 3600.0
KEPT_S = 1.5
"""Everybody who looks within this sees the same: many open pages cost no more than one."""
TROUBLED = 50
LOOKED_THROUGH = 500


@dataclass(slots=True, kw_only=True)
class Overview:
    """One for each process that shows it."""

    sagas: Store
    board: ClusterBoard
    clock: Clock
    _shown: dict[str, Any] | None = None
    _shown_s: float = 0.0
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def look(self) -> dict[str, Any]:
        """Nodes with what each renders, the queue, the last hour, and the jobs that need a person.

        Raises:
            StoreUnavailable: when the store does not answer.
        """
        async with self._turn:
            now_s = self.clock.monotonic_s()
            if self._shown is None or now_s - self._shown_s > KEPT_S:
                self._shown = await self._look()
                self._shown_s = self.clock.monotonic_s()
            return self._shown

    async def _look(self) -> dict[str, Any]:
        cluster = Cluster.of(await self.board.read())
        backlog = await self.sagas.leases.backlog()
        newest = await self.sagas.records.list({}, limit=RECENT_JOBS)
        now_s = self.clock.wall_s()
        jobs = dict.fromkeys(str(one["job_id"]) for one in cluster.running)
        # Asked together: what the store is asked at one time goes to it in one round trip.
        records = dict(zip(jobs, await asyncio.gather(*map(self.sagas.records.get, jobs)), strict=True))
        views = [_view(one, records[str(one["job_id"])] or {}) for one in cluster.running]
        return {
            "seen": cluster.seen,
            "slots": cluster.slots,
            "views_running": sum(bool(view["node"]) for view in views),
            "views_waiting": cluster.views_waiting + sum(not view["node"] for view in views),
            "nodes": [
                {**machine.to_dict(), "views": [view for view in views if view["node"] == machine.id]}
                for machine in cluster.machines
            ],
            "coordinators": [dict(one) for one in cluster.coordinators],
            "leased": backlog.held,
            "lapsed": backlog.lapsed,
            "queue": [
                {"priority": one.priority, "count": one.count, "oldest_s": round(one.oldest_s, 1)}
                for one in backlog.waiting
            ],
            "recent": recent(newest.records, now_s),
            "troubled": await self._troubled(now_s),
        }

    async def _troubled(self, now_s: float) -> list[dict[str, Any]]:
        found = [
            _trouble(record, "compensation_pending", _words(record.get("error")))
            for record in (await self.sagas.records.list({"compensation": "pending"}, limit=TROUBLED)).records
        ]
        for status in (Status.RENDERING, Status.COMPOSITING, Status.PENDING):
            page = await self.sagas.records.list({"status": status}, limit=LOOKED_THROUGH)
            found += [
                _trouble(record, "stuck", str(record.get("trouble") or "nothing has happened to it for long"))
                for record in page.records
                if is_stuck(record, now_s)
            ]
        return found[:TROUBLED]


def is_stuck(record: Mapping[str, Any], now_s: float) -> bool:
    """Whether a job that has begun has not moved for long, or its coordinator cannot drive it."""
    if record.get("trouble"):
        return True
    return record["started_at"] is not None and now_s - seconds_of(record["updated_at"]) > STUCK_S


def recent(records: Sequence[Mapping[str, Any]], now_s: float) -> dict[str, Any]:
    """How the last hour went, by the newest jobs."""
    ended = [
        (str(record["status"]), seconds_of(record["finished_at"]) - seconds_of(record["created_at"]))
        for record in records
        if record.get("finished_at") and now_s - seconds_of(record["finished_at"]) <= RECENT_S
    ]
    counts = {str(status): sum(one == status for one, _ in ended) for status in Status if status.ended}
    judged = counts["completed"] + counts["failed"]
    took_s = [seconds for status, seconds in ended if status == Status.COMPLETED]
    return {
        "window_s": RECENT_S,
        "ended": len(ended),
        **counts,
        "failure_rate": round(counts["failed"] / judged, 4) if judged else None,
        "seconds": percentiles(took_s),
    }


def _trouble(record: Mapping[str, Any], kind: str, words: str) -> dict[str, Any]:
    return {
        "id": record["id"],
        "kind": kind,
        "status": record["status"],
        "product_id": record.get("product_id"),
        "since": record["updated_at"],
        "message": words[:300],
        "steps_left": list(record.get("steps_left", ())),
    }


def _words(error: Mapping[str, Any] | None) -> str:
    return str((error or {}).get("message", ""))


def _view(running: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """A view that runs, with what its job says of itself."""
    done = [view["view"] for view in record.get("views", ()) if view.get("picture")]
    return {
        "job_id": str(running["job_id"]),
        "view": running["name"],
        "phase": running.get("phase", ""),
        "fraction": running.get("fraction", 0.0),
        "node": running.get("node", ""),
        "product_id": record.get("product_id"),
        "tenant": record.get("tenant"),
        "last_view": done[-1] if done else None,
    }
