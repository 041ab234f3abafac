from pathlib import Path

import pytest

from blender.blend.header import refusals

HERE = (5, 2)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"BLENDER-v293", ""),
        (b"BLENDER_v402", ""),
        (b"BLENDER17-01v0502", ""),
        (b"BLENDER17-01v0503", "saved by Blender 5.3"),
        (b"BLENDER-v999", "saved by Blender 9.99"),
        (b"\x28\xb5\x2f\xfd....", ""),
        (b"\x1f\x8b\x08....", ""),
        (b"\x89PNG\r\n", "no .blend file"),
        (b"", "no .blend file"),
        (b"BLENDER", "no .blend file"),
        (b"#!/bin/sh", "no .blend file"),
    ],
)
def test_the_first_bytes_tell_what_can_be_opened(tmp_path: Path, head: bytes, reason: str) -> None:
    path = tmp_path / "shirt.blend"
    path.write_bytes(head + bytes(40))
    found = refusals(path, most_bytes=1000, newest=HERE)
    assert len(found) == bool(reason)
    assert reason in "".join(found)


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "shirt.blend"
    path.write_bytes(b"BLENDER-v402" + bytes(2000))
    assert refusals(path, most_bytes=2011, newest=HERE) == ["it has 2,012 bytes, more than the 2,011 allowed"]
    assert refusals(path, most_bytes=2012, newest=HERE) == []


def test_a_file_that_is_not_there_is_a_reason(tmp_path: Path) -> None:
    assert "no such file" in refusals(tmp_path / "none.blend", most_bytes=1, newest=HERE)[0]
