"""A small confusion table on real renders: honest pictures pass, and of twelve ways to be false none gets through."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bench.sabotage import sabotages
from bench.scenes import honest
from bench.studio import Scene, Studio
from bench.verdict import KINDS
from farm.render.tasks.judge import judge_with

LARGEST_PX = 256


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    opened = Studio(tmp_path_factory.mktemp("pictures"), threads=2)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def scenes(studio: Studio) -> list[Scene]:
    return [scene for scene in honest(studio, 200) if scene.size_px <= LARGEST_PX]


def test_honest_pictures_of_every_sort_pass(studio: Studio, scenes: list[Scene]) -> None:
    judge = judge_with(studio.template)
    refused = []
    for scene in scenes[::4]:
        order = studio.order(scene)
        verdict = judge(studio.render(order), order)
        if verdict.reason:
            refused.append((scene.name, scene.view, verdict.reason, verdict.figures))
    assert len(scenes[::4]) > 30
    assert refused == []


def test_no_false_picture_passes(studio: Studio, scenes: list[Scene]) -> None:
    judge = judge_with(studio.template)
    missed, counted = [], dict.fromkeys(KINDS, 0)
    for number in range(4, len(scenes), 12):
        scene = scenes[number]
        order = studio.order(scene)
        for one in sabotages(studio, scene, scenes[number - 1], number):
            counted[one.kind] += one.counts
            if one.counts and not judge(one.data, order).reason:
                missed.append((one.kind, one.differs, scene.name, scene.view))
    assert missed == []
    assert min(counted.values()) > 0, counted


def test_a_film_s_frame_at_a_view_s_angle_is_judged_as_the_view(studio: Studio, scenes: list[Scene]) -> None:
    judge = judge_with(studio.template)
    printed = next(scene for scene in scenes if scene.layers and scene.name.startswith("001"))
    frame = replace(printed, view="front_0deg", azimuth_deg=0.0, background="#ffffff", format="png")
    order = studio.order(frame)
    assert judge(studio.render(order), order).reason == ""
    other = studio.order(replace(frame, fabric="#224d8f"))
    assert judge(studio.render(other), order).reason
