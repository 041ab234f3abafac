"""The lessons of a farm: how many seconds each kind of picture took here, kept in bounded memory for the next plan."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from farm.render.estimate import CYCLES, PRINT, RELIGHT, ROW_S, RUN_SHARE, RUN_START, Kind, Paces

COLD = 0.02
"""What pictures weigh that a process made while it was still warming up: only where nothing better is known."""
OF_A_RUN = 100.0
"""What a whole run weighs: half of all that is known; of its start more, as workers are as warm as it left them."""
LEAST_RUN_S = 5.0
SHARES = (0.8, 4.0)
"""Beyond it a run stood still for reasons of its own."""
MOST_START_S = 15.0
"""What is longer teaches nothing: a farm's very first workers compile and open everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Some work of one kind.

    Attributes:
        name: of the kind.
        mean_s: seconds of each.
        weight: how many there were.
    """

    name: str
    mean_s: float
    weight: float


class PaceBook(Protocol):
    """What a farm has learned, of all tenants together."""

    async def learn(self, lessons: Sequence[Lesson]) -> None:
        """Mix them into what is known; what is old counts less and less. Raises `StoreUnavailable`."""
        ...

    async def read(self) -> Paces:
        """Raises `StoreUnavailable`."""
        ...


def of_rows(orders: Iterable[Mapping[str, Any]], answers: Iterable[Mapping[str, Any]]) -> list[Lesson]:
    """Of a piece of a batch.

    Args:
        orders: its rows, as the worker got them.
        answers: what became of them.
    """
    requests = {order["i"]: order["request"] for order in orders}
    sums: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def add(kind: Kind, seconds: float, weight: float) -> None:
        sums[str(kind)][0] += seconds * weight
        sums[str(kind)][1] += weight

    for answer in answers:
        made = int(answer.get("made", 0))
        if made == 0 or made != len(answer["views"]):  # copies among them tell nothing
            continue
        request, alike = requests[answer["i"]], int(answer["alike"])
        share = COLD if answer.get("cold") else 1.0
        picture_s = answer["busy_s"] / made
        add(Kind.of_view(RELIGHT, request, shared=alike > 1), picture_s, made * share)
        add(Kind(engine=PRINT, size_px=int(request["size"])), answer["print_s"] * alike, share / alike)
    return [
        Lesson(name=name, mean_s=total / weight, weight=weight) for name, (total, weight) in sums.items() if total > 0
    ]


def of_job(record: Mapping[str, Any]) -> list[Lesson]:
    """Of a path-traced job that was completed."""
    made = [view for view in record["views"] if not view["cached"]]
    request, cpu_s = record["request"], float(record["usage"]["cpu_s"])
    plain = record["status"] == "completed" and request["mode"] == "images-only" and not request["model"]
    traced = record["engine"]["chosen"] == CYCLES and not record["usage"]["gpu_s"]
    if not plain or not traced or not made or cpu_s <= 0:
        return []
    return [Lesson(name=str(Kind.of_view(CYCLES, request)), mean_s=cpu_s / len(made), weight=float(len(made)))]


def of_run(*, start_s: float, moving_s: float, slots: int, work_s: float, rows: int) -> list[Lesson]:
    """Of a run of batches that nothing held up.

    Args:
        start_s: from its beginning to its first row.
        moving_s: from there to its end, on so many slots.
        work_s: seconds of its pictures and prints, as the lessons of rows count them; ``rows``: how many they are.
    """
    found = [Lesson(name=RUN_START, mean_s=start_s, weight=5 * OF_A_RUN)] if start_s <= MOST_START_S else []
    if work_s >= LEAST_RUN_S:
        share = min(max(moving_s * slots / (work_s + rows * ROW_S), SHARES[0]), SHARES[1])
        found.append(Lesson(name=RUN_SHARE, mean_s=share, weight=OF_A_RUN))
    return found
