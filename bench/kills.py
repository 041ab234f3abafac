"""`farm serve` under SIGKILL: one of its processes every few seconds, in turn, with posts all along.

    python -m bench.kills --minutes 10 --every 15

A farm of its own in a temporary home: real store with an fsync per append, real Ray and Ray Serve, real sockets. The
jobs want one small picture, always the same: the first renders it, before anything is killed, and the others find it
kept, so that what is measured is not Blender. A post that is cut off or told to wait is sent again under the same
Idempotency-Key, as clients should. At the end every accepted job must have ended, the audit must be clean, and nothing
but 202, 503 and cut connections was met. The victims are processes of that home alone, found by its files and by the
mark that a host's children inherit.
"""

import argparse
import asyncio
import io
import itertools
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from farm.adapters.embedded_store import EmbeddedStore
from farm.home import process
from farm.home.folder import MARK, Home

CLIENTS = 2
PAUSE_S = 0.5
"""Between two posts of a client."""
REQUEST = {"views": ["front_0deg"], "size": 256, "samples": 1}
START_S = 180.0
END_S = 300.0
"""How long the last jobs may take once nothing is killed any more."""

BY_COMMAND: Mapping[str, str] = {
    "GCS": "/gcs_server ",
    "raylet": "/raylet/raylet ",
    "replica": "ray::ServeReplica",
    "proxy": "ray::ProxyActor",
    "controller": "ray::ServeController",
}


class Victims:
    """The processes of one home, by what they are."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._find: dict[str, Callable[[], str | None]] = {
            "host": lambda: host.process if (host := home.host()) is not None else None,
            "store": self._store,
            **{name: lambda part=part: self._marked(part) for name, part in BY_COMMAND.items()},  # type: ignore[misc]
        }

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._find)

    def kill(self, name: str) -> bool:
        """SIGKILL; whether there was such a process."""
        found = self._find[name]()
        if found is None:
            return False
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(process.pid_of(found))
            try:
                if process.alive(found):  # looked at through an open handle, the id cannot pass to another process
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
                    return True
            finally:
                os.close(handle)
        return False

    def _store(self) -> str | None:
        store = EmbeddedStore.connect(self._home.path)
        return process.identity(store.pid) if store is not None else None

    def _marked(self, part: str) -> str | None:
        for found in process.marked(MARK, str(self._home.path)):
            with suppress(OSError):
                command = Path(f"/proc/{process.pid_of(found)}/cmdline").read_bytes().replace(b"\0", b" ").decode()
                if part in command:
                    return found
        return None


@dataclass(slots=True)
class Met:
    """What the clients met."""

    accepted: dict[str, float] = field(default_factory=dict)
    """When each job was accepted, by the monotonic clock."""
    answers: Counter[str] = field(default_factory=Counter)
    kills: list[tuple[float, str]] = field(default_factory=list)
    not_there: Counter[str] = field(default_factory=Counter)
    began_s: float = 0.0
    ended_s: float = 0.0

    def gaps(self) -> list[float]:
        """Seconds between one accepted job and the next."""
        accepted = sorted(at_s for at_s in self.accepted.values() if at_s > self.began_s)
        times = [self.began_s, *accepted, self.ended_s]
        return [after - before for before, after in itertools.pairwise(times)]

    def until_next(self) -> dict[str, list[float]]:
        """Seconds from each kill to the next accepted job, by what was killed."""
        times = sorted(self.accepted.values())
        found: dict[str, list[float]] = {}
        for killed_s, name in self.kills:
            after = next((at_s for at_s in times if at_s > killed_s), None)
            if after is not None:
                found.setdefault(name, []).append(round(after - killed_s, 1))
        return found


def design() -> bytes:
    """A small one."""
    with Image.open(Path(__file__).parents[1] / "examples" / "tidewater-badge.png") as picture:
        picture.thumbnail((300, 300))
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
    return buffer.getvalue()


async def post(client: httpx.AsyncClient, met: Met, going_on: Callable[[], bool]) -> None:
    """Post jobs one after the other; each until it is accepted."""
    picture = design()
    while going_on():
        key = str(uuid.uuid4())
        while True:
            try:
                answer = await client.post(
                    "/v1/jobs",
                    data={"request": json.dumps(REQUEST)},
                    files={"design": ("d.png", picture, "image/png")},
                    headers={"Idempotency-Key": key},
                )
            except httpx.HTTPError as error:
                met.answers[type(error).__name__] += 1
                await asyncio.sleep(PAUSE_S)
                continue
            told = answer.json() if "json" in answer.headers.get("content-type", "") else {}
            code = f" {told['code']}" if "code" in told else ""
            met.answers[f"{answer.status_code}{code}"] += 1
            if answer.status_code == 202:
                met.accepted[told["id"]] = time.monotonic()
                break
            await asyncio.sleep(PAUSE_S)  # more often than Retry-After says: the gap is to be measured
        await asyncio.sleep(PAUSE_S)


async def kill_in_turn(
    victims: Victims, met: Met, every_s: float, going_on: Callable[[], bool], *, settled: bool
) -> None:
    """One every so many seconds: of those that are there, the one that has been killed least.

    Args:
        settled: kill again only once a job was accepted since the last kill.
    """
    while going_on():
        await asyncio.sleep(every_s)
        while settled and met.kills and going_on() and max(met.accepted.values()) < met.kills[-1][0]:
            await asyncio.sleep(0.1)
        killed = Counter(name for _, name in met.kills)
        for name in sorted(victims.names, key=lambda name: killed[name]):
            if victims.kill(name):
                met.kills.append((time.monotonic(), name))
                break
            met.not_there[name] += 1


async def ready(client: httpx.AsyncClient, within_s: float) -> None:
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s:
        with suppress(httpx.HTTPError):
            if (await client.get("/readyz")).status_code == 200:
                return
        await asyncio.sleep(0.3)
    raise SystemExit(f"the farm is not ready after {within_s:g} s")


async def unended(client: httpx.AsyncClient, jobs: list[str], within_s: float) -> dict[str, str]:
    """Those of the jobs that have not ended in time, with what is said of them."""
    deadline_s = time.monotonic() + within_s
    left: dict[str, str] = {}
    for job in jobs:
        while True:
            with suppress(httpx.HTTPError):
                answer = await client.get(f"/v1/jobs/{job}")
                said = str(answer.json().get("status", answer.text[:200]))
                if answer.status_code == 200 and said in ("completed", "failed", "cancelled"):
                    break
                if answer.status_code == 404 or time.monotonic() > deadline_s:
                    left[job] = said
                    break
            await asyncio.sleep(0.2)
    return left


async def suffer(home: Home, url: str, met: Met, lasting_s: float, every_s: float, *, settled: bool) -> dict[str, str]:
    """Post and kill for so long; the accepted jobs that have not ended afterwards."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        await ready(client, START_S)
        client.headers["Authorization"] = f"Bearer {(home.path / 'api-key').read_text('utf-8').strip()}"
        await post(client, met, iter([True, False]).__next__)
        if late := await unended(client, list(met.accepted), START_S):
            raise SystemExit(f"the first job does not end: {late}")
        met.began_s = time.monotonic()

        def going_on() -> bool:
            return time.monotonic() < met.began_s + lasting_s

        await asyncio.gather(
            *(post(client, met, going_on) for _ in range(CLIENTS)),
            kill_in_turn(Victims(home), met, every_s, going_on, settled=settled),
        )
        met.ended_s = time.monotonic()
        await ready(client, START_S)
        return await unended(client, list(met.accepted), END_S)


def measure(minutes: float, every_s: float, folder: Path, *, settled: bool) -> dict[str, Any]:
    """Serve, kill, count."""
    home, met = Home(folder), Met()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {
        **os.environ,
        "FARM_HOME": str(folder),
        "FARM_REQUESTS_PER_MINUTE": "1000000",
        "FARM_DECODERS": "1",
        "FARM_RENDER_SLOTS": "1",
    }
    farm = [sys.executable, "-m", "farm.cli"]
    with (folder / "serve.log").open("w") as log:
        served = subprocess.Popen([*farm, "serve", "--port", str(port)], env=environment, stdout=log, stderr=log)
    try:
        left = asyncio.run(suffer(home, f"http://127.0.0.1:{port}", met, 60 * minutes, every_s, settled=settled))
        alive = served.poll() is None
        audit = subprocess.run([*farm, "audit"], env=environment, capture_output=True, text=True, check=False)
        served.send_signal(signal.SIGINT)
        code = served.wait(120)
    finally:
        if served.poll() is None:
            served.kill()
            served.wait()
        subprocess.run([*farm, "down", "--now"], env=environment, capture_output=True, check=False)
        process.end(process.marked(MARK, str(folder)), grace_s=1.0)
        if (store := EmbeddedStore.connect(folder)) is not None:
            store.stop()
    gaps = met.gaps()
    return {
        "kills": dict(Counter(name for _, name in met.kills)),
        "not_there": dict(met.not_there),
        "accepted": len(met.accepted),
        "not_ended": left,
        "answers": dict(met.answers),
        "longest_without_service_s": round(max(gaps), 1),
        "without_service_s": round(sum(gap for gap in gaps if gap > 2.0), 1),
        "until_next_accepted_s": {
            name: {"median": round(statistics.median(found), 1), "worst": max(found)}
            for name, found in met.until_next().items()
        },
        "outlived": alive and code == 0,
        "audit": "clean" if audit.returncode == 0 else (audit.stdout + audit.stderr)[-2000:],
    }


def sound(figures: Mapping[str, Any]) -> bool:
    """Whether nothing was lost, and nothing was met that no client can know."""
    strange = [
        answer
        for answer in figures["answers"]
        if not (answer.startswith(("202", "503", "409 still")) or answer.endswith(("Error", "Timeout")))
    ]
    return bool(figures["outlived"]) and figures["audit"] == "clean" and not figures["not_ended"] and not strange


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--every", type=float, default=15.0, metavar="SECONDS")
    parser.add_argument(
        "--settled", action="store_true", help="kill again only once a job was accepted since: each death by itself"
    )
    parser.add_argument("--keep", action="store_true", help="leave the home with its logs behind, and say where it is")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="farm-kills-"))
    try:
        figures = measure(chosen.minutes, chosen.every, folder, settled=chosen.settled)
    finally:
        if chosen.keep:
            print(folder, file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(figures, indent=1))
    sys.exit(0 if sound(figures) else 1)


if __name__ == "__main__":
    main()
