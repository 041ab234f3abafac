"""Manifests made up by Hypothesis, for as long as you like: each must become rows and faults, or be refused in words.

python -m bench.fuzz_manifests --seconds 600
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings

from tests.property.manifest_bytes import KINDS, Trial, mappings, suffixes

ROUND = 1000
"""Examples at a time: between rounds it looks at the clock."""


def _round(trial: Trial, kind: str, number: int) -> None:
    @seed(number)
    @settings(max_examples=ROUND, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(data=KINDS[kind], suffix=suffixes(kind), mapping=mappings)
    def read(data: bytes, suffix: str, mapping: dict[str, str]) -> None:
        trial.read(kind, data, suffix, mapping)

    read()


def main() -> None:
    """Fuzz for some time, then tell what was tried."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="for all kinds together")
    parser.add_argument("--seed", type=int, default=None, help="of the first round; told when there is a failure")
    asked = parser.parse_args()
    number = random.randrange(1 << 30) if asked.seed is None else asked.seed
    until_s = time.monotonic() + asked.seconds
    with tempfile.TemporaryDirectory(prefix="fuzz-manifests-") as folder:
        trial = Trial(Path(folder))
        try:
            while time.monotonic() < until_s:
                for kind in KINDS:
                    _round(trial, kind, number)
                number += 1
        except BaseException:
            print(f"failed with --seed {number}, after {_executions(trial)} executions", file=sys.stderr)
            raise
    for name, count in sorted(trial.seen.items()):
        print(f"{name:<20} {count:>10,}")
    print(f"{_executions(trial):,} executions, none with an error that is not the farm's own")


def _executions(trial: Trial) -> int:
    return sum(count for name, count in trial.seen.items() if name.endswith(": read"))


if __name__ == "__main__":
    main()
