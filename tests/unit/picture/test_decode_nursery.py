"""Children of a warm mother: the same answers, the same limits, an end in every case, and nobody left."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from farm.errors import BadDesign
from farm.picture.decode import DecodeLimits, decode, normalise
from farm.picture.decode_child import decode_in_child
from farm.picture.decode_nursery import Nurseries, Nursery
from tests.picture_designs import hostile
from tests.picture_designs.files import encoded
from tests.unit.picture.test_decode_child import child_pids, slow_design

LIMITS = DecodeLimits()
DEADLINE_S = 60.0


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    before = child_pids()
    nursery = Nursery()
    yield nursery
    nursery.close()
    assert child_pids() == before


def picture(seed: int) -> bytes:
    return encoded(np.random.default_rng(seed).integers(0, 256, (40, 30, 4), dtype=np.uint8))


def born(before: set[int]) -> int:
    """The child that decodes now: a child of the mother."""
    until_s = time.monotonic() + 20
    while time.monotonic() < until_s:
        for mother in child_pids() - before:
            children = Path(f"/proc/{mother}/task/{mother}/children").read_text().split()
            if children:
                return int(children[0])
        time.sleep(0.002)
    raise AssertionError("nobody was born")


def test_one_mother_answers_as_decoding_in_place_again_and_again(nursery: Nursery) -> None:
    before = child_pids()
    for seed in range(5):
        here = decode(picture(seed), limits=LIMITS)
        there = decode_in_child(picture(seed), LIMITS, DEADLINE_S, start=nursery.bear)
        assert (there.png, there.facts, there.warnings) == (normalise(here), here.facts, here.warnings)
    assert len(child_pids() - before) == 1


@pytest.mark.parametrize("name", ["bomb", "gif", "png_cut_in_half"])
def test_refusals_come_through_and_the_next_one_is_fine(nursery: Nursery, name: str) -> None:
    make, code = hostile.REFUSED[name]
    with pytest.raises(BadDesign) as caught:
        decode_in_child(make(), LIMITS, DEADLINE_S, start=nursery.bear)
    assert caught.value.code == code
    assert decode_in_child(picture(1), LIMITS, DEADLINE_S, start=nursery.bear).png


def test_the_deadline_and_the_memory_limit_hold(nursery: Nursery) -> None:
    decode_in_child(picture(1), LIMITS, DEADLINE_S, start=nursery.bear)
    began_s = time.monotonic()
    with pytest.raises(BadDesign, match=r"not done within 0\.3 s"):
        decode_in_child(slow_design(), LIMITS, 0.3, start=nursery.bear)
    assert time.monotonic() - began_s < 5
    with pytest.raises(BadDesign):
        decode_in_child(slow_design(), LIMITS, DEADLINE_S, memory_bytes=500_000_000, start=nursery.bear)
    assert decode_in_child(picture(1), LIMITS, DEADLINE_S, start=nursery.bear).png


@pytest.mark.parametrize("who", ["child", "mother"])
def test_a_death_is_one_designs_error_and_no_others(nursery: Nursery, who: str) -> None:
    before = child_pids()
    errors: list[BadDesign] = []

    def work() -> None:
        try:
            decode_in_child(slow_design(), LIMITS, DEADLINE_S, start=nursery.bear)
        except BadDesign as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    child = born(before)
    time.sleep(0.2)  # the order is on its way; before that a dead mother is simply replaced
    os.kill(child if who == "child" else (child_pids() - before).pop(), signal.SIGKILL)
    if who == "mother":
        os.kill(child, signal.SIGKILL)  # its own work would go on to its end, which is bounded, but long
    thread.join(20)
    assert not thread.is_alive()
    assert [error.code for error in errors] == ["design_decode_failed"]
    assert decode_in_child(picture(1), LIMITS, DEADLINE_S, start=nursery.bear).png


def test_a_child_has_no_secrets_limits_of_its_own_and_nothing_but_its_pipes(
    nursery: Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FARM_SECRET_FOR_TEST", "hunter2")
    before = child_pids()

    def work() -> None:
        with pytest.raises(BadDesign):
            decode_in_child(slow_design(), LIMITS, DEADLINE_S, start=nursery.bear)

    thread = threading.Thread(target=work)
    thread.start()
    pid = born(before)
    limits: dict[str, str] = {}
    while limits.get("Max open files") != "32" and thread.is_alive():
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
        limits = {line[:26].strip(): (line[26:].split() or [""])[0] for line in lines}
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    files = sorted(os.listdir(f"/proc/{pid}/fd"))
    os.kill(pid, signal.SIGKILL)
    thread.join(20)
    assert b"OPENBLAS" in environment
    assert b"hunter2" not in environment
    assert files == ["0", "1", "2"]
    assert (limits["Max file size"], limits["Max core file size"]) == ("0", "0")
    assert limits["Max address space"] == str(3 * 1024**3)


def test_threads_share_nurseries() -> None:
    before = child_pids()
    with Nurseries(2) as nurseries, ThreadPoolExecutor(8) as threads:

        def one(seed: int) -> bool:
            with nurseries.taken() as nursery:
                return decode_in_child(picture(seed), LIMITS, DEADLINE_S, start=nursery.bear).png == normalise(
                    decode(picture(seed), limits=LIMITS)
                )

        assert all(threads.map(one, range(24)))
        assert len(child_pids() - before) == 2
    assert child_pids() == before
