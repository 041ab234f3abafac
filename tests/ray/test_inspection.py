"""Nodes are asked on the spot whether they fit this farm, and refused by name where they do not."""
# mypy: disallow-untyped-calls=False

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import farm
from farm.actors import fitness
from farm.actors.inspection import Inspected, NodeReport, inspect, look_around, require_fit, troubles_of
from farm.errors import ClusterUnavailable
from farm.saga.clock import FakeClock
from farm.settings import Settings

OWN = NodeReport(version="0.1.0", code="c" * 64, python="3.13.1", garments={"crew-tee": "a" * 64, "long": "b" * 64})


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (OWN, []),
        (replace(OWN, python="3.13.9"), []),
        (replace(OWN, garments={**OWN.garments, "more": "d" * 64}), []),
        (replace(OWN, version="0.0.9", code="d" * 64), ["version 0.0.9 of the farm, this one is 0.1.0"]),
        (replace(OWN, code="d" * 64), ["its code is another: dddddddddddd"]),
        (replace(OWN, python="3.12.4"), ["it runs Python 3.12.4"]),
        (replace(OWN, garments={"crew-tee": "e" * 64}), ["garment crew-tee is eeeeeeeeeeee", "no garment long"]),
        (replace(OWN, store="no answer", storage="403"), ["reach the journal: no answer", "reach the storage: 403"]),
    ],
)
def test_what_speaks_against_a_node(report: NodeReport, words: list[str]) -> None:
    found = troubles_of(report, OWN)
    assert len(found) == len(words)
    for trouble, word in zip(found, words, strict=True):
        assert word in trouble


def test_this_machine_says_what_it_does_not_reach(tmp_path: Path) -> None:
    settings = Settings.load({"FARM_HOME": str(tmp_path), "FARM_STORAGE_URL": "file:///proc/nowhere"})
    report = look_around(settings, "redis://127.0.0.1:1/0")
    assert report.version == farm.__version__
    assert report.garments["crew-tee"]
    assert "journal" in report.store or "refused" in report.store.lower()
    assert report.storage


async def test_a_real_node_is_asked_by_a_task_of_its_own(cluster: None, settings: Settings, store_url: str) -> None:
    import ray

    (fit,) = await inspect(settings, store_url, ray.nodes())
    assert fit.troubles == ()
    assert fit.report is not None
    require_fit([fit])

    (unfit,) = await inspect(settings, "redis://127.0.0.1:1/0", ray.nodes())
    assert len(unfit.troubles) == 1
    assert unfit.troubles[0].startswith("it does not reach the journal")


async def test_a_node_that_is_gone_before_it_answers_is_left_out(
    cluster: None, settings: Settings, store_url: str
) -> None:
    """Ray lists the former head as alive for some seconds after a restart; it must not keep the farm from starting."""
    import ray

    (here,) = (node for node in ray.nodes() if node["Alive"])  # other tests left dead ones behind
    found = await inspect(settings, store_url, [here, {**here, "NodeID": "ab" * 28}])
    assert [one.node_id for one in found] == [here["NodeID"]]
    require_fit(found)


def test_a_cluster_with_an_unfit_node_is_refused_by_name() -> None:
    unfit = Inspected(node_id="ab" * 28, host="ip-10-0-0-7", report=None, troubles=("it has no garment crew-tee",))
    with pytest.raises(ClusterUnavailable, match=r"a node is not fit .*ip-10-0-0-7 \(abababab\): it has no garment"):
        require_fit([unfit])


class Nodes:
    """Inspections that answer as a test says, each once it lets them."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.troubles: dict[str, tuple[str, ...]] = {}
        self.let = asyncio.Event()
        self.let.set()

    async def inspect(self, settings: Settings, store_url: str, nodes: Sequence[Mapping[str, Any]]) -> list[Inspected]:
        names = [str(node["NodeID"]) for node in nodes]
        self.asked.append(names)
        await self.let.wait()
        return [Inspected(node_id=name, host=name, report=None, troubles=self.troubles.get(name, ())) for name in names]


async def test_a_node_that_joins_later_gets_no_work_before_it_was_inspected(monkeypatch: pytest.MonkeyPatch) -> None:
    nodes, clock = Nodes(), FakeClock()
    monkeypatch.setattr(fitness, "inspect", nodes.inspect)
    known = fitness.Fitness(Settings(), "", "head", clock)

    def look(*names: str) -> Mapping[str, str]:
        known.look([{"NodeID": name, "Alive": True} for name in names])
        return known.troubles

    nodes.let.clear()
    assert look("head", "a") == {}, "what is there at first is used while it is looked at"
    assert look("head", "a", "b", "c") == {"b": fitness.PENDING, "c": fitness.PENDING}
    nodes.troubles = {"c": ("it has no garment crew-tee", "and no way to the storage")}
    nodes.let.set()
    await asyncio.sleep(0.01)
    assert look("head", "a", "b", "c") == {"c": "it has no garment crew-tee; and no way to the storage"}
    assert nodes.asked == [["a"], ["b", "c"]], "the head is itself"

    nodes.troubles = {}
    await clock.advance(fitness.AGAIN_S)
    look("head", "a", "b", "c")
    await asyncio.sleep(0.01)
    assert look("head", "a", "b", "c") == {}, "it was mended"
    assert nodes.asked[2:] == [["c"]]
    assert look("head") == {}
    await known.close()
