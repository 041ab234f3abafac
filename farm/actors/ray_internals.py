"""What Ray has no public call for: the only use of its private names. Seen in Ray 2.60; an upgrade may take them away.

`tests/ray/test_ray_internals.py` says which one is gone.
"""

from typing import Any


def ended_processes() -> list[str]:
    """Kinds of the processes of the Ray that this process started (``gcs_server``, ``raylet`` …) that have ended."""
    from ray._private import worker

    node: Any = worker._global_node
    return [] if node is None else [kind for kind, _ in node.dead_processes()]


def replace_process_after_task(max_calls: int) -> None:
    """Let Ray replace this worker's process when the running task ends, as if it had run ``max_calls`` times.

    Ray ends a worker in which a function ran that often, and keeps count here, by function.
    """
    from ray._private.worker import global_worker

    counts: Any = global_worker.function_actor_manager._num_task_executions
    for function_id in list(counts):
        counts[function_id] = max_calls - 1
