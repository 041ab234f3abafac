"""The verdict's confusion table: honest pictures that must pass, and twelve kinds of false ones that must not.

All are real renders of the template in the tree, judged as the farm judges. What a sabotage must differ by to count is
stated in `bench.sabotage`: the rule looks at the two pictures and not at the verdict.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from bench.sabotage import Sabotage, sabotages
from bench.scenes import honest
from bench.studio import CREW_TEE, Scene, Studio
from farm.picture import verdict as limits
from farm.render.tasks.judge import judge_with

KINDS = (
    "stale texture", "missing print", "mirrored", "wrong colour", "blank", "black", "clipped", "truncated",
    "wrong size", "noise", "wrong fabric", "wrong view",
)  # fmt: skip


def judged(studio: Studio, scenes: list[Scene], *, every: int, until: float) -> dict[str, Any] | None:
    """Render what is missing and judge everything; ``None`` when the time is up before all is rendered."""
    judge = judge_with(studio.template)
    good: list[dict[str, Any]] = []
    false: list[dict[str, Any]] = []
    for number, scene in enumerate(scenes):
        if time.monotonic() > until:
            return None
        order = studio.order(scene)
        verdict = judge(studio.render(order), order)
        good.append({"scene": _told(scene), "reason": verdict.reason, "figures": dict(verdict.figures)})
        if number % every:
            continue
        for one in sabotages(studio, scene, scenes[number - 1], number):
            answer = judge(one.data, order)
            false.append(_row(one, scene, answer.reason, dict(answer.figures)))
    return {"honest": good, "sabotaged": false}


def _told(scene: Scene) -> str:
    return (
        f"{scene.name}, {scene.view}, {scene.size_px} px, {scene.samples} samples, {scene.format} on {scene.background}"
    )


def _row(one: Sabotage, scene: Scene, reason: str, figures: dict[str, float]) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "scene": _told(scene),
        "reason": reason,
        "differs": one.differs,
        "counts": one.counts,
        "figures": figures,
    }


def table(result: dict[str, Any]) -> str:
    """The confusion table as markdown."""
    good, false = result["honest"], result["sabotaged"]
    passed = sum(not row["reason"] for row in good)
    lines = [
        "| pictures | judged | passed | refused | by code | not counted (no visible difference) |",
        "| --- | --- | --- | --- | --- | --- |",
        f"| honest | {len(good)} | {passed} | {len(good) - passed} | {_codes(good)} | |",
    ]
    for kind in KINDS:
        rows = [row for row in false if row["kind"] == kind]
        counted = [row for row in rows if row["counts"]]
        caught = [row for row in counted if row["reason"]]
        rest = len(rows) - len(counted)
        below = sum(bool(row["reason"]) for row in rows if not row["counts"])
        lines.append(
            f"| {kind} | {len(counted)} | {len(counted) - len(caught)} | {len(caught)} | {_codes(caught)} | "
            f"{f'{rest}, of which {below} refused' if rest else ''} |"
        )
    counted = [row for row in false if row["counts"]]
    found = sum(bool(row["reason"]) for row in counted)
    lines += ["", f"False alarms {len(good) - passed} of {len(good)}; caught {found} of {len(counted)}."]
    return "\n".join(lines)


def _codes(rows: list[dict[str, Any]]) -> str:
    codes = Counter(row["reason"].partition(":")[0].removeprefix("it ") for row in rows if row["reason"])
    return ", ".join(f"{code.split(' of ')[0]} {count}" for code, count in codes.most_common(4))


def margins(result: dict[str, Any]) -> str:
    """How near the worst honest picture came to each limit."""
    worst: dict[str, float] = defaultdict(float)
    for row in result["honest"]:
        for name, value in row["figures"].items():
            worst[name] = max(worst[name], value)
    lines = ["| measure | worst honest | limit |", "| --- | --- | --- |"]
    for name, limit in getattr(limits, "LIMITS", {}).items():
        lines.append(f"| {name} | {worst[name]:.4f} | {limit:.4f} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--honest", type=int, default=200)
    parser.add_argument("--every", type=int, default=2, help="sabotage every so manieth of them")
    parser.add_argument("--template", type=Path, default=CREW_TEE)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--pictures", type=Path, help="keep the pictures here and make none twice")
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so long; the next call carries on")
    parser.add_argument("--json", type=Path, help="write every judgement here")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        studio = Studio(chosen.pictures or Path(folder), chosen.template, chosen.threads)
        try:
            scenes = honest(studio, chosen.honest)
            until = time.monotonic() + chosen.seconds
            result = judged(studio, scenes, every=chosen.every, until=until)
        finally:
            studio.close()
    if result is None:
        print(f"{studio.rendered} pictures made; not all yet")
        return 3
    if chosen.json:
        chosen.json.write_text(json.dumps(result, indent=1))
    print(table(result))
    print()
    print(margins(result))
    for row in result["honest"]:
        if row["reason"]:
            print(f"refused: {row['scene']}: {row['reason']}")
    for row in result["sabotaged"]:
        if row["counts"] and not row["reason"]:
            print(f"missed: {row['kind']} ({row['differs']:.2%}): {row['scene']}")
    wrong = [row for row in result["honest"] if row["reason"]]
    missed = [row for row in result["sabotaged"] if row["counts"] and not row["reason"]]
    return 1 if wrong or missed else 0


if __name__ == "__main__":
    sys.exit(main())
