"""A node that dies in the middle of a job: several raylets on this machine, one of them killed with all its processes.

The head renders nothing; three nodes have a GPU each that exists on paper, and render on the CPU. When the first views
are done, a node that renders is killed. Measured: how long until its view renders elsewhere, until the next picture is
done, until the job is; that finished views were not rendered again; and that the nodes were inspected before use.

    python -m bench.nodes [--nodes 3] [--pictures FOLDER] [--json FILE]

With --pictures the cluster page is photographed before the kill, right after it, when the view renders elsewhere, and
at the end (Chromium: scripts/browser.sh install).
"""

import argparse
import asyncio
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from farm.adapters.redis_board import RedisBoard
from farm.domain.request import parse_request
from farm.home.folder import Home, Need, Order
from farm.home.join import join
from farm.render.overview import Overview
from farm.render.prepare import prepare
from farm.saga.clock import SystemClock
from farm.settings import Settings
from farm.wiring import Farm, open_farm

EXAMPLE = Path(__file__).parent.parent / "examples" / "nordlys.png"
LOOK_S = 0.1


class Raylets:
    """A head and some nodes, as processes of this machine."""

    def __init__(self, home: Path, nodes: int) -> None:
        from ray.cluster_utils import Cluster  # reads the environment: not before it is set

        common: dict[str, Any] = {
            "object_store_memory": 100_000_000,
            "memory": 1_500_000_000,
            "include_dashboard": False,
        }
        folder = str(home / "tmp" / "ray")
        self.cluster: Any = Cluster(
            initialize_head=True, head_node_args={**common, "num_cpus": 2, "num_gpus": 0, "temp_dir": folder}
        )
        self._common = common
        self.nodes: list[Any] = []
        for _ in range(nodes):
            self.add()

    def add(self, **options: Any) -> str:
        """One more node with a GPU; its id."""
        self.nodes.append(self.cluster.add_node(num_cpus=2, num_gpus=1, **self._common, **options))
        return str(self.nodes[-1].node_id)

    @property
    def address(self) -> str:
        return str(self.cluster.address)

    def kill(self, node_id: str) -> int:
        """Kill a node as a power cut would: its raylet, its agents and its workers; how many processes."""
        node = next(one for one in self.nodes if one.node_id == node_id)
        pids = [one.process.pid for ones in node.all_processes.values() for one in ones]
        pids += [child for pid in pids for child in _children(pid)]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.nodes.remove(node)
        return len(pids)

    def close(self) -> None:
        self.cluster.shutdown()


def _children(pid: int) -> list[int]:
    """Processes below ``pid``, at any depth."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it has just ended
            for child in task.read_text().split():
                found += [int(child), *_children(int(child))]
    return found


@asynccontextmanager
async def farm_on(raylets: Raylets, home: Path) -> AsyncIterator[tuple[Farm, str]]:
    """A farm whose host joins that cluster."""
    os.environ.update(
        FARM_HOME=str(home), RAY_ADDRESS=raylets.address, FARM_RENDER_GPUS="1", FARM_RENDER_DEVICE="cpu",
        FARM_RENDER_MEMORY_BYTES="400000000", FARM_RENDER_THREADS="1",
    )  # fmt: skip
    settings = Settings.load()
    async with join(settings, Need.FARM, lambda state: print(f"  {state.phase}")) as host:
        async with open_farm(settings, store_url=host.store_url) as farm:
            yield farm, host.store_url
        Home(home).order(host, Order.NOW)


@asynccontextmanager
async def page_of(farm: Farm, store_url: str, pictures: Path | None) -> AsyncIterator[Any]:
    """Takes a picture of the cluster page, under a name."""
    if pictures is None:

        async def nothing(name: str) -> None:
            return None

        yield nothing
        return
    from playwright.async_api import async_playwright

    from bench.served import served

    pictures.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240
    async with served(farm, store_url) as (address, token), async_playwright() as playwright:
        program = os.environ.get("FARM_TEST_BROWSER") or shutil.which("chromium")
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"], timeout=120_000)
        page = await browser.new_page(viewport={"width": 1440, "height": 1000})
        await page.goto(f"{address}/login?next=/cluster")
        await page.get_by_label("API key").fill(token)
        await page.get_by_role("button", name="Log in").click()
        await page.wait_for_url("**/cluster")  # the login page leads there

        async def take(name: str) -> None:
            await page.wait_for_timeout(2500)  # the board is written every two seconds
            await page.screenshot(path=pictures / f"{name}.png", full_page=True)

        yield take
        await browser.close()


@contextmanager
def fresh_home() -> Iterator[Path]:
    """A home for the length of a benchmark, and the environment that raylets must be started in."""
    from farm.actors.options import node_environment

    home = Path(tempfile.mkdtemp(prefix="fn-", dir="/tmp"))
    try:
        (home / "cluster.token").write_text(secrets.token_hex(32))
        os.environ.update(node_environment(Settings.load({"FARM_HOME": str(home)})))
        # Ray notes the address of the newest cluster in its temporary folder, which may be somebody else's.
        (home / "tmp").mkdir()
        os.environ["RAY_TMPDIR"] = str(home / "tmp")
        os.environ["PYTHONPATH"] = str(EXAMPLE.parent.parent)  # the nodes run this very code, wherever it is installed
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(home / "cluster.token")
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def run(nodes: int, pictures: Path | None) -> dict[str, Any]:
    """The whole story; its figures."""
    with fresh_home() as home:
        raylets = Raylets(home, nodes)  # in the main thread: its processes end with the thread that starts them
        try:
            began_s = time.monotonic()
            async with farm_on(raylets, home) as (farm, store_url):
                up_s = time.monotonic() - began_s
                async with page_of(farm, store_url, pictures) as picture:
                    return {"nodes": nodes, "up_s": round(up_s, 1)} | await _kill_one(farm, raylets, picture)
        finally:
            raylets.close()


async def _kill_one(farm: Farm, raylets: Raylets, picture: Any) -> dict[str, Any]:
    overview = Overview(sagas=farm.sagas, board=RedisBoard(farm.redis), clock=SystemClock())
    request = parse_request({"size": 512, "samples": 96, "engine": "cycles", "product_id": "tee"})
    prepared = await asyncio.to_thread(prepare, farm.settings, request, [EXAMPLE.read_bytes()])
    job = (await farm.service.submit(prepared))["id"]

    spread: set[str] = set()
    while True:
        record = await farm.service.get(job)
        looked = await overview.look()
        busy = {node["id"]: node["views"][0]["view"] for node in looked["nodes"] if node["views"]}
        spread |= set(busy)
        done = [view for view in record["views"] if view["status"] == "done"]
        if len(done) >= 2 and len(busy) >= 2:
            break
        if record["finished_at"]:
            raise SystemExit(f"the job ended before a node could be killed: {record['status']} {record['error']}")
        await asyncio.sleep(LOOK_S)
    await picture("before")
    record = await farm.service.get(job)
    busy = {node["id"]: node["views"][0] for node in (await overview.look())["nodes"] if node["views"]}
    victim, lost = next((node, view["view"]) for node, view in busy.items())
    kept = {view["view"]: view["report"]["process"] for view in record["views"] if view["status"] == "done"}
    processes = raylets.kill(victim)
    killed_s = time.monotonic()
    print(f"  killed {victim[:8]} ({processes} processes), which rendered {lost}; {len(kept)} views were done")
    await picture("killed")

    first: dict[str, float] = {}
    photographed = False
    while True:
        record = await farm.service.get(job)
        views = {view["view"]: view for view in record["views"]}
        passed_s = time.monotonic() - killed_s
        if any(view["status"] == "done" and name not in kept for name, view in views.items()):
            first.setdefault("next_picture_s", passed_s)
        if views[lost]["attempts"] > 1 and views[lost]["status"] in ("rendering", "done"):
            first.setdefault("lost_view_renders_elsewhere_s", passed_s)
        if record["finished_at"]:
            first["job_ended_s"] = passed_s
            break
        if "lost_view_renders_elsewhere_s" in first and not photographed:
            photographed = True
            await picture("after")
        await asyncio.sleep(LOOK_S)
    await picture("ended")
    again = [name for name, process in kept.items() if views[name]["report"]["process"] != process]
    return {
        "views_ran_on_nodes": len(spread),
        "views_done_before": len(kept),
        "status": record["status"],
        **{name: round(seconds, 1) for name, seconds in first.items()},
        "attempts_of_the_lost_view": views[lost]["attempts"],
        "finished_views_rendered_again": again,
        "findings_of_the_audit": len((await farm.audit()).findings),
    }


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--pictures", type=Path, help="photograph the cluster page into this folder")
    parser.add_argument("--json", type=Path, help="write the result there too")
    arguments = parser.parse_args()
    found = asyncio.run(run(arguments.nodes, arguments.pictures))
    text = json.dumps(found, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")
    good = found["status"] == "completed" and not found["finished_views_rendered_again"]
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
