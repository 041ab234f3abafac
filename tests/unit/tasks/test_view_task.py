from pathlib import Path

import pytest

from farm.adapters.memory_store import MemoryStore
from farm.adapters.texture_cache import TextureCache
from farm.errors import InvalidRequest
from farm.render.ports import ViewTask
from farm.render.tasks.heartbeat import Progress
from farm.render.tasks.task_log import TaskLog
from farm.render.tasks.view_task import Bench, Judgement, Renderer, render_view

REQUEST = {
    "size": 96,
    "samples": 1,
    "format": "png",
    "fabric_color": "#ffffff",
    "background_color": "#ffffff",
}


def never() -> Renderer:
    raise AssertionError("nothing asks for Blender with such an order")


def bench(tmp_path: Path, store: MemoryStore) -> Bench:
    return Bench(
        store=store,
        textures=TextureCache(tmp_path),
        open_renderer=never,
        judge=lambda data, order: Judgement(),
        template=tmp_path,
        folder=tmp_path,
        threads=1,
        device="cpu",
        where={},
        check_lease=lambda: None,
    )


@pytest.mark.parametrize("changed", [{"samples": 0}, {"fabric_color": "white"}, {"size": 100_000}], ids=str)
def test_an_order_that_no_blender_accepts_is_not_tried_again(tmp_path: Path, changed: dict[str, object]) -> None:
    store = MemoryStore()
    task = ViewTask(
        tenant="one",
        job_id="j",
        token="t1",
        view="front_0deg",
        attempt=1,
        request=REQUEST | changed,
        textures=(),
        deadline_s=60,
    )
    with pytest.raises(InvalidRequest, match="front_0deg") as refused:
        render_view(task, bench=bench(tmp_path, store), progress=Progress(), log=TaskLog("a view"))
    assert not refused.value.retryable
    assert [Path(found.key).name for found in store.list("t/one/jobs/j/")] == ["front_0deg.log"]
