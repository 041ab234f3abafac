import asyncio

import pytest

from farm.errors import BlenderCrashed, Fenced
from farm.render.fan import all_of, bounded, side_by_side


async def fail(error: BaseException) -> None:
    raise error


async def test_what_fails_side_by_side_fails_as_itself_and_never_as_a_group() -> None:
    defect, crash, gone = RuntimeError("a defect"), BlenderCrashed(view="front_0deg", reason="x"), Fenced("gone")
    for errors, told in (((defect,), defect), ((defect, crash), crash), ((crash, gone, defect), gone)):
        with pytest.raises(type(told)) as caught:
            await all_of(fail(error) for error in errors)
        assert caught.value is told


async def test_the_first_failure_ends_the_others_also_in_fans_within_fans() -> None:
    ended: list[str] = []

    async def works_on() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("it has really stopped")

    async def within() -> None:
        async with side_by_side() as group:
            group.create_task(works_on())
            group.create_task(fail(ValueError("deep")))

    with pytest.raises(ValueError, match="deep"):
        await bounded([within, works_on], 2)
    assert ended == ["it has really stopped"] * 2
