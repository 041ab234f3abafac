import asyncio
import io
from typing import TYPE_CHECKING

from PIL import Image

from farm.domain.ids import new_token
from farm.domain.view import View
from farm.render.ports import FilmTask, ViewTask
from tests.ray.conftest import Hire
from tests.ray.jobs import Jobs

if TYPE_CHECKING:
    from farm.actors.workers import RayWorkers


async def test_a_view_is_rendered_judged_and_stored_with_its_log(workers: "RayWorkers", jobs: Jobs) -> None:
    composed = jobs.compose()
    textures = await workers.compose(composed)
    assert [texture.panel for texture in textures] == ["front"]

    task = jobs.view(composed, textures)
    done = await workers.render(task)

    data = jobs.store.get(done.artifact.key, sha256=done.artifact.sha256)
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.size, picture.mode) == ((96, 96), "RGBA")
    log = jobs.store.get(done.artifact.key.removesuffix("png") + "log").decode()
    assert "verdict: passed" in log
    assert done.report["device"] == "cpu"
    assert done.artifact.view == View.FRONT


async def test_one_watches_over_the_workers_however_many_ask_first(workers: "RayWorkers") -> None:
    await asyncio.gather(*(workers.slots() for _ in range(20)))
    watching = [task for task in asyncio.all_tasks() if task.get_name() == "watch over the workers"]
    assert len(watching) == 1


async def test_the_second_view_finds_a_warm_blender(workers: "RayWorkers", jobs: Jobs) -> None:
    composed = jobs.compose()
    textures = await workers.compose(composed)
    first = await workers.render(jobs.view(composed, textures))
    second = await workers.render(jobs.view(composed, textures, View.BACK))
    assert second.report["process"] == first.report["process"]
    assert second.report["open_s"] == 0


async def test_a_worn_blender_is_replaced_after_its_number_of_views(hire: Hire, jobs: Jobs) -> None:
    workers = hire(recycle_renders=2)
    composed = jobs.compose()
    textures = await workers.compose(composed)
    processes = []
    for _ in range(3):
        done = await workers.render(jobs.view(composed, textures))
        processes.append(done.report["process"])
    assert processes[0] == processes[1] != processes[2]


async def test_a_blender_that_has_grown_too_large_is_replaced(hire: Hire, jobs: Jobs) -> None:
    workers = hire(recycle_memory_bytes=100_000_000)
    composed = jobs.compose()
    textures = await workers.compose(composed)
    first = await workers.render(jobs.view(composed, textures))
    second = await workers.render(jobs.view(composed, textures))
    assert first.report["process"] != second.report["process"]


async def test_on_gpu_nodes_a_view_takes_a_gpu_and_stays_warm(hire: Hire, jobs: Jobs) -> None:
    """The GPUs exist on paper only, so Cycles falls back; what Ray hands out is the same."""
    workers = hire(render_device="auto", render_threads=1)
    composed = jobs.compose()
    textures = await workers.compose(composed)
    assert await workers.slots() == 2
    reports = [(await workers.render(jobs.view(composed, textures))).report for _ in range(2)]
    assert reports[0]["process"] == reports[1]["process"]


async def test_the_urgent_overtake_what_is_not_yet_submitted(workers: "RayWorkers", jobs: Jobs) -> None:
    plain, urgent = jobs.compose(), jobs.compose(priority=50)
    textures = await workers.compose(plain)
    ended: list[str] = []

    async def render(task: ViewTask) -> None:
        await workers.render(task)
        ended.append(task.job_id)

    async with asyncio.TaskGroup() as group:
        for view in View:
            group.create_task(render(jobs.view(plain, textures, view)))
        await asyncio.sleep(0)
        group.create_task(render(jobs.view(urgent, textures)))
    # Twice what can render was submitted already; the urgent one comes right behind.
    assert ended.index(urgent.job_id) <= 2


async def test_a_film_is_encoded_from_its_frames(workers: "RayWorkers", jobs: Jobs) -> None:
    composed = jobs.compose()
    textures = await workers.compose(composed)
    frames = []
    for frame in range(2):
        task = jobs.view(composed, textures, frame=frame, azimuth_deg=180.0 * frame)
        done = await workers.render(task)
        assert done.artifact.name == f"frame_{frame:04d}.png"
        frames.append(done.artifact.to_dict())
    joined = FilmTask(tenant="default", job_id=composed.job_id, token=new_token(), frames=tuple(frames), fps=12)
    film = await workers.encode(joined)
    data = jobs.store.get(film.key, sha256=film.sha256)
    assert data[4:8] == b"ftyp"
    assert (film.name, film.content_type) == ("animation.mp4", "video/mp4")


async def test_no_task_carries_the_shop_s_key(hire: Hire) -> None:
    workers = hire(shop_api_key="sk_kept_by_the_coordinator")
    station, _ = await workers._ready()
    assert station.settings.shop_api_key == ""
    assert workers._attempts._settings.shop_api_key == "", "these travel with the look after a dead process"
