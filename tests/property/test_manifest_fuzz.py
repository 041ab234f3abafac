"""Whatever bytes a manifest is, its reader answers with rows and faults, or refuses it in the farm's words."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.property.manifest_bytes import KINDS, Trial, mappings, suffixes

EXAMPLES = 150


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_become_rows_or_faults_and_never_another_error(kind: str, tmp_path: Path) -> None:
    trial = Trial(tmp_path)

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(data=KINDS[kind], suffix=suffixes(kind), mapping=mappings)
    def read(data: bytes, suffix: str, mapping: dict[str, str]) -> None:
        trial.read(kind, data, suffix, mapping)

    read()
    assert trial.seen[f"{kind}: read"] >= EXAMPLES
    if kind != "bytes":
        assert trial.seen[f"{kind}: rows"] > 0, trial.seen
