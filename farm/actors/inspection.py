"""Are a cluster's nodes fit for this farm? Each is asked by a task of its own that is pinned there.

A node must run this very version with these very garments, and reach journal and storage. Whoever differs would render
something else than was promised, or nothing.
"""

import asyncio
import hashlib
import secrets
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

import farm
from farm.actors import options
from farm.adapters.redis_heartbeat import ping
from farm.domain import keys
from farm.domain import template as templates
from farm.errors import ClusterUnavailable, FarmError
from farm.settings import Settings
from farm.wiring import open_objects

ANSWER_S = 60.0
"""How long a node may take: a process has to start there and load the farm."""


_PYTHON = ".".join(str(part) for part in sys.version_info[:3])


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """What a node said of itself.

    Attributes:
        code: a digest of the farm's own source, for two versions that call themselves alike.
        garments: hash by id of every template.
        store, storage: what is wrong with reaching them; empty where nothing is.
    """

    version: str
    code: str
    python: str
    garments: Mapping[str, str] = field(default_factory=dict)
    store: str = ""
    storage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What is known of a node.

    Attributes:
        report: what it said; ``None`` when it did not.
        troubles: why it may not be used, in words.
    """

    node_id: str
    host: str
    report: NodeReport | None
    troubles: tuple[str, ...] = ()


def look_around(settings: Settings, store_url: str) -> NodeReport:
    """What this machine has to say; runs on the node."""
    return NodeReport(
        version=farm.__version__,
        code=_code(),
        python=_PYTHON,
        garments=_garments(settings),
        store=_tried(lambda: ping(store_url)),
        storage=_tried(lambda: _storage(settings)),
    )


def troubles_of(report: NodeReport, own: NodeReport) -> tuple[str, ...]:
    """Why a node may not be used, compared with the farm's own machine."""
    found = []
    if report.version != own.version:
        found.append(f"it runs version {report.version} of the farm, this one is {own.version}")
    elif report.code != own.code:
        found.append(f"its farm calls itself {own.version} too, but its code is another: {report.code[:12]}")
    if report.python.rpartition(".")[0] != own.python.rpartition(".")[0]:
        found.append(f"it runs Python {report.python}, this one {own.python}")
    for name, wanted in sorted(own.garments.items()):
        there = report.garments.get(name)
        if there is None:
            found.append(f"it has no garment {name}")
        elif there != wanted:
            found.append(f"its garment {name} is {there[:12]}, this one's is {wanted[:12]}")
    if report.store:
        found.append(f"it does not reach the journal: {report.store}")
    if report.storage:
        found.append(f"it does not reach the storage: {report.storage}")
    return tuple(found)


async def inspect(settings: Settings, store_url: str, nodes: Sequence[Mapping[str, Any]]) -> list[Inspected]:
    """Ask those of the nodes that live, all at once, and compare them with this machine.

    A node that is gone by the time it should have answered is left out: for some seconds after a restart of the head,
    Ray lists those as alive that were when it fell, the former head among them.

    Args:
        nodes: as ``ray.nodes()`` lists them.
    """
    own = NodeReport(
        version=farm.__version__,
        code=await asyncio.to_thread(_code),
        python=_PYTHON,
        garments=await asyncio.to_thread(_garments, settings),
    )
    travelling = replace(settings, shop_api_key="")
    task = ray.remote(**options.probe())(look_around)
    asked = await asyncio.gather(*(_ask(task, travelling, store_url, node, own) for node in nodes if node["Alive"]))
    here = {node["NodeID"] for node in ray.nodes() if node["Alive"]}  # type: ignore[no-untyped-call]
    return [one for one in asked if one.report is not None or one.node_id in here]


async def _ask(task: Any, settings: Settings, store_url: str, node: Mapping[str, Any], own: NodeReport) -> Inspected:
    node_id = str(node["NodeID"])
    host = str(node.get("NodeManagerHostname") or node["NodeManagerAddress"])
    ref = task.options(
        name=f"inspect {host}", scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False)
    ).remote(settings, store_url)
    try:
        report: NodeReport = await asyncio.wait_for(asyncio.wrap_future(ref.future()), ANSWER_S)
    except TimeoutError:
        ray.cancel(ref, force=True)
        trouble = f"it did not answer within {ANSWER_S:g} s"
        return Inspected(node_id=node_id, host=host, report=None, troubles=(trouble,))
    except (ray.exceptions.RayError, FarmError) as error:
        # A node without this farm, or with another one, cannot even read the question.
        last = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        return Inspected(
            node_id=node_id, host=host, report=None, troubles=(f"the farm cannot run there: {last[-1][:300]}",)
        )
    return Inspected(node_id=node_id, host=host, report=report, troubles=troubles_of(report, own))


def require_fit(inspected: Sequence[Inspected]) -> None:
    """Refuse a cluster in which a node is not fit.

    Raises:
        ClusterUnavailable: naming each such node and what is wrong with it.
    """
    unfit = [one for one in inspected if one.troubles]
    if unfit:
        named = "; ".join(f"{one.host} ({one.node_id[:8]}): {', '.join(one.troubles)}" for one in unfit[:8])
        count = "a node is" if len(unfit) == 1 else f"{len(unfit)} nodes are"
        raise ClusterUnavailable(reason=f"{count} not fit for this farm: {named}")


def look_at_cluster(settings: Settings, address: str, store_url: str) -> list[Inspected]:
    """Join the cluster at ``address`` for a moment and inspect its nodes. Blocks.

    Raises:
        ClusterUnavailable: when it cannot be joined.
    """
    try:
        ray.init(address=address, namespace=options.NAMESPACE, log_to_driver=False, configure_logging=False)
    except (RuntimeError, ConnectionError, OSError, ValueError, TimeoutError, ray.exceptions.RayError) as error:
        raise ClusterUnavailable(reason=f"{type(error).__name__}: {error}") from error
    try:
        return asyncio.run(inspect(settings, store_url, ray.nodes()))  # type: ignore[no-untyped-call]
    finally:
        ray.shutdown()


def _code() -> str:
    """A digest of what runs here: the sources of farm and Blender's side."""
    digest = hashlib.sha256()
    root = Path(farm.__file__).parent.parent
    for package in ("farm", "blender"):
        for source in sorted((root / package).rglob("*.py")):
            digest.update(str(source.relative_to(root)).encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()


def _garments(settings: Settings) -> dict[str, str]:
    found = {}
    for folder in templates.every(settings.template_folders):
        try:
            found[folder.name] = templates.find(settings.template_folders, folder.name).hash
        except FarmError as error:
            found[folder.name] = f"broken: {error.code}"
    return found


def _storage(settings: Settings) -> None:
    """Write, read and remove a small object."""
    store = open_objects(settings)
    key = keys.uploads("doctor", secrets.token_hex(8)) + "probe"
    try:
        store.get(key, sha256=store.put(key, b"farm doctor", content_type="text/plain"))
    finally:
        store.delete([key])


def _tried(look: Any) -> str:
    try:
        look()
    except FarmError as error:
        return error.message
    except Exception as error:  # whatever it is, it is what is wrong there
        return f"{type(error).__name__}: {error}"[:300]
    return ""
