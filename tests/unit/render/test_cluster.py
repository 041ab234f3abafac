"""Posts of coordinators, joined; and the census that counts a farm."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.memory_journal import open_memory
from farm.adapters.memory_meter import MemoryMeter
from farm.adapters.memory_store import MemoryStore
from farm.errors import StoreUnavailable
from farm.render.census import Census
from farm.render.cluster import Cluster, machines_of
from farm.render.ports import NodeState
from tests.workshop import prepared, workshop


def node(name: str, **resources: float) -> dict[str, Any]:
    return {
        "NodeID": name,
        "Alive": resources.pop("alive", 1.0) > 0,
        "NodeManagerAddress": f"10.0.0.{len(name)}",
        "NodeManagerHostname": f"ip-{name}",
        "Resources": {"CPU": 4.0, "memory": 16e9, **resources},
    }


NODES = [node("head"), node("gpu-1", **{"GPU": 1.0, "accelerator_type:L4": 1.0}), node("gone", alive=0.0)]
VIEW = {"job_id": "job_1", "name": "front_0deg", "phase": "rendering", "fraction": 0.5, "node": "gpu-1"}


def post(name: str, age_s: float, **told: Any) -> dict[str, Any]:
    machines = machines_of(NODES, {"gpu-1": 1}, {"head": "another farm version"})
    return {"name": name, "age_s": age_s, "nodes": machines, "slots": 1, "waiting": 2, "running": [], **told}


def test_machines_are_the_nodes_that_live() -> None:
    head, gpu = machines_of(NODES, {"gpu-1": 1}, {"head": "another farm version"})
    assert (head["host"], head["gpus"], head["slots"], head["trouble"]) == ("ip-head", 0, 0, "another farm version")
    assert (gpu["gpu_type"], gpu["gpus"], gpu["slots"]) == ("L4", 1, 1)


def test_posts_are_joined_and_views_are_counted_where_they_run() -> None:
    queued = {"job_id": "job_2", "name": "back_180deg", "phase": "queued"}
    posts = [post("coordinator-0", 1.0, running=[VIEW, queued]), post("coordinator-1", 0.5, avoided=["gpu-1"])]
    cluster = Cluster.of(posts)
    head, gpu = cluster.machines
    assert (head.running, head.avoided) == (0, False)
    assert (gpu.running, gpu.avoided) == (1, True)
    assert cluster.views_waiting == 4
    assert [one["coordinator"] for one in cluster.running] == ["coordinator-0", "coordinator-0"]
    assert [one["name"] for one in cluster.coordinators] == ["coordinator-0", "coordinator-1"]


def test_a_node_that_failed_says_how() -> None:
    state = NodeState(node_id="gpu-1", failed=3, succeeded=1, last_code="blender_crashed")
    head, gpu = Cluster.of([post("coordinator-0", 1.0, avoided=["gpu-1"], health=[state.to_dict()])]).machines
    assert head.ailment == ""
    assert gpu.ailment == "failed 3 times of 4 attempts, last with blender_crashed"


def test_an_empty_board_is_said_to_be_empty() -> None:
    assert not Cluster.of([]).seen


class Board:
    def __init__(self, posts: Sequence[Mapping[str, Any]]) -> None:
        self.posts = posts

    async def post(self, name: str, told: Mapping[str, Any]) -> None:
        raise AssertionError("a census only reads")

    async def take_down(self, name: str) -> None:
        raise AssertionError("a census only reads")

    async def read(self) -> Sequence[Mapping[str, Any]]:
        return self.posts


async def test_a_census_counts_the_farm_and_takes_back_what_has_emptied(tmp_path: Path) -> None:
    place = workshop(tmp_path, open_memory(), MemoryStore(), MemoryCatalog())
    meter = MemoryMeter()

    async def used() -> int:
        return 4096

    census = Census(
        meter=meter,
        sagas=place.sagas,
        board=Board([post("coordinator-0", 1.0)]),
        used_bytes=used,
        disk_free_bytes=lambda: 10**9,
    )
    jobs = [await place.service.submit(prepared(priority=priority)) for priority in (0, 7, 7)]
    await census.take()
    assert meter.told("farm_jobs", status="pending") == 3
    assert meter.told("farm_jobs_queued", priority="7") == 2
    assert meter.told("farm_coordinators") == 1
    assert meter.told("farm_store_up") == 1
    assert meter.told("farm_store_bytes") == 4096
    async with place.running():
        for job in jobs:
            await place.ended(job["id"])
    await census.take()
    assert meter.told("farm_jobs_queued", priority="7") == 0
    assert meter.told("farm_jobs", status="completed") == 3


async def test_a_store_that_is_away_is_a_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = workshop(tmp_path, open_memory(), MemoryStore(), MemoryCatalog())
    meter = MemoryMeter()

    async def away() -> int:
        raise StoreUnavailable(reason="drill")

    census = Census(meter=meter, sagas=place.sagas, board=Board([]), used_bytes=away, disk_free_bytes=lambda: 5)
    await census.take()
    assert meter.told("farm_store_up") == 0
    assert meter.told("farm_disk_free_bytes") == 5
