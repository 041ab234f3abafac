"""What a view asks Ray for, on clusters of every shape."""

from pathlib import Path
from typing import Any

import pytest

from farm.actors import options
from farm.errors import InvalidSettings
from farm.render.tasks.health import Avoided
from farm.settings import Settings

GB = 1_000_000_000


def node(
    name: str = "n", *, cpu: float = 0, gpu: float = 0, memory: float = 64 * GB, alive: bool = True
) -> dict[str, Any]:
    resources = {"CPU": cpu, "GPU": gpu, "memory": memory}
    return {"NodeID": name, "Alive": alive, "Resources": {key: value for key, value in resources.items() if value}}


@pytest.mark.parametrize(
    ("cores", "changes", "expected"),
    [
        (2, {}, (1, 2.0, 2)),
        (1, {}, (1, 1.0, 1)),
        (8, {}, (4, 2.0, 2)),
        (16, {"render_slots": 2}, (2, 8.0, 8)),
        (16, {"render_slots": 2, "render_threads": 4}, (2, 8.0, 4)),
        (16, {"render_threads": 16}, (1, 16.0, 16)),
    ],
)
def test_a_node_s_cores_are_shared_out(cores: int, changes: dict[str, Any], expected: tuple[int, float, int]) -> None:
    shape = options.shape_of(Settings(**changes), [node(cpu=cores)])
    assert (shape.slots, shape.cpus, shape.threads) == expected
    assert shape.gpus == 0


def test_where_there_are_gpus_they_are_what_counts() -> None:
    nodes = [node("head", cpu=4), node("a", cpu=16, gpu=4), node("b", cpu=16, gpu=4), node("c", gpu=8, alive=False)]
    shape = options.shape_of(Settings(), nodes)
    assert (shape.slots, shape.gpus, shape.cpus) == (8, 1.0, 1.0)
    half = options.shape_of(Settings(render_gpus=0.5), nodes)
    assert (half.slots, half.gpus) == (16, 0.5)
    without = options.shape_of(Settings(render_device="cpu"), nodes)
    assert without.gpus == 0
    assert without.slots > 0


def test_a_small_machine_does_not_wait_for_memory_it_will_never_have() -> None:
    shape = options.shape_of(Settings(render_memory_bytes=2 * GB), [node(cpu=2, memory=1.5 * GB)])
    assert (shape.slots, shape.memory_bytes) == (1, 1.5 * GB)


def test_memory_limits_the_slots() -> None:
    shape = options.shape_of(Settings(render_memory_bytes=2 * GB), [node(cpu=16, memory=5 * GB)])
    assert shape.slots == 2


def test_an_empty_cluster_has_no_slots_and_still_asks_for_something() -> None:
    shape = options.shape_of(Settings(), [])
    assert shape.slots == 0
    assert shape.memory_bytes > 0
    assert shape.cpus >= 1


def test_bad_nodes_are_avoided_unless_no_other_is_left() -> None:
    nodes = [node("a", cpu=2), node("b", cpu=2), node("gone", cpu=2, alive=False), node("head", cpu=0)]
    shape = options.shape_of(Settings(), nodes)

    def placed(*sick: str, own: tuple[str, ...] = ()) -> dict[str, Any]:
        return options.avoiding(nodes, shape, Avoided(sick, own))

    assert placed("a", "gone") == {"label_selector": {"ray.io/node-id": "!in(a)"}}
    assert placed(own=("a",)) == {"label_selector": {"ray.io/node-id": "!in(a)"}}
    assert placed("a", "b") == {}, "the head holds no view, so it is no way out"
    assert placed() == {}
    assert placed("gone") == {}
    # Where both together leave nothing, the job's own experience counts more.
    assert placed("a", own=("b",)) == {"label_selector": {"ray.io/node-id": "!in(b)"}}


def test_unfit_nodes_get_nothing_whatever_else_is_left() -> None:
    nodes = [node("a", cpu=2), node("b", cpu=2)]
    shape = options.shape_of(Settings(), nodes)
    assert options.without([]) == {}
    assert options.without(["z", "y"]) == {"label_selector": {"ray.io/node-id": "!in(y,z)"}}
    unfit = frozenset({"u"})
    assert options.avoiding(nodes, shape, Avoided(("a",)), unfit) == {"label_selector": {"ray.io/node-id": "!in(a,u)"}}
    assert options.avoiding(nodes, shape, Avoided(()), unfit) == {"label_selector": {"ray.io/node-id": "!in(u)"}}


def test_the_saga_owns_the_retries_and_a_gpu_task_stays_warm() -> None:
    shape = options.shape_of(Settings(), [node(cpu=8, gpu=1)])
    chosen = options.render(Settings(recycle_renders=7), shape)
    assert (chosen["max_retries"], chosen["retry_exceptions"], chosen["max_calls"]) == (0, False, 7)
    assert chosen["num_gpus"] == 1.0


def test_authentication_is_always_on() -> None:
    environment = options.node_environment(Settings(home=Path("/farm")))
    assert environment["RAY_AUTH_MODE"] == "token"
    assert environment["RAY_AUTH_TOKEN_PATH"] == "/farm/ray.token"
    assert int(environment["RAY_num_workers_soft_limit"]) > 64


def test_composing_reserves_nothing_that_a_view_could_hold() -> None:
    """On a machine with less memory than a view and 500 MB, a composer with a reservation waits behind every view."""
    views = options.render(Settings(), options.shape_of(Settings(), [node(cpu=2, memory=2.3 * GB)]))
    composing = options.compose()
    assert {name: composing.get(name, 0) for name in ("num_cpus", "num_gpus", "memory")} == {
        "num_cpus": 0,
        "num_gpus": 0,
        "memory": 0,
    }
    assert views["memory"] == 2 * GB


def hosts(*addresses: str) -> list[dict[str, Any]]:
    return [node(f"n{number}", cpu=2) | {"NodeManagerAddress": address} for number, address in enumerate(addresses)]


@pytest.mark.parametrize(
    ("redis_url", "storage_url", "variable"),
    [
        ("", "s3://bucket/farm", "FARM_REDIS_URL"),
        ("unix:///run/farm.sock", "s3://bucket/farm", "FARM_REDIS_URL"),
        ("redis://:hunter2@store/0", "", "FARM_STORAGE_URL"),
        ("redis://:hunter2@store/0", "file:///srv/farm", "FARM_STORAGE_URL"),
    ],
)
def test_what_lies_on_one_host_serves_no_cluster_of_several(redis_url: str, storage_url: str, variable: str) -> None:
    settings = Settings(home=Path("/farm"), redis_url=redis_url, storage_url=storage_url)
    options.require_shared_storage(settings, hosts("10.0.0.1", "10.0.0.1"))
    with pytest.raises(InvalidSettings, match=r"2 hosts \(10\.0\.0\.1, 10\.0\.0\.2\)") as refused:
        options.require_shared_storage(settings, hosts("10.0.0.1", "10.0.0.2", "10.0.0.1"))
    assert refused.value.variable == variable
    assert "hunter2" not in str(refused.value)


def test_shared_storage_serves_many_hosts_and_dead_ones_do_not_count() -> None:
    shared = Settings(redis_url="rediss://store/0", storage_url="s3://bucket/farm")
    options.require_shared_storage(shared, hosts("10.0.0.1", "10.0.0.2"))
    dead = [*hosts("10.0.0.1"), hosts("10.0.0.2")[0] | {"Alive": False}]
    options.require_shared_storage(Settings(home=Path("/farm")), dead)
