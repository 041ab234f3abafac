from pathlib import Path

import pytest
from PIL import Image

from farm.errors import InvalidSettings
from farm.render.tasks import drill
from farm.render.tasks.drill import Drill, DrillKind


class Counts:
    """Counters of one process."""

    def __init__(self) -> None:
        self.taken: dict[tuple[str, str], int] = {}

    async def take(self, saga_id: str, point: str, times: int) -> bool:
        self.taken[saga_id, point] = self.taken.get((saga_id, point), 0) + 1
        return self.taken[saga_id, point] <= times


def test_drills_stand_beside_the_saga_s_own_points() -> None:
    text = "render_design.inside=raise; worker.render=crash:front_0deg*2 ;worker.render=hang"
    assert drill.parse(text) == (
        Drill(kind=DrillKind.CRASH, view="front_0deg", times=2),
        Drill(kind=DrillKind.HANG),
    )
    assert drill.split(text) == (
        "render_design.inside=raise",
        "worker.render=crash:front_0deg*2;worker.render=hang",
    )
    assert drill.parse("") == ()


@pytest.mark.parametrize(
    "wrong", ["worker.render=explode", "worker.render", "worker.render=crash*x", "worker.render=crash:"]
)
def test_a_wrong_drill_is_named(wrong: str) -> None:
    with pytest.raises(InvalidSettings) as error:
        drill.parse(wrong)
    assert error.value.value == wrong


async def test_a_drill_meets_its_view_so_many_times_per_job() -> None:
    drills = drill.parse("worker.render=crash:back_180deg*2;worker.render=blank")
    counts = Counts()

    async def meets(job: str, view: str) -> DrillKind | None:
        return await drill.meets(drills, job, view, counts)

    assert [await meets("j", "back_180deg") for _ in range(4)] == [
        DrillKind.CRASH,
        DrillKind.CRASH,
        DrillKind.BLANK,
        None,
    ]
    assert await meets("j", "front_0deg") is None
    assert await meets("other", "front_0deg") is DrillKind.BLANK


def test_spoiled_pictures_are_really_spoiled(tmp_path: Path) -> None:
    picture = tmp_path / "view.png"
    Image.effect_noise((64, 64), 50).save(picture)
    drill.spoil(DrillKind.BLANK, picture)
    with Image.open(picture) as blank:
        assert blank.getextrema() == (0, 0)
        assert blank.size == (64, 64)
    drill.spoil(DrillKind.TRUNCATE, picture)
    with Image.open(picture) as cut, pytest.raises(OSError, match="truncated"):
        cut.load()
