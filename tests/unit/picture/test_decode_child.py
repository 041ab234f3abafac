"""The decoding process: same answers as decoding in place, and an end in every case."""

import os
import signal
import threading
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from farm.errors import BadDesign
from farm.picture.decode import DecodeLimits, decode, normalise
from farm.picture.decode_child import decode_in_child
from tests.picture_designs import hostile
from tests.picture_designs.files import SIGNATURE, chunk, encoded, header

LIMITS = DecodeLimits()
DEADLINE_S = 60.0


def slow_design() -> bytes:
    """Sixty megapixels of noise-like rows: seconds of work from a small file."""
    size = 7_700
    squeeze = zlib.compressobj(1)
    row = b"\1" + bytes(range(1, 256)) * (3 * size // 255 + 1)
    packed = b"".join(squeeze.compress(row[: 3 * size + 1]) for _ in range(size)) + squeeze.flush()
    return SIGNATURE + header(size, size, colour=2) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def child_pids() -> set[int]:
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        found |= {int(pid) for pid in (task / "children").read_text().split()}
    return found


def run_in_thread(data: bytes, deadline_s: float) -> tuple[threading.Thread, list[BadDesign]]:
    errors: list[BadDesign] = []

    def work() -> None:
        try:
            decode_in_child(data, LIMITS, deadline_s)
        except BadDesign as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, errors


def wait_for_child(before: set[int]) -> int:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if new := child_pids() - before:
            return new.pop()
        time.sleep(0.005)
    raise AssertionError("no child was started")


def test_the_child_answers_as_decoding_in_place() -> None:
    data = encoded(np.random.default_rng(2).integers(0, 256, (40, 30, 4), dtype=np.uint8))
    here = decode(data, limits=LIMITS)
    there = decode_in_child(data, LIMITS, DEADLINE_S)
    assert there.png == normalise(here)
    assert there.facts == here.facts
    assert there.warnings == here.warnings


@pytest.mark.parametrize("name", ["bomb", "gif", "png_cut_in_half"])
def test_refusals_come_through_with_class_and_fields(name: str) -> None:
    make, code = hostile.REFUSED[name]
    with pytest.raises(BadDesign) as caught:
        decode_in_child(make(), LIMITS, DEADLINE_S)
    assert caught.value.code == code
    assert "?" not in caught.value.message


def test_a_file_over_the_limit_starts_no_child() -> None:
    before = child_pids()
    with pytest.raises(BadDesign) as caught:
        decode_in_child(bytes(200), DecodeLimits(max_bytes=100), DEADLINE_S)
    assert caught.value.code == "design_too_large"
    assert child_pids() == before


def test_the_deadline_holds_and_leaves_no_process() -> None:
    before = child_pids()
    started = time.monotonic()
    with pytest.raises(BadDesign) as caught:
        decode_in_child(slow_design(), LIMITS, 0.4)
    assert caught.value.code == "design_decode_failed"
    assert time.monotonic() - started < 5
    assert child_pids() == before


def test_memory_has_a_limit_of_its_own() -> None:
    with pytest.raises(BadDesign) as caught:
        decode_in_child(slow_design(), LIMITS, DEADLINE_S, memory_bytes=500_000_000)
    assert caught.value.code == "design_decode_failed"


def test_a_child_that_is_killed_is_a_clear_error_at_once() -> None:
    before = child_pids()
    thread, errors = run_in_thread(slow_design(), DEADLINE_S)
    os.kill(wait_for_child(before), signal.SIGKILL)
    thread.join(10)
    assert not thread.is_alive()
    assert [error.code for error in errors] == ["design_decode_failed"]


def test_the_child_sees_no_secrets_and_lowers_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARM_SECRET_FOR_TEST", "hunter2")
    before = child_pids()
    thread, _ = run_in_thread(slow_design(), DEADLINE_S)
    pid = wait_for_child(before)
    environment, limits = b"", ""
    end = time.monotonic() + 20
    while time.monotonic() < end and thread.is_alive():
        environment = Path(f"/proc/{pid}/environ").read_bytes() or environment
        limits = Path(f"/proc/{pid}/limits").read_text()
        if b"OPENBLAS" in environment and "Max open files            32 " in limits:
            break
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    thread.join(10)
    assert b"OPENBLAS" in environment
    assert b"hunter2" not in environment
    rows = {line[:26].strip(): line[26:].split()[:2] for line in limits.splitlines()}
    assert rows["Max open files"] == ["32", "32"]
    assert rows["Max file size"] == ["0", "0"]
    assert rows["Max core file size"] == ["0", "0"]
    assert rows["Max address space"][0] == str(3 * 1024**3)
