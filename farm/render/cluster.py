"""The cluster as its coordinators see it: each posts what it knows on a board, and whoever looks joins the posts.

So neither a page nor a metric needs Ray, and a coordinator that has died is seen by its silence.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

TELL_S = 2.0
"""How often a coordinator posts."""
STALE_S = 15.0
"""A post this old is nobody's any more."""
STUCK_S = 900.0
"""A job that a coordinator should drive and that has not moved for this long is shown as stuck."""


class ClusterBoard(Protocol):
    """Where coordinators post. Every method may raise `StoreUnavailable`."""

    async def post(self, name: str, told: Mapping[str, Any]) -> None:
        """Put up what coordinator ``name`` sees, in place of what it posted before."""
        ...

    async def take_down(self, name: str) -> None:
        """Remove what coordinator ``name`` posted: it stops."""
        ...

    async def read(self) -> Sequence[Mapping[str, Any]]:
        """All posts younger than `STALE_S`, each with its ``age_s``, by name."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One node of the cluster.

    Attributes:
        slots: views it can render at once.
        running: how many it renders.
        avoided: whether a coordinator leaves it alone after failures.
        ailment: what it was that failed there of late, in words; empty where nothing did.
        trouble: why it may not be used at all, in words; empty where nothing is wrong.
    """

    id: str
    address: str
    host: str
    alive: bool
    cpus: float
    gpus: float
    gpu_type: str
    memory_bytes: int
    slots: int
    running: int = 0
    avoided: bool = False
    ailment: str = ""
    trouble: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """All posts, joined."""

    machines: tuple[Machine, ...] = ()
    running: tuple[Mapping[str, Any], ...] = ()
    coordinators: tuple[Mapping[str, Any], ...] = ()
    slots: int = 0
    views_waiting: int = 0
    seen: bool = field(default=False)

    @classmethod
    def of(cls, posts: Sequence[Mapping[str, Any]]) -> "Cluster":
        """Join the posts of all coordinators: nodes by the newest post, what runs from every one."""
        if not posts:
            return cls()
        newest = min(posts, key=lambda post: float(post["age_s"]))
        running = [{**one, "coordinator": post["name"]} for post in posts for one in post.get("running", ())]
        views = Counter(str(one["node"]) for one in running if one.get("node"))
        avoided = {node for post in posts for node in post.get("avoided", ())}
        ailments = {state["node_id"]: state for post in posts for state in post.get("health", ())}
        machines = tuple(
            Machine(
                **{
                    **machine,
                    "running": views[machine["id"]],
                    "avoided": machine["id"] in avoided,
                    "ailment": _ailment(ailments.get(machine["id"])),
                }
            )
            for machine in newest.get("nodes", ())
        )
        coordinators = [
            {name: post.get(name) for name in ("name", "age_s", "jobs", "concurrency", "pid")} for post in posts
        ]
        return cls(
            machines=machines,
            running=tuple(running),
            coordinators=tuple(coordinators),
            slots=int(newest.get("slots", 0)),
            views_waiting=sum(int(post.get("waiting", 0)) for post in posts),
            seen=True,
        )


def _ailment(state: Mapping[str, Any] | None) -> str:
    """How a node failed of late; ``state`` is a `farm.render.ports.NodeState` as a dictionary."""
    if not state or not state["failed"]:
        return ""
    times = "once" if state["failed"] == 1 else f"{state['failed']} times"
    return f"failed {times} of {state['failed'] + state['succeeded']} attempts, last with {state['last_code']}"


def machines_of(
    nodes: Sequence[Mapping[str, Any]], slots_of: Mapping[str, int], troubles: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """The nodes that ``ray.nodes()`` lists, as a post tells them; those long dead are left out.

    Args:
        slots_of: views each can render at once, by its id.
        troubles: why a node may not be used, by its id.
    """
    told = []
    for node in nodes:
        if not node["Alive"]:
            continue
        resources = node["Resources"]
        gpu = next((name.partition(":")[2] for name in resources if name.startswith("accelerator_type:")), "")
        machine = Machine(
            id=str(node["NodeID"]),
            address=str(node["NodeManagerAddress"]),
            host=str(node.get("NodeManagerHostname") or node["NodeManagerAddress"]),
            alive=True,
            cpus=float(resources.get("CPU", 0)),
            gpus=float(resources.get("GPU", 0)),
            gpu_type=gpu,
            memory_bytes=int(resources.get("memory", 0)),
            slots=slots_of.get(str(node["NodeID"]), 0),
            trouble=(troubles or {}).get(str(node["NodeID"]), ""),
        )
        told.append(machine.to_dict())
    return told
