"""The private names of Ray that `farm.actors.ray_internals` uses are there and mean what they meant; no cluster."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from ray._private import worker
from ray._private.node import Node

from farm.actors.ray_internals import ended_processes, replace_process_after_task


def test_a_node_tells_which_of_its_processes_have_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    node = Node.__new__(Node)  # one that has started nothing
    node.all_processes = {"raylet": [SimpleNamespace(process=ended)], "gcs_server": []}
    monkeypatch.setattr(worker, "_global_node", node)
    assert ended_processes() == ["raylet"]


def test_where_no_ray_was_started_none_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_global_node", None)
    assert ended_processes() == []


def test_the_task_that_runs_can_be_made_the_last_of_its_process() -> None:
    manager: Any = worker.global_worker.function_actor_manager
    view = SimpleNamespace(function_id="a view")
    manager._num_task_executions[view.function_id] = 0
    try:
        replace_process_after_task(200)
        manager.increase_task_counter(view)  # Ray does so when a task ends, and then compares
        assert manager.get_task_counter(view) == 200
    finally:
        del manager._num_task_executions[view.function_id]
