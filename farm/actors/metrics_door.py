"""The metrics of all nodes, as each node's Ray agent exports them, for whoever asks the API instead of every node."""

import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import ray

from farm.errors import ClusterUnavailable

PATIENCE_S = 4.0
AT_ONCE = 16
LIMIT_BYTES = 64_000_000


def scrape() -> list[str]:
    """What each living node exports, as far as it answers; blocking, in a process that has joined the farm's Ray.

    Raises:
        ClusterUnavailable: when no node answers.
    """
    try:
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    except (RuntimeError, ConnectionError, TimeoutError, ray.exceptions.RayError) as error:
        raise ClusterUnavailable(reason=f"Ray does not answer: {type(error).__name__}") from error
    doors = [
        f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
        for node in nodes
        if node["Alive"] and node.get("MetricsExportPort")
    ]
    with ThreadPoolExecutor(AT_ONCE) as threads:
        texts = [text for text in threads.map(_read, doors) if text]
    if not texts:
        raise ClusterUnavailable(reason=f"none of {len(doors)} nodes exports metrics")
    return texts


def _read(address: str) -> str:
    """A node that does not answer has nothing to tell."""
    try:
        # The address is Ray's own word for one of its nodes.
        with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:  # nosec B310
            return str(answer.read(LIMIT_BYTES).decode("utf-8", errors="replace"))
    except (urllib.error.URLError, OSError):
        return ""
