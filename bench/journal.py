"""Sagas per second through the journal: seven steps without effects, every append on disk, one process.

Run with `python -m bench.journal`. The store is the embedded one (`appendfsync always`), in a folder of its own.
"""

import argparse
import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.redis_journal import open_redis
from farm.saga.engine import Engine
from farm.saga.fold import fold
from farm.saga.journal import Draft, Entry, EntryKind, Projection
from farm.saga.retry import NO_RETRY, RetryPolicy
from farm.saga.state import SagaState
from farm.saga.step import SagaDefinition, StepContext
from farm.saga.store import Store

STEPS = ("create", "upload", "compose", "render", "outputs", "media", "complete")


@dataclass(frozen=True, slots=True)
class NoStep:
    """Does nothing, as fast as it can."""

    name: str
    retry: RetryPolicy = NO_RETRY
    timeout_s: float = 60.0

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        return {"key": f"t/tenant/jobs/{ctx.saga_id}/{self.name}", "sha256": "0" * 64}

    async def compensate(self, ctx: StepContext) -> None:
        return None


SAGA = SagaDefinition(name="nothing", steps=tuple(NoStep(name) for name in STEPS))


def project(saga_id: str, state: SagaState, new: Sequence[Entry]) -> Projection:
    """A record of about the size of a real one, an index of five fields, an event per append."""
    status = str(state.phase)
    record = {"id": saga_id, "status": status, "request": state.input, "outputs": state.outputs, "seq": state.seq}
    return Projection(
        record=record,
        index={"tenant": "bench", "status": status},
        created_at_s=state.created_at_s,
        live=state.live,
        events=({"type": "saga.changed", "id": saga_id, "status": status},),
    )


async def submit(store: Store, saga_id: str) -> None:
    """One saga, on disk when this returns."""
    draft = Draft(kind=EntryKind.CREATED, data={"preset": "chest-large", "views": list(STEPS), "size_px": 1024})
    entry = Entry(seq=1, kind=draft.kind, data=draft.data, at_s=time.time())
    await store.journal.create(saga_id, (draft,), project(saga_id, fold((entry,)), (entry,)))


async def drive_all(store: Store, count: int, in_flight: int) -> float:
    """Drive ``count`` sagas to their end; seconds it took."""
    engine = Engine(store, projector=project)
    running: set[asyncio.Task[SagaState]] = set()
    ended = 0
    begin = time.perf_counter()
    while ended < count:
        room = in_flight - len(running)
        leases = (
            await store.leases.claim("bench", ttl_s=30.0, concurrency=in_flight, limit=min(room, 64)) if room else ()
        )
        running |= {asyncio.create_task(engine.drive(lease, SAGA)) for lease in leases}
        done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        ended += sum(task.result().phase == "completed" for task in done)
    return time.perf_counter() - begin


async def measure(url: str, count: int, in_flight: int) -> dict[str, float]:
    """Submit all, then drive all."""
    store = open_redis(url, namespace="bench")
    await store.ping()
    with redis.Redis.from_url(url) as client:
        empty_bytes = client.info("memory")["used_memory"]
        begin = time.perf_counter()
        gate = asyncio.Semaphore(in_flight)

        async def one(n: int) -> None:
            async with gate:
                await submit(store, f"saga-{n:06}")

        await asyncio.gather(*(one(n) for n in range(count)))
        accepted_s = time.perf_counter() - begin
        cpu_s = time.process_time()
        driven_s = await drive_all(store, count, in_flight)
        cpu_s = time.process_time() - cpu_s
        ended_bytes = client.info("memory")["used_memory"] - empty_bytes
        await asyncio.gather(*(store.journal.compact(f"saga-{n:06}") for n in range(count)))
        compact_bytes = client.info("memory")["used_memory"] - empty_bytes
    await store.close()
    return {
        "sagas": count,
        "in_flight": in_flight,
        "accepted_per_s": round(count / accepted_s, 1),
        "sagas_per_s": round(count / driven_s, 1),
        "cpu_ms_per_saga": round(1000 * cpu_s / count, 2),
        "store_bytes_per_ended_saga": round(ended_bytes / count),
        "store_bytes_per_compacted_saga": round(compact_bytes / count),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sagas", type=int, default=1500)
    parser.add_argument("--in-flight", type=int, default=128)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-journal-") as folder:
        server = EmbeddedStore.start(Path(folder))
        try:
            print(json.dumps(asyncio.run(measure(server.url, asked.sagas, asked.in_flight)), indent=2))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
