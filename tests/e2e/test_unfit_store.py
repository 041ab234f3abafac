"""A farm does not start on a store that would lose its jobs, and says what to do."""

from pathlib import Path

import pytest

from tests.contract.servers.valkey import valkey
from tests.e2e.terminal import Terminal


@pytest.mark.timeout(90)
def test_a_farm_refuses_to_start_on_a_store_that_forgets(terminal: Terminal, tmp_path: Path) -> None:
    with valkey(tmp_path / "store", "--appendonly", "no") as server:
        told = {"FARM_REDIS_URL": server.url}
        up = terminal.farm("up", environ=told)
        assert up.returncode == 1
        assert "store_not_durable" in up.stderr
        doctor = terminal.farm("doctor", environ=told)
        assert doctor.returncode != 0
        assert "appendonly yes" in doctor.stdout
