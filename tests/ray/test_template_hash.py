"""A node that has another garment under a job's name refuses the job, before it paints anything."""

from pathlib import Path

import pytest

from farm.actors.blender_worker import Station
from farm.actors.tasks import template_here
from farm.domain.template import find
from farm.errors import NotFound, TemplateBroken
from farm.settings import Settings


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return Station(settings=Settings.load({"FARM_HOME": str(tmp_path)}), redis_url="", threads=1)


def test_the_garment_the_job_was_accepted_with_is_taken(station: Station) -> None:
    garment = find(station.settings.template_folders, "crew-tee")
    assert template_here(station, "crew-tee", garment.hash) == garment.folder
    assert template_here(station, "crew-tee") == garment.folder


def test_another_one_is_refused_with_both_hashes(station: Station) -> None:
    with pytest.raises(TemplateBroken, match="accepted with ffffffffffff") as refused:
        template_here(station, "crew-tee", "f" * 64)
    assert not refused.value.retryable
    with pytest.raises(NotFound):
        template_here(station, "gone", "f" * 64)
