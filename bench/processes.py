"""What the processes of a farm take: memory over time and processor seconds, by what each of them is."""

import os
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from farm.home import process
from farm.home.folder import MARK

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")
_ROLES = (
    ("CatalogRunActor", "run actor"),
    ("CoordinatorActor", "coordinator"),
    ("ray::rows-", "row worker"),
    ("rows_in_worker", "row worker"),
    ("render_in_worker", "render worker"),
    ("decode_server", "decoder"),
    ("valkey", "store"),
    ("farm.actors.host", "host"),
    ("raylet", "raylet"),
    ("gcs_server", "gcs"),
    ("ray::compose ", "composer"),
    ("ray::", "other worker"),
)


class Sampler:
    """Looks at a farm's processes now and then, from its ``with`` to its end."""

    def __init__(self, home: Path, *, every_s: float = 2.0) -> None:
        self._home = str(home)
        self._every_s = every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._memory: dict[str, list[tuple[float, int]]] = defaultdict(list)
        self._cpu: dict[str, tuple[str, float, float]] = {}
        self._known: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            self._look()

    def _look(self) -> None:
        now_s = time.monotonic()
        totals: dict[str, int] = defaultdict(int)
        for identity in process.marked(MARK, self._home):
            try:
                role, resident, cpu_s = _facts(str(identity).partition(":")[0])
            except (OSError, ValueError, IndexError):
                continue
            # A worker's title names its present task, and nothing between two.
            if role != "other worker":
                self._known[str(identity)] = role
            role = self._known.get(str(identity), role)
            totals[role] += resident
            _, first_s, _ = self._cpu.get(str(identity), (role, cpu_s, cpu_s))
            self._cpu[str(identity)] = (role, first_s, cpu_s)
        for role, resident in totals.items():
            self._memory[role].append((now_s, resident))

    def memory_mb(self) -> dict[str, dict[str, float]]:
        """By role: the median in the second and in the last quarter of the time, and the most."""
        return dict(self._quarters())

    def _quarters(self) -> Iterator[tuple[str, dict[str, float]]]:
        for role, samples in sorted(self._memory.items()):
            values = [value / 1e6 for _, value in samples]
            quarter = max(1, len(values) // 4)
            yield (
                role,
                {
                    "second_quarter": round(statistics.median(values[quarter : 2 * quarter] or values)),
                    "last_quarter": round(statistics.median(values[-quarter:])),
                    "most": round(max(values)),
                },
            )

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds since the first look, by role."""
        total: dict[str, float] = defaultdict(float)
        for role, first_s, last_s in self._cpu.values():
            total[role] += last_s - first_s
        return {role: round(value, 2) for role, value in sorted(total.items())}


def _facts(pid: str) -> tuple[str, int, float]:
    folder = Path("/proc") / pid
    line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    role = next((role for word, role in _ROLES if word in line), "other")
    resident = int((folder / "statm").read_text().split()[1]) * _PAGE
    times = (folder / "stat").read_text().rpartition(")")[2].split()
    return role, resident, sum(int(times[n]) for n in (11, 12, 13, 14)) / _TICK
