"""What travels with every task, seen from the worker that it reaches."""

from pathlib import Path

import pytest

import farm
from farm.actors.blender_worker import BlenderWorker, Station
from farm.errors import VersionMismatch
from farm.settings import Settings


def test_a_worker_of_another_version_refuses_the_task(tmp_path: Path) -> None:
    station = Station(version="0.0.9", settings=Settings(home=tmp_path), redis_url="redis://nowhere", threads=1)
    with pytest.raises(
        VersionMismatch, match=rf"runs version {farm.__version__} of the farm, .* at 0\.0\.9"
    ) as refused:
        BlenderWorker.here(station, "node")
    assert not refused.value.retryable


def test_a_station_says_its_version_first(tmp_path: Path) -> None:
    station = Station(settings=Settings(home=tmp_path), redis_url="redis://nowhere", threads=1)
    assert station.version == farm.__version__
    assert Station.__slots__[0] == "version"
