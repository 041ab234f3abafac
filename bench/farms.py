"""A farm of its own for a benchmark: fresh home, real store, real Ray, gone afterwards."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from farm.adapters.shipped_light import Light
from farm.domain.template import find
from farm.home.folder import Home, Need, Order
from farm.home.join import join
from farm.home.state import HostState
from farm.settings import Settings
from farm.wiring import Farm, open_farm


@asynccontextmanager
async def bench_farm(**settings: str) -> AsyncIterator[tuple[Farm, HostState]]:
    """A farm up and ready in a temporary home; ``settings`` are FARM_ variables without the prefix.

    Nothing is kept for equal work unless asked for: a benchmark that renders one design again and again means it.
    """
    settings = {"cache_days": "0", **settings}
    home = Path(tempfile.mkdtemp(prefix="farm-bench-"))
    # The host is a process of its own and reads its settings as any farm does: from the environment.
    os.environ.update({f"FARM_{name.upper()}": value for name, value in settings.items()}, FARM_HOME=str(home))
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    chosen = Settings.load()
    try:
        async with join(chosen, Need.FARM, lambda _: None) as host:
            async with open_farm(chosen, store_url=host.store_url) as farm:
                yield farm, host
            Home(home).order(host, Order.NOW)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def provide_bake(home: Path, bakes: Path | None, size_px: int) -> None:
    """A bake of the crew tee in that farm: copied from another farm's ``objects/bakes``, its own light, or made."""
    if bakes:
        shutil.copytree(bakes, home / "objects" / "bakes", dirs_exist_ok=True)
        return
    garment = find(Settings.load().template_folders, "crew-tee")
    light = Light.read(garment.folder, garment.hash)
    if light is not None and light.bake.size_px >= size_px:
        return
    command = [sys.executable, "-m", "farm.cli", "template", "bake", "--size", str(size_px), "--no-measure"]
    subprocess.run(command, check=True, env={**os.environ, "FARM_HOME": str(home)})


async def wait_until_ended(farm: Farm, job_ids: list[str]) -> list[dict[str, object]]:
    """The records of the jobs once all have ended."""
    records = []
    for job_id in job_ids:
        async for _ in farm.service.follow(job_id):
            pass
        records.append(await farm.service.get(job_id))
    return records
