"""The job API under load on loopback, as ratios to a bare FastAPI application on the same Ray Serve in the same run.

- rates: `POST /v1/jobs` with a 1 MB design and `GET /v1/jobs/{id}` by 1, 10 and 50 clients, each beside the bare one;
- capacity: 200 clients at a farm that takes five jobs at a time: 202, 429 or 503 with `Retry-After`, nothing lost;
- update: ten clients that post jobs and read them while both replicas are replaced: nothing refused, nothing lost;
- memory: of proxy and replica while 20 clients send 10 MB each, slowly, with and without a key.

The farm's jobs have no effects (``FARM_NULL_EFFECTS``), but their designs are decoded and their journal is on disk.
"""

import argparse
import asyncio
import io
import json
import os
import statistics
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from bench.farms import bench_farm
from farm.domain.access import EVERYTHING
from farm.home import process as processes
from farm.home.folder import MARK, Home
from farm.home.token import know_token
from farm.settings import Settings

PORT = 8797
REPLICA = "ServeReplica:farm-api"
CLIENTS = (1, 10, 50)
TURNS = 4
"""In which two applications are measured beside each other."""
CROWD = 200
SLOW, SLOW_BYTES, SLOW_S = 20, 9_900_000, 6.0
BOUNDARY = "load-load-load"
FORM_BYTES = 107
"""What the form adds to a design."""


def noise(size_px: int) -> bytes:
    """A picture that no compression helps: 590 px of it are a megabyte."""
    pixels = np.random.default_rng(7).integers(0, 256, (size_px, size_px, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def form(design: bytes) -> tuple[bytes, dict[str, str]]:
    """A job's multipart body, made once, and its headers."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="design"; filename="d.png"\r\n\r\n'
    body = head.encode() + design + f"\r\n--{BOUNDARY}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@dataclass(slots=True)
class Taken:
    """What clients met."""

    seconds: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    ids: list[str] = field(default_factory=list)
    wall_s: float = 0.0

    def add(self, more: "Taken") -> None:
        """What clients met in another turn."""
        self.seconds += more.seconds
        self.answers += more.answers
        self.ids += more.ids
        self.wall_s += more.wall_s

    def figures(self) -> dict[str, Any]:
        ordered = sorted(self.seconds)
        return {
            "per_s": round(len(ordered) / self.wall_s, 1),
            "p50_ms": round(1000 * statistics.median(ordered), 1),
            "p99_ms": round(1000 * ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))], 1),
            "answers": dict(self.answers),
        }


def within(lasting_s: float) -> Callable[[], bool]:
    """Whether so many seconds from now are not yet over."""
    end_s = time.perf_counter() + lasting_s
    return lambda: time.perf_counter() < end_s


async def crowd(clients: int, going_on: Callable[[], bool], ask: Callable[[], Awaitable[httpx.Response]]) -> Taken:
    """So many clients, each asking again as soon as it is answered."""
    taken = Taken()
    begin_s = time.perf_counter()

    async def one() -> None:
        while going_on():
            asked_s = time.perf_counter()
            try:
                answer = await ask()
            except httpx.HTTPError as error:
                taken.answers[type(error).__name__] += 1
                continue
            taken.seconds.append(time.perf_counter() - asked_s)
            polite = answer.status_code not in (429, 503) or "Retry-After" in answer.headers
            taken.answers[str(answer.status_code) if polite else f"{answer.status_code} without Retry-After"] += 1
            if answer.status_code == 202 and "id" in (told := answer.json()):
                taken.ids.append(told["id"])
            elif answer.status_code in (429, 503):
                await asyncio.sleep(0.05)  # a client that heeds nothing

    await asyncio.gather(*(one() for _ in range(clients)))
    taken.wall_s = time.perf_counter() - begin_s
    return taken


async def beside(
    clients: int,
    lasting_s: float,
    asks: Sequence[Callable[[], Awaitable[httpx.Response]]],
    settled: Callable[[], Awaitable[None]],
) -> list[Taken]:
    """What each is like, in short turns: what else the machine does then meets all alike.

    Args:
        settled: waits until nothing is left to do of what was asked before.
    """
    taken = [Taken() for _ in asks]
    for _ in range(TURNS):
        for ask, found in zip(asks, taken, strict=True):
            await settled()
            found.add(await crowd(clients, within(lasting_s / TURNS), ask))
    return taken


def bare_app() -> Any:
    """The same work but for everything that makes a job of it: a form is read, a small answer goes out."""
    from fastapi import FastAPI, Request
    from ray import serve

    app = FastAPI()

    @app.post("/jobs", status_code=202)
    async def post(request: Request) -> dict[str, int]:
        async with request.form() as sent:
            design: Any = sent["design"]
            return {"size": len(await design.read())}

    @app.get("/jobs/{job_id}")
    async def get(job_id: str) -> dict[str, str]:
        return {"job": job_id}

    @serve.deployment(name="bare", max_ongoing_requests=400, ray_actor_options={"num_cpus": 0})
    @serve.ingress(app)
    class Bare:
        pass

    return Bare.bind()  # type: ignore[attr-defined]


@asynccontextmanager
async def served(**settings: str) -> AsyncIterator[tuple[Any, str]]:
    """A farm that is served beside the bare application; its farm and a key."""
    wanted = {"null_effects": "yes", "requests_per_minute": "100000000", **settings}
    async with bench_farm(**wanted) as (farm, host):
        chosen = Settings.load()
        know_token(Home(chosen.home), own=True)
        from ray import serve

        from serve_app.app import serving

        _, token = await farm.keys.create(tenant="default", scopes=EVERYTHING, name="load")
        with serving(chosen, store_url=host.store_url, ray_address=host.ray_address, host="127.0.0.1", port=PORT):
            serve.run(bare_app(), name="bare", route_prefix="/bare")
            yield farm, token


def resident(title: str) -> dict[str, int]:
    """Resident bytes of every process with that title, by pid."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if title in (folder / "cmdline").read_text("utf-8", "replace"):
                    found[folder.name] = int((folder / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            except OSError:
                continue
    return found


@contextmanager
def watched(titles: dict[str, str]) -> Iterator[dict[str, dict[str, float]]]:
    """Memory in MB of processes before, and at most within."""
    before = {name: sum(resident(title).values()) for name, title in titles.items()}
    most = dict(before)
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            for name, title in titles.items():
                most[name] = max(most[name], sum(resident(title).values()))

    looking = threading.Thread(target=look)
    looking.start()
    told: dict[str, dict[str, float]] = {}
    try:
        yield told
    finally:
        over.set()
        looking.join()
        for name in titles:
            told[name] = {
                "before_mb": round(before[name] / 1e6, 1),
                "more_mb": round((most[name] - before[name]) / 1e6, 1),
            }


async def rates(lasting_s: float) -> list[dict[str, Any]]:
    """Both applications, by number of clients."""
    body, kind = form(noise(590))
    rows = []
    async with served() as (farm_up, token):

        async def settled() -> None:
            while await farm_up.service.live_count():
                await asyncio.sleep(0.05)

        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{PORT}", headers=headers, timeout=60, limits=httpx.Limits(max_connections=64)
        ) as client:
            job = (await client.post("/v1/jobs", content=body, headers=kind)).json()["id"]
            for clients in CLIENTS:
                for what, ours, theirs in (
                    ("POST", lambda: client.post("/v1/jobs", content=body, headers=kind),
                     lambda: client.post("/bare/jobs", content=body, headers=kind)),
                    ("GET", lambda: client.get(f"/v1/jobs/{job}"), lambda: client.get("/bare/jobs/1")),
                ):  # fmt: skip
                    bare, farm = (each.figures() for each in await beside(clients, lasting_s, (theirs, ours), settled))
                    rows.append(
                        {
                            "what": what,
                            "clients": clients,
                            "farm": farm,
                            "bare": bare,
                            "rate_ratio": round(farm["per_s"] / bare["per_s"], 3),
                            "p50_ratio": round(farm["p50_ms"] / bare["p50_ms"], 2),
                            "p99_ratio": round(farm["p99_ms"] / bare["p99_ms"], 2),
                        }
                    )
                    print(json.dumps(rows[-1]), flush=True)
    return rows


async def capacity(lasting_s: float) -> dict[str, Any]:
    """Far more than the farm takes: what is accepted is done, what is not is refused politely."""
    body, kind = form(noise(64))
    async with served(queue_max="5", concurrent_jobs="1", requests_per_minute="6000") as (farm, token):
        headers = {"Authorization": f"Bearer {token}"}
        limits = httpx.Limits(max_connections=CROWD)
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{PORT}", headers=headers, timeout=60, limits=limits
        ) as client:
            taken = await crowd(CROWD, within(lasting_s), lambda: client.post("/v1/jobs", content=body, headers=kind))
        while await farm.service.live_count():
            await asyncio.sleep(0.1)
        records = [await farm.sagas.records.get(job_id) for job_id in taken.ids]
        stored = await farm.sagas.records.count({})
        return {
            **taken.figures(),
            "accepted": len(taken.ids),
            "in_the_store": stored,
            "completed": sum(bool(record) and record["status"] == "completed" for record in records),
        }


async def update(lasting_s: float) -> dict[str, Any]:
    """Both replicas replaced under load, as `serve deploy` does it after a change."""
    body, kind = form(noise(64))
    async with served(queue_max="100000") as (farm, token):
        from ray import serve

        from serve_app.app import NAME, bind

        settings = Settings.load()

        async def deploy(hours: float) -> float:
            began_s = time.perf_counter()
            changed = replace(settings, session_hours=hours)
            app = bind(changed, store_url=farm_store_url(farm), num_replicas=2)
            await asyncio.to_thread(serve.run, app, name=NAME, route_prefix="/")
            return round(time.perf_counter() - began_s, 1)

        await deploy(12.5)
        former = replicas(settings.home)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{PORT}", headers=headers, timeout=60) as client:
            taken, read, took_s = await while_deploying(client, body, kind, lasting_s, lambda: deploy(13.0))
        while await farm.service.live_count():
            await asyncio.sleep(0.1)
        records = [await farm.sagas.records.get(job_id) for job_id in taken.ids]
        return {
            "posts": taken.figures(),
            "reads": read.figures(),
            "update_s": took_s,
            "replicas_replaced": f"{len(former - replicas(settings.home))} of {len(former)}",
            "accepted": len(taken.ids),
            "in_the_store": await farm.sagas.records.count({}) - 1,  # the one that is read
            "completed": sum(bool(record) and record["status"] == "completed" for record in records),
        }


async def while_deploying(
    client: httpx.AsyncClient,
    body: bytes,
    kind: dict[str, str],
    around_s: float,
    deploy: Callable[[], Awaitable[float]],
) -> tuple[Taken, Taken, float]:
    """Five clients post jobs and five read one, for ``around_s`` before ``deploy``, while it runs, and as long after.

    Returns:
        What those who post met, what those who read met, and the seconds that ``deploy`` took.
    """
    job = (await client.post("/v1/jobs", content=body, headers=kind)).json()["id"]
    over = asyncio.Event()

    def going_on() -> bool:
        return not over.is_set()

    posting = asyncio.create_task(crowd(5, going_on, lambda: client.post("/v1/jobs", content=body, headers=kind)))
    reading = asyncio.create_task(crowd(5, going_on, lambda: client.get(f"/v1/jobs/{job}")))
    await asyncio.sleep(around_s)
    took_s = await deploy()
    await asyncio.sleep(around_s)
    over.set()
    return await posting, await reading, took_s


def replicas(home: Path) -> set[str]:
    """The processes that answer for the farm of that home."""
    return set(resident(REPLICA)) & {str(found).partition(":")[0] for found in processes.marked(MARK, str(home))}


def farm_store_url(farm: Any) -> str:
    """Where the store of a benchmark's farm listens."""
    host = Home(farm.settings.home).host()
    assert host is not None
    return host.store_url


async def slow_upload(token: str | None) -> str:
    """Ten megabytes at the speed of a bad line; the status line that came back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    key = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n{key}Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {SLOW_BYTES}\r\n\r\n"
    )
    body, _ = form(b"x" * (SLOW_BYTES - FORM_BYTES))
    pieces = 40
    size = -(-len(body) // pieces)
    try:
        writer.write(head.encode())
        for start in range(0, len(body), size):
            writer.write(body[start : start + size])
            await writer.drain()
            await asyncio.sleep(SLOW_S / pieces)
    except ConnectionError:
        pass  # told before it had sent all
    try:
        line = await asyncio.wait_for(reader.readline(), 60)
        return line.decode().strip()[9:] or "closed"
    except (ConnectionError, TimeoutError) as error:
        return type(error).__name__
    finally:
        writer.close()


async def memory() -> dict[str, Any]:
    """What slow bodies cost, with a key and without."""
    told: dict[str, Any] = {}
    async with served() as (_, token):
        await slow_upload(token)  # warm
        for name, key in (("without a key", None), ("with a key", token)):
            with watched({"proxy": "ProxyActor", "replica": REPLICA}) as figures:
                answers = Counter(await asyncio.gather(*(slow_upload(key) for _ in range(SLOW))))
            told[name] = {**figures, "answers": dict(answers)}
            await asyncio.sleep(2)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("rates", "capacity", "update", "memory"))
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    chosen = parser.parse_args()
    if chosen.only in (None, "rates"):
        asyncio.run(rates(chosen.seconds))
    if chosen.only in (None, "capacity"):
        print(json.dumps({"capacity": asyncio.run(capacity(chosen.seconds))}))
    if chosen.only in (None, "update"):
        print(json.dumps({"update": asyncio.run(update(chosen.seconds))}))
    if chosen.only in (None, "memory"):
        print(json.dumps({"memory": asyncio.run(memory())}))


if __name__ == "__main__":
    main()
