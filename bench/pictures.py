"""Pictures by their addresses on loopback, beside a bare FastAPI application on the same Ray Serve in the same run.

- uncached: different pictures of a known design at 1024 px, JPEG: by one client p50 and p99, by four the rate;
- cached: one address again and again, beside the bare application that answers the same bytes;
- new: a design of seven megapixels, sent and first shown;
- memory: of the pictures' replica while so many different pictures of several designs are made;
- death: the replica is killed amid requests: how long until pictures are answered again.

    python -m bench.pictures [uncached] [cached] [new] [memory] [death] [--requests 10000]
"""

import argparse
import asyncio
import io
import itertools
import json
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from bench.farms import bench_farm
from bench.load import crowd, resident, within
from farm.domain.access import EVERYTHING
from farm.domain.picture_address import PictureKey
from farm.domain.view import ALL_VIEWS
from farm.home.folder import Home
from farm.home.token import know_token
from farm.settings import Settings

PORT = 8796
REPLICA = "ServeReplica:farm-pictures"
DESIGN = Path(__file__).parents[1] / "examples" / "nordlys.png"
WARM_UP = 12
GROUND = "#f4f4f4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """The service, and who signs for it."""

    client: httpx.AsyncClient
    key: PictureKey

    async def keep(self, data: bytes) -> str:
        answer = await self.client.post("/v1/designs", content=data, headers={"Content-Type": "image/png"})
        answer.raise_for_status()
        return str(answer.json()["id"])

    def addresses(self, design: str, size_px: int) -> Iterator[str]:
        """Different pictures without end: views and colours."""
        for number, view in zip(itertools.count(), itertools.cycle(ALL_VIEWS)):
            colour = f"#{(number * 0x9E3779) & 0xFFFFFF:06x}"
            options = {"size": str(size_px), "format": "jpeg", "fabric_color": colour, "background_color": GROUND}
            yield self.key.sign([design], str(view), options)


def bare_app(body: bytes) -> Any:
    """Answers the same bytes, and does nothing for it."""
    from fastapi import FastAPI, Response
    from ray import serve

    app = FastAPI()

    @app.get("/pictures/{name}")
    async def get(name: str) -> Response:
        return Response(body, media_type="image/jpeg")

    @serve.deployment(name="bare", max_ongoing_requests=400, ray_actor_options={"num_cpus": 0})
    @serve.ingress(app)
    class Bare:
        pass

    return Bare.bind()  # type: ignore[attr-defined]


@asynccontextmanager
async def served() -> AsyncIterator[Front]:
    """A farm that is served."""
    limits = {"requests_per_minute": "100000000", "pictures_per_minute": "100000000"}
    async with bench_farm(**limits) as (farm, host):
        chosen = Settings.load()
        know_token(Home(chosen.home), own=True)
        from serve_app.app import serving

        _, token = await farm.keys.create(tenant="default", scopes=EVERYTHING, name="bench")
        secret, _ = await farm.keys.settle_signing_secret()
        ring = await farm.picture_rings.settle("default")
        assert ring.current is not None
        with serving(chosen, store_url=host.store_url, ray_address=host.ray_address, host="127.0.0.1", port=PORT):
            base = f"http://127.0.0.1:{PORT}"
            headers = {"Authorization": f"Bearer {token}"}
            async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60) as client:
                yield Front(client=client, key=PictureKey.of(secret, "default", ring.current.id))


async def uncached(front: Front, count: int) -> dict[str, Any]:
    """Different pictures of one design: by one client, then by four."""
    addresses = front.addresses(await front.keep(DESIGN.read_bytes()), 1024)
    began_s = time.perf_counter()
    (await front.client.get(next(addresses))).raise_for_status()
    first_s = time.perf_counter() - began_s
    for _ in range(WARM_UP):
        (await front.client.get(next(addresses))).raise_for_status()
    seconds = []
    phases: dict[str, list[float]] = {}
    for _ in range(count):
        began_s = time.perf_counter()
        answer = await front.client.get(next(addresses))
        seconds.append(time.perf_counter() - began_s)
        answer.raise_for_status()
        for phase in answer.headers["Server-Timing"].split(", "):
            name, _, took = phase.partition(";dur=")
            phases.setdefault(name, []).append(float(took))
    crowded = await crowd(4, within(10.0), lambda: front.client.get(next(addresses)))
    return {
        "first_ms": round(1000 * first_s, 1),
        "p50_ms": round(1000 * statistics.median(seconds), 1),
        "p99_ms": round(1000 * sorted(seconds)[int(0.99 * len(seconds))], 1),
        "phases_p50_ms": {name: round(statistics.median(took), 1) for name, took in phases.items()},
        "by_four": crowded.figures(),
    }


async def cached(front: Front) -> dict[str, Any]:
    """One picture again and again, and the bare application with its bytes."""
    from ray import serve

    address = next(front.addresses(await front.keep(DESIGN.read_bytes()), 1024))
    body = (await front.client.get(address)).content
    await asyncio.to_thread(serve.run, bare_app(body), name="bare", route_prefix="/bare")
    told: dict[str, Any] = {"size_bytes": len(body)}
    for clients in (1, 10):
        for name, path in (("bare", "/bare/pictures/1"), ("ours", address)) * 2:
            taken = await crowd(clients, within(4.0), lambda path=path: front.client.get(path))  # type: ignore[misc]
            told[f"{name}_{clients}"] = taken.figures()
        ours, bare = told[f"ours_{clients}"], told[f"bare_{clients}"]
        told[f"rate_ratio_{clients}"] = round(ours["per_s"] / bare["per_s"], 2)
        told[f"p50_ratio_{clients}"] = round(ours["p50_ms"] / bare["p50_ms"], 2)
    return told


def large_design(number: int) -> bytes:
    """A print of 7.2 megapixels with transparency, another for each number."""
    with Image.open(DESIGN) as picture:
        pixels = np.array(picture.convert("RGBA").resize((2400, 3000), Image.Resampling.LANCZOS))
    pixels[:8, :8] = number
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


async def new(front: Front, rounds: int = 5) -> dict[str, Any]:
    """From the first byte sent of a new large design to the last one received of its picture."""
    seconds, sent, timing = [], [], ""
    files = [large_design(number + 1) for number in range(rounds)]
    for data in files:
        began_s = time.perf_counter()
        design = await front.keep(data)
        sent.append(time.perf_counter() - began_s)
        answer = await front.client.get(next(front.addresses(design, 1024)))
        seconds.append(time.perf_counter() - began_s)
        answer.raise_for_status()
        timing = answer.headers["Server-Timing"]
    return {
        "size_bytes": len(files[0]),
        "seconds": [round(took_s, 3) for took_s in seconds],
        "of_them_keeping": [round(took_s, 3) for took_s in sent],
        "median_s": round(statistics.median(seconds), 3),
        "timing": timing,
    }


async def memory(front: Front, requests: int) -> dict[str, Any]:
    """Resident memory of the replica, ten times along the way."""
    designs = [await front.keep(large_design(100 + number)) for number in range(4)]
    sizes = (1024, 512, 768, 384)
    streams = itertools.cycle([front.addresses(one, size) for one in designs for size in sizes])
    told = []
    for number in range(1, requests + 1):
        (await front.client.get(next(next(streams)))).raise_for_status()
        if number % max(1, requests // 10) == 0:
            told.append(round(max(resident(REPLICA).values(), default=0) / 1e6))
    return {"requests": requests, "resident_mb": told}


async def death(front: Front) -> dict[str, Any]:
    """The replica killed while requests are under way."""
    addresses = front.addresses(await front.keep(DESIGN.read_bytes()), 1024)
    (await front.client.get(next(addresses))).raise_for_status()
    waiting = [asyncio.create_task(front.client.get(next(addresses))) for _ in range(4)]
    await asyncio.sleep(0.05)
    began_s = time.perf_counter()
    for pid in resident(REPLICA):
        os.kill(int(pid), signal.SIGKILL)
    met = await asyncio.gather(*waiting, return_exceptions=True)
    answers = [one.status_code if isinstance(one, httpx.Response) else type(one).__name__ for one in met]
    while (await front.client.get(next(addresses))).status_code != 200:
        await asyncio.sleep(0.1)
    return {"met": answers, "answered_again_s": round(time.perf_counter() - began_s, 2)}


async def main() -> None:
    """Run what is named, all unless something is."""
    parser = argparse.ArgumentParser(prog="python -m bench.pictures", description=str(__doc__).partition("\n")[0])
    parser.add_argument("what", nargs="*", default=["uncached", "cached", "new", "memory", "death"])
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--count", type=int, default=100)
    arguments = parser.parse_args()
    async with served() as front:
        for what in arguments.what:
            match what:
                case "uncached":
                    told = await uncached(front, arguments.count)
                case "cached":
                    told = await cached(front)
                case "new":
                    told = await new(front)
                case "memory":
                    told = await memory(front, arguments.requests)
                case _:
                    told = await death(front)
            print(json.dumps({what: told}, indent=1), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
