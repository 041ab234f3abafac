"""What the pictures of a catalogue cost one core: ``python -m bench.catalogue_cpu [--light FOLDER]``.

Row workers' own work in this one process on one core, without Ray and the farm's store: decoding in its child,
composing, texels, shading and writing, judging, storing. CPU seconds by phase and a picture, children included, of a
row of six views, of seventeen fabrics of one design, and of rows with a design each. Light comes from the object
store's folder ``--light`` (with ``bakes/`` in it) or from the template itself.
"""

import argparse
import functools
import os
import resource
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.designs import write_designs
from farm.adapters import row_bench as laid_out
from farm.adapters.bake_shelf import BakeShelf
from farm.domain.colour import FABRIC_NAMES
from farm.domain.request import parse_request
from farm.domain.template import Template, find
from farm.domain.view import ALL_VIEWS
from farm.picture import relight
from farm.picture.decode_server import DecodeServer
from farm.render.catalog.choice import Choice
from farm.render.catalog.ports import RowsTask
from farm.render.ports import ObjectStore
from farm.render.prepare import normalise
from farm.render.tasks import alike_rows, compose_task, judge, relighter
from farm.render.tasks.heartbeat import Progress
from farm.render.tasks.rows_task import relight_rows
from farm.settings import Settings

PHASES = ("decode", "compose", "texels", "light", "shade", "write", "judge", "store")


def cpu_s() -> float:
    """CPU seconds of this process and of its children that have ended."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


class Phases:
    """CPU seconds by phase; what a phase calls that is a phase of its own counts there alone."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inner_s = [0.0]

    def of(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its CPU time counted."""

        @functools.wraps(function)
        def counted(*args: Any, **more: Any) -> Any:
            with self.phase(name):
                return function(*args, **more)

        return counted

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        began_s = time.process_time()
        self._inner_s.append(0.0)
        try:
            yield
        finally:
            took_s = time.process_time() - began_s
            self.seconds[name] += took_s - self._inner_s.pop()
            self._inner_s[-1] += took_s


def watch(phases: Phases) -> None:
    """Count what the row workers call."""
    for room, name, phase in (
        (relighter, "print_for", "texels"),
        (relighter, "write_picture", "write"),
        (DecodeServer, "decode", "decode"),
        (BakeShelf, "take", "light"),
    ):
        setattr(room, name, phases.of(phase, getattr(room, name)))
    relight_views = relight.relight_views

    def shading(*args: Any, **more: Any) -> Iterator[Any]:
        pictures = relight_views(*args, **more)
        while True:
            with phases.phase("shade"):
                picture = next(pictures, None)
            if picture is None:
                return
            yield picture

    setattr(relighter, "relight_views", shading)  # noqa: B010 - likewise
    judge_with, composed = judge.judge_with, compose_task.composed

    def judging(*args: Any, **more: Any) -> Any:
        return phases.of("judge", judge_with(*args, **more))

    def composing(*args: Any, **more: Any) -> Any:
        with phases.phase("compose"):
            return list(composed(*args, **more))

    setattr(alike_rows, "judge_with", judging)  # noqa: B010 - under the name that it is called by there
    setattr(alike_rows, "composed", composing)  # noqa: B010 - likewise


class Shop:
    """One process's bench, and tasks for it."""

    def __init__(self, light: Path | None, work: Path, phases: Phases) -> None:
        self.settings = Settings.load({"FARM_HOME": str(work), "FARM_CACHE_DAYS": "0"})
        if light is not None:
            shutil.copytree(light / "bakes", work / "objects" / "bakes")
        from farm.wiring import open_objects

        self.store: ObjectStore = open_objects(self.settings)
        for name in ("put", "get"):
            setattr(self.store, name, phases.of("store", getattr(self.store, name)))
        self.template: Template = find(self.settings.template_folders, "crew-tee")
        self.choose = Choice(self.settings, self.store)
        self.shelf = BakeShelf.of(self.settings)

    def task(self, designs: Sequence[Path], fabrics: Sequence[str], **fields: Any) -> RowsTask:
        """A row of each design in each of the fabrics."""
        facts = {"id": self.template.id, "version": self.template.version, "hash": self.template.hash}
        rows: list[dict[str, Any]] = []
        for design in designs:
            for fabric in fabrics:
                request = parse_request({"fabric_color": fabric, "engine": "relight", **fields})
                normalised = normalise(request, self.template.placements(request.preset, request.placements, 1))
                rows.append(
                    {"i": len(rows), "job": f"job-{len(rows)}", "design": design.as_uri(), "request": normalised}
                    | {"template": facts, "engine": self.choose(normalised), "known": None}
                )
        return RowsTask(tenant="bench", batch_id="b", name="n", token="t", rows=tuple(rows), deadline_s=600)

    def do(self, task: RowsTask) -> None:
        with laid_out.row_bench(self.settings, self.store, self.shelf, threads=1, check_lease=lambda: None) as bench:
            answers = relight_rows(task, bench=bench, progress=Progress())
        for answer in answers:
            if "error" in answer:
                raise SystemExit(f"a row failed: {answer['error']}")


def measure(shop: Shop, phases: Phases, name: str, task: RowsTask, times: int) -> None:
    """Print a row of the table: the median run of several, after one that is not counted."""
    pictures = sum(len(row["request"]["views"]) for row in task.rows)
    shop.do(task)
    found = []
    for _ in range(times):
        phases.seconds.clear()
        began_s = cpu_s()
        shop.do(task)
        found.append((cpu_s() - began_s, dict(phases.seconds)))
    total_s, seconds = sorted(found, key=lambda one: one[0])[len(found) // 2]
    # The decoder works in a child: what nobody here counted is its time, and Python between the phases.
    cells = [f"{1000 * seconds.get(phase, 0.0) / pictures:.1f}" for phase in PHASES]
    rest_ms = 1000 * (total_s - sum(seconds.values())) / pictures
    print(f"| {name} | {pictures} | {total_s:.2f} | {total_s / pictures:.3f} | {' | '.join(cells)} | {rest_ms:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--light", type=Path, help="an object store's folder with bakes in it")
    parser.add_argument("--design-px", type=int, default=1200)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--size", type=int, action="append", help="in pixels; may be repeated")
    given = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    phases = Phases()
    watch(phases)
    with tempfile.TemporaryDirectory(prefix="farm-rows-") as folder:
        work = Path(folder)
        names = write_designs(work / "designs", 8, longest_px=given.design_px)
        designs = [work / "designs" / name for name in names]
        shop = Shop(given.light, work / "home", phases)
        print("| rows | pictures | CPU s | a picture | " + " | ".join(f"{one}, ms" for one in PHASES) + " | rest, ms |")
        print("| --- " + "| ---: " * (len(PHASES) + 4) + "|")
        six = {"format": "jpeg", "views": list(ALL_VIEWS)}
        for size in given.size or (512, 1024):
            for name, some, fabrics, fields in (
                ("one design, six views", designs[:1], ["white"], six),
                ("17 fabrics of it, six views", designs[:1], list(FABRIC_NAMES)[:17], six),
                ("8 designs, front", designs, ["white"], {"format": "jpeg", "views": ["front_0deg"]}),
            ):
                task = shop.task(some, fabrics, size=size, **fields)
                measure(shop, phases, f"{name}, {size} px", task, given.times if len(task.rows) < 9 else 1)


if __name__ == "__main__":
    main()
