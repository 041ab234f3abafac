"""Every metric seen moving, every panel of the dashboard seen with data, and alerts provoked: on a real Prometheus.

Starts farms and a Prometheus (Debian's package) on loopback, gives them work that succeeds, fails, is cancelled, is
retried and cannot be undone, and faults: a store that stops answering, a coordinator that is frozen and one that is
killed, crashing renders, a storage that refuses, a shop that is away, a cluster without slots. Then it asks Prometheus.

The alerts are those of deploy/prometheus/alerts.yml, their waiting times cut to nothing and their windows to a minute,
so that each can ring within this bench; three thresholds that no bench should reach are lowered (`LOWERED`).

    python -m bench.monitoring [--json FILE]
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from bench.farms import bench_farm, wait_until_ended
from farm.adapters.embedded_store import EmbeddedStore
from farm.adapters.redis_board import RedisBoard
from farm.domain.ids import DEFAULT_TENANT
from farm.domain.request import parse_request
from farm.render.metrics import METRICS, Kind
from farm.render.prepare import prepare
from farm.wiring import Farm

REPOSITORY = Path(__file__).parent.parent
EXAMPLE = REPOSITORY / "examples" / "nordlys.png"
SCRAPE_S = 2
PATIENCE_S = 60.0
SMALL = {"size": 96, "samples": 1, "views": ["front_0deg", "back_180deg"]}
JOBS: dict[str, tuple[dict[str, Any], str]] = {
    "completes": ({"product_id": "tee", "model": True}, ""),
    "is in the cache": ({"product_id": "tee-2"}, ""),
    "completes, simple": ({"product_id": "tee", "saga": "simple", "priority": 7}, ""),
    "a view is retried": ({"product_id": "tee", "engine": "cycles"}, "worker.render=blank:front_0deg*1"),
    "fails": ({"engine": "cycles"}, "worker.render=blank:front_0deg*99"),
    "a step is retried": ({"product_id": "tee"}, "associate_media.inside=raise*1"),
    "cannot be undone": ({}, "store_outputs.inside=raise*99;compensate.upload_design=raise*99"),
}
"""Requests, and their drills."""
KILLED = ({"product_id": "tee"}, "store_outputs.inside=kill*1")
LOWERED = {
    "> 1800": "> 4",  # FarmQueueOld: half an hour of waiting
    "< 2e9": "< 1e15",  # FarmDiskFull: a full disk
    "> 8e9": "> 1e8",  # FarmWorkerMemory: a render process of 8 GB
}
TOLD_S = 12.0
"""Ray passes figures on every ten seconds; a process that is killed before takes them along."""
TWICE = 2
"""Prometheus counts what is added to a series it knows: the errors that begin one are seen, and not as an increase."""
SLOW_PULSES = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def hurried(rules: str) -> str:
    """The alerts, so that they ring within a minute."""
    read = yaml.safe_load(rules)
    for group in read["groups"]:
        group["interval"] = f"{SCRAPE_S}s"
        for rule in group["rules"]:
            rule["for"] = "0s"
            rule["expr"] = re.sub(r"\[\d+m\]", "[1m]", rule["expr"])
            for threshold, lower in LOWERED.items():
                rule["expr"] = rule["expr"].replace(threshold, lower)
    return str(yaml.safe_dump(read))


@contextmanager
def prometheus(target: str) -> Iterator[str]:
    """A Prometheus that scrapes ``target``; its address."""
    program = shutil.which("prometheus")
    if program is None:
        raise SystemExit("there is no prometheus here: apt-get install prometheus")
    folder = Path(tempfile.mkdtemp(prefix="farm-prometheus-"))
    (folder / "alerts.yml").write_text(hurried((REPOSITORY / "deploy" / "prometheus" / "alerts.yml").read_text()))
    config = {
        "global": {"scrape_interval": f"{SCRAPE_S}s", "evaluation_interval": f"{SCRAPE_S}s"},
        "rule_files": ["alerts.yml"],
        "scrape_configs": [{"job_name": "ray", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = [program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def ask(address: str, path: str, **parameters: str) -> Any:
    """One question to Prometheus; its data."""
    with urllib.request.urlopen(f"{address}{path}?{urllib.parse.urlencode(parameters)}", timeout=20) as answer:
        return json.load(answer)["data"]


def query(address: str, expression: str) -> list[dict[str, Any]]:
    expression = expression.replace("$__rate_interval", "5m")
    found: list[dict[str, Any]] = ask(address, "/api/v1/query", query=expression)["result"]
    return [one for one in found if one["value"][1] != "NaN"]


def moved(address: str, name: str, kind: Kind) -> bool:
    """Whether a metric was ever other than nothing."""
    series = f"ray_{name}_count" if kind is Kind.HISTOGRAM else f"ray_{name}"
    return any(float(one["value"][1]) > 0 for one in query(address, f"max_over_time({series}[30m])"))


async def submit(farm: Farm, wanted: dict[str, Any], drills: str = "", *, force: bool = False) -> str:
    """Submit a job; its id. With ``force`` it takes nothing that is kept from before."""
    request = parse_request({**SMALL, **wanted})
    prepared = await asyncio.to_thread(prepare, farm.settings, request, [EXAMPLE.read_bytes()])
    return str((await farm.service.submit(prepared, failpoints=drills, force=force))["id"])


async def work(farm: Farm) -> dict[str, str]:
    """All the jobs; what became of each."""
    accepted: dict[str, str] = {}
    await farm.webhooks.add(tenant=DEFAULT_TENANT, url=f"http://127.0.0.1:{free_port()}/nobody")
    for name, (wanted, drills) in JOBS.items():
        if name == "is in the cache":
            await wait_until_ended(farm, list(accepted.values()))
        accepted[name] = await submit(farm, wanted, drills)
    await wait_until_ended(farm, list(accepted.values()))
    # More than fits: some wait. Then one that would take for ever is cancelled.
    waiting = [await submit(farm, {"engine": "cycles", "priority": n % 3, "samples": 32}) for n in range(8)]
    endless = await submit(farm, {"samples": 4096, "size": 1024, "engine": "cycles", "priority": 9})
    await wait_until_ended(farm, waiting[:6])
    await farm.service.cancel(endless)
    accepted |= {"is cancelled": endless} | {f"waits {number}": job for number, job in enumerate(waiting)}
    # Renders that crash: jobs fail, views fail, the node is left alone.
    crashing = [await submit(farm, {"engine": "cycles"}, "worker.render=crash:front_0deg*99") for _ in range(4)]
    accepted |= {f"crashes {number}": job for number, job in enumerate(crashing)}
    records = await wait_until_ended(farm, list(accepted.values()))
    await asyncio.sleep(TOLD_S)
    return dict(zip(accepted, (str(record["status"]) for record in records), strict=True))


async def faults(farm: Farm, store: EmbeddedStore) -> dict[str, str]:
    """Stop, freeze, kill and block what the farm leans on, one after the other."""
    blocked = [await _without_storage(farm) for _ in range(TWICE)]
    # A coordinator that is frozen while a job is under way, and one that is killed in the middle.
    frozen = await submit(farm, {"engine": "cycles", "samples": 512, "size": 512})
    coordinator = await _coordinator(farm)
    await asyncio.sleep(4)
    os.kill(coordinator, signal.SIGSTOP)
    await asyncio.sleep(26)
    os.kill(coordinator, signal.SIGCONT)
    killed = await submit(farm, *KILLED)
    records = await wait_until_ended(farm, [frozen, killed])
    # The store: no answer for a while.
    os.kill(store.pid, signal.SIGSTOP)
    await asyncio.sleep(20)
    os.kill(store.pid, signal.SIGCONT)
    await asyncio.sleep(TOLD_S)
    stuttered = await _with_slow_store(farm, store.pid)
    return {
        "storage refuses": "; ".join(blocked),
        "store stutters": stuttered,
        "coordinator frozen": str(records[0]["status"]),
        "coordinator killed": str(records[1]["status"]),
    }


async def _without_storage(farm: Farm) -> str:
    """Put a file where the object store's folder was, while jobs are under way; what became of them."""
    objects = farm.settings.home / "objects"
    aside = objects.with_name("aside")
    request = parse_request({**SMALL, "engine": "cycles", "product_id": "tee"})
    prepared = await asyncio.to_thread(prepare, farm.settings, request, [EXAMPLE.read_bytes()])
    accepted = await asyncio.gather(*(farm.service.submit(prepared, force=True) for _ in range(8)))
    under_way = [str(record["id"]) for record in accepted]
    objects.rename(aside)
    objects.write_text("")
    await asyncio.sleep(TOLD_S)
    objects.unlink()
    aside.rename(objects)
    ended = await wait_until_ended(farm, under_way)
    await asyncio.sleep(TOLD_S)
    return ", ".join(str(record["status"]) for record in ended)


async def _with_slow_store(farm: Farm, pid: int) -> str:
    """Have the store answer now and then only, while jobs are under way; what became of them."""
    under_way = [asyncio.create_task(submit(farm, {"engine": "cycles"}, force=True)) for _ in range(4)]
    for _ in range(SLOW_PULSES):
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(0.95)
        os.kill(pid, signal.SIGCONT)
        await asyncio.sleep(0.03)  # a few answers get through: were it longer, most would be quick ones
    ended = await wait_until_ended(farm, await asyncio.gather(*under_way))
    await asyncio.sleep(TOLD_S)
    return ", ".join(str(record["status"]) for record in ended)


async def _coordinator(farm: Farm) -> int:
    """The process of the coordinator."""
    while True:
        for post in await RedisBoard(farm.redis).read():
            return int(post["pid"])
        await asyncio.sleep(0.5)


def alerts(address: str) -> set[str]:
    """The alerts that have rung so far."""
    found = ask(address, "/api/v1/query", query='max_over_time(ALERTS{alertstate="firing"}[30m])')["result"]
    return {one["metric"]["alertname"] for one in found}


async def measure() -> dict[str, Any]:
    """Work, ask, report."""
    port = free_port()
    panels = [
        (panel["title"], [target["expr"] for target in panel["targets"]])
        for panel in json.loads((REPOSITORY / "deploy" / "grafana" / "farm.json").read_text())["panels"]
        if panel["type"] != "row"
    ]
    began_s = time.monotonic()
    quick = {"backoff_base_s": "0.05", "backoff_max_s": "0.2", "compensation_attempts": "2", "lease_s": "2"}
    quick |= {"webhook_http_hosts": "127.0.0.1", "metrics_port": str(port), "cache_days": "1"}
    rung: set[str] = set()
    full: set[str] = set()
    told: set[str] = set()
    ended: dict[str, str] = {}

    def look_once(address: str) -> None:
        rung.update(alerts(address))
        told.update(name for name, metric in METRICS.items() if moved(address, name, metric.kind))
        full.update(title for title, targets in panels if any(query(address, one) for one in targets))

    async def look(address: str) -> None:
        """Note what can be seen, as long as this goes on."""
        while True:
            with suppress(OSError):  # it has not come up yet
                await asyncio.to_thread(look_once, address)
            await asyncio.sleep(SCRAPE_S)

    with prometheus(f"127.0.0.1:{port}") as address:
        looking = asyncio.create_task(look(address))
        async with bench_farm(**quick, render_slots="1") as (farm, _):
            ended |= await work(farm)
            store = EmbeddedStore.connect(farm.settings.home)
            assert store is not None
            ended |= await faults(farm, store)
        # A shop that is away; its farm finds its pictures at an address that nobody has to reach.
        away = {"shop_url": f"http://127.0.0.1:{free_port()}", "shop_api_key": "sk", "shop_http_hosts": "127.0.0.1"}
        async with bench_farm(**quick, **away, public_url="https://pictures.example", render_slots="1") as (farm, _):
            for _ in range(TWICE):
                job = await submit(farm, {"product_id": "tee"})
                ended["shop is away"] = str((await wait_until_ended(farm, [job]))[0]["status"])
                await asyncio.sleep(TOLD_S)
        for name in ("FARM_SHOP_URL", "FARM_SHOP_API_KEY", "FARM_PUBLIC_URL"):
            del os.environ[name]
        # GPUs are asked for and there are none.
        async with bench_farm(**quick, render_gpus="1") as (farm, _):
            job = await submit(farm, {"engine": "cycles"})
            await asyncio.sleep(2 * TOLD_S)
            await farm.service.cancel(job)
            ended["no slots"] = str((await wait_until_ended(farm, [job]))[0]["status"])
        # No farm is up now: its census is missed.
        deadline_s = time.monotonic() + PATIENCE_S
        while "FarmDown" not in rung and time.monotonic() < deadline_s:
            await asyncio.sleep(SCRAPE_S)
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
    named = [rule["alert"] for group in _rules() for rule in group["rules"]]
    return {
        "jobs": ended,
        "metrics": len(METRICS),
        "metrics_that_did_not_move": [name for name in METRICS if name not in told],
        "panels": len(panels),
        "panels_without_data": [title for title, _ in panels if title not in full],
        "alerts": len(named),
        "alerts_that_did_not_ring": [name for name in named if name not in rung],
        "took_s": round(time.monotonic() - began_s, 1),
    }


def _rules() -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = yaml.safe_load((REPOSITORY / "deploy/prometheus/alerts.yml").read_text())["groups"]
    return groups


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the result there too")
    out: Path | None = parser.parse_args().json
    text = json.dumps(asyncio.run(measure()), indent=2)
    print(text)
    if out:
        out.write_text(text + "\n")


if __name__ == "__main__":
    main()
