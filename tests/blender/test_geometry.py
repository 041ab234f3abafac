"""Centimetres on the cloth, measured in the picture: a coarse version of ``python -m bench.geometry``."""

from collections.abc import Iterator

import pytest

from bench.geometry import PRESETS, measure_grid, measure_preset
from bench.studio import Studio
from bench.surface import Surface


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    opened = Studio(tmp_path_factory.mktemp("pictures"), threads=2)
    yield opened
    opened.close()


def test_a_printed_centimetre_is_a_centimetre(studio: Studio) -> None:
    grid = measure_grid(studio, 768, 2)
    assert grid["crossings found"] > 0.95
    assert grid["cell across, median cm"] == pytest.approx(1, abs=0.03)
    assert grid["cell down, median cm"] == pytest.approx(1, abs=0.03)
    assert grid["cell error, p99 mm"] < 2
    assert grid["misplaced, median mm"] < 0.5


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_where_the_design_document_says(studio: Studio, name: str) -> None:
    error_mm = measure_preset(studio, Surface.of(studio.template), name, 384, 1)
    assert error_mm is not None
    assert error_mm < 3
