"""Every resource the farm asks Ray for, in one place; and what a node's environment must say before Ray starts."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from farm.errors import InvalidSettings
from farm.render.tasks.health import Avoided
from farm.settings import Settings

NAMESPACE = "tshirt-farm"
"""Ray's namespace of the farm's named actors; their names carry the farm's id."""

SERVE_GATE = "serve_app.proxy.middlewares"

WARM_WORKERS = 256
"""Idle worker processes Ray may keep on a node: far above what renders, so that no other task evicts a Blender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What one view takes, and how many fit into the cluster as it is now.

    Attributes:
        slots: views that can render at once.
        cpus: CPUs a view reserves.
        gpus: GPUs a view reserves; 0 on a cluster without.
        memory_bytes: memory a view reserves.
        threads: CPU threads of a render.
    """

    slots: int
    cpus: float
    gpus: float
    memory_bytes: int
    threads: int


def shape_of(settings: Settings, nodes: Sequence[Mapping[str, Any]]) -> Shape:
    """Fit views into the nodes that ``ray.nodes()`` lists.

    On GPU nodes the GPU is what is shared out. Elsewhere the cores are: a view reserves its part of the smallest node,
    so that ``render_slots`` of them fill it. Memory is never asked for beyond what the largest node has, else a small
    machine would wait for ever.
    """
    resources = [node["Resources"] for node in nodes if node["Alive"]]
    with_gpu = [node for node in resources if node.get("GPU", 0) > 0]
    gpus = settings.render_gpus
    if not gpus and with_gpu and settings.render_device != "cpu":
        gpus = 1.0
    hosts = with_gpu if gpus else [node for node in resources if node.get("CPU", 0) >= 1]
    most_bytes = int(max((node.get("memory", 0) for node in hosts), default=settings.render_memory_bytes))
    memory_bytes = min(settings.render_memory_bytes, most_bytes) or settings.render_memory_bytes
    if gpus:
        cpus = 1.0 if all(node.get("CPU", 0) >= node["GPU"] / gpus for node in hosts) else 0.0
        threads = settings.render_threads
    else:
        cpus = float(min((_share(settings, int(node["CPU"])) for node in hosts), default=1))
        threads = settings.render_threads or int(cpus)
    slots = sum(_fit(node, cpus, gpus, memory_bytes) for node in hosts)
    return Shape(slots=slots, cpus=cpus, gpus=gpus, memory_bytes=memory_bytes, threads=threads)


def slots_by_node(shape: Shape, nodes: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Views that each node can render at once, by its id."""
    return {
        str(node["NodeID"]): _fit(node["Resources"], shape.cpus, shape.gpus, shape.memory_bytes)
        for node in nodes
        if node["Alive"] and (not shape.gpus or node["Resources"].get("GPU", 0) > 0)
    }


def _share(settings: Settings, cores: int) -> int:
    """Cores of one view on a node of so many."""
    slots = settings.render_slots or max(1, cores // 2)
    return max(1, settings.render_threads, cores // slots)


def _fit(node: Mapping[str, float], cpus: float, gpus: float, memory_bytes: int) -> int:
    limits = [node.get("memory", 0) / memory_bytes]
    if cpus:
        limits.append(node.get("CPU", 0) / cpus)
    if gpus:
        limits.append(node.get("GPU", 0) / gpus)
    return int(min(limits) + 1e-9)


def render(settings: Settings, shape: Shape) -> dict[str, Any]:
    """Options of a view's task.

    The saga owns the retries. ``max_calls`` recycles a worn Blender, and overrides Ray's default of 1 for GPU tasks,
    which would throw the warm one away after every view. The environment keeps render processes apart from all others:
    a view always finds a Blender that is warm, and no other task ends up in one.
    """
    return {
        "num_cpus": shape.cpus,
        "num_gpus": shape.gpus,
        "memory": shape.memory_bytes,
        "max_retries": 0,
        "retry_exceptions": False,
        "max_calls": settings.recycle_renders,
        "scheduling_strategy": "SPREAD",
        "runtime_env": {"env_vars": {"FARM_WORKER": "render"}},
    }


def compose() -> dict[str, Any]:
    """Options of composing and encoding: seconds of work beside the renders, which must wait for nothing they hold.

    Whatever was reserved would have to be awaited behind queued views: Ray hands a finished view's CPU and memory
    straight to the next one, and on a small machine the views leave no memory over at all.
    """
    return {
        "num_cpus": 0,
        "max_retries": 0,
        "retry_exceptions": False,
        "scheduling_strategy": "SPREAD",
    }


def rows(settings: Settings) -> dict[str, Any]:
    """Options of a piece of a batch: one core for some seconds.

    The environment keeps its processes apart from all others: their bakes stay open.
    """
    return {
        "num_cpus": 1,
        "max_retries": 0,
        "retry_exceptions": False,
        "max_calls": settings.recycle_renders,
        "scheduling_strategy": "SPREAD",
        "runtime_env": {"env_vars": {"FARM_WORKER": "rows"}},
    }


def row_slots(nodes: Sequence[Mapping[str, Any]]) -> int:
    """Pieces of batches that fit into the nodes that ``ray.nodes()`` lists."""
    return int(sum(node["Resources"].get("CPU", 0) for node in nodes if node["Alive"]))


def probe() -> dict[str, Any]:
    """Options of looking after a dead process on its node; the caller pins it there."""
    return {"num_cpus": 0, "max_retries": 1, "retry_exceptions": False}


def coordinator(name: str) -> dict[str, Any]:
    """Options of a coordinator actor.

    It comes back by itself after a crash; its calls are not repeated, since it resumes from the journal. Not detached:
    warm workers belong to the job of the driver that made the coordinator and end with it, so the coordinator does too.
    """
    return {
        "name": name,
        "namespace": NAMESPACE,
        "num_cpus": 0,
        "max_restarts": -1,
        "max_task_retries": 0,
        "max_concurrency": 64,
    }


def courier(name: str) -> dict[str, Any]:
    """Options of the actor that delivers webhooks.

    Detached: it holds no Blender and owns no render, and what a receiver did not take is tried again for hours.
    """
    return coordinator(name) | {"lifetime": "detached", "max_concurrency": 16}


def without(unfit: Iterable[str]) -> dict[str, Any]:
    """Options that keep a task off some nodes, whatever others there are."""
    named = ",".join(sorted(unfit))
    return {"label_selector": {"ray.io/node-id": f"!in({named})"}} if named else {}


def avoiding(
    nodes: Sequence[Mapping[str, Any]], shape: Shape, avoided: Avoided, unfit: Iterable[str] = ()
) -> dict[str, Any]:
    """Options that keep a view off some nodes, as far as they leave a node that can hold it.

    A node that holds no view, such as a head without GPU, is no way out.

    Args:
        nodes: those that may be used; ``unfit``: the others, which are always left alone.
    """
    hosts = {
        node["NodeID"]
        for node in nodes
        if node["Alive"] and _fit(node["Resources"], shape.cpus, shape.gpus, shape.memory_bytes)
    }
    for choice in avoided.choices():
        unwanted = sorted(hosts & choice)
        if unwanted and len(unwanted) < len(hosts):
            return without([*unwanted, *unfit])
    return without(unfit)


def require_shared_storage(settings: Settings, nodes: Sequence[Mapping[str, Any]]) -> None:
    """Several nodes of one host may share its folders and sockets; nodes of several hosts cannot.

    Args:
        nodes: as ``ray.nodes()`` lists them.

    Raises:
        InvalidSettings: when the store or the objects are embedded, and the cluster has several hosts.
    """
    hosts = sorted({str(node["NodeManagerAddress"]) for node in nodes if node["Alive"]})
    if len(hosts) < 2:
        return
    reason = f"the Ray cluster has {len(hosts)} hosts ({', '.join(hosts[:4])}), and "
    if not settings.redis_url or settings.redis_url.startswith("unix:"):
        reason += "a store on a Unix socket answers on one of them only; name a Redis that all of them reach"
        raise InvalidSettings(variable="FARM_REDIS_URL", value="(hidden)" if settings.redis_url else "", reason=reason)
    if settings.effective_storage_url.startswith("file:"):
        reason += "a folder lies on one of them only; name an object store that all of them reach (s3://…)"
        raise InvalidSettings(variable="FARM_STORAGE_URL", value=settings.storage_url, reason=reason)


def node_environment(settings: Settings, cores: int | None = None) -> dict[str, str]:
    """What must stand in the environment of every node before Ray starts there.

    Args:
        cores: of the node; by default this machine's.
    """
    return {
        # A killed coordinator's views die after 0.3 s instead of 5.
        "RAY_kill_worker_timeout_milliseconds": "300",
        "RAY_num_workers_soft_limit": str(max(WARM_WORKERS, 4 * (cores or os.cpu_count() or 1))),
        # Workers started before the first task have another environment than render processes: only waste.
        "RAY_prestart_worker_first_driver": "0",
        # A warm process may be handed another GPU than the one it woke up on; Cycles is told which by its index.
        "RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        # Out of memory: one worker at a time goes, not every warm Blender with it.
        "RAY_worker_killing_policy_by_group": "1",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(settings.home / "ray.token"),
        "RAY_USAGE_STATS_ENABLED": "0",
        # Serve's proxies look at key and length before they take a body into memory.
        "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": SERVE_GATE,
        # A proxy that died is replaced after three of these; by Ray's ten seconds nobody would be served for thirty.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
    }
