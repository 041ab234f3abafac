"""How long writers wait while a store is backed up, and how long it takes to give it back: by the number of ended jobs.

python -m bench.backup [--jobs 10000]
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import redis

from farm.adapters.backup_file import read_backup, write_backup
from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.file_store import FileStore
from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.redis_journal import open_redis
from tests.workshop import prepared, workshop

PARTS = ("s", "j", "e")


async def one_ended_job(url: str, home: Path) -> str:
    """A real job, ended and tidied as the farm leaves it; its id."""
    sagas = open_redis(url)
    place = workshop(home, sagas, FileStore(home / "objects"), MemoryCatalog())
    async with place.running():
        job = await place.service.submit(prepared(product_id="tee"))
        await place.ended(job["id"])
        await asyncio.sleep(1)  # its journal is compacted behind its end
    await sagas.close()
    return str(job["id"])


def multiplied(client: redis.Redis, job: str, count: int) -> None:
    """So many copies of that job, each in the indexes too."""
    dumps: Any = {part: client.dump(f"farm:{part}:{job}") for part in PARTS}
    for begin in range(0, count, 500):
        pipeline = client.pipeline(transaction=False)
        for number in range(begin, min(count, begin + 500)):
            for part, dump in dumps.items():
                if dump:
                    pipeline.restore(f"farm:{part}:copy{number}", 0, dump)
            pipeline.zadd("farm:all", {f"copy{number}": 1_780_000_000 + number})
            pipeline.zadd("farm:ix:status:completed", {f"copy{number}": 1_780_000_000 + number})
        pipeline.execute()


def main() -> None:
    """Parse the command line and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--jobs", type=int, default=10_000)
    jobs = parser.parse_args().jobs
    with tempfile.TemporaryDirectory(prefix="farm-backup-") as folder:
        home = Path(folder)
        store = EmbeddedStore.start(home)
        try:
            job = asyncio.run(one_ended_job(store.url, home))
            with redis.Redis.from_url(store.url) as client:
                multiplied(client, job, jobs)
                written = write_backup(store.url, home / "backup")
                began_s = time.monotonic()
                read_backup(store.url, home / "backup", replace=True)
                took_s = time.monotonic() - began_s
                memory: Any = client.info("memory")
        finally:
            store.stop()
    found = {
        "jobs": jobs,
        "store_mb": round(memory["used_memory"] / 1e6, 1),
        "file_mb": round(written.size_bytes / 1e6, 1),
        "writers_waited_s": round(written.paused_s or 0.0, 2),
        "restored_in_s": round(took_s, 2),
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
