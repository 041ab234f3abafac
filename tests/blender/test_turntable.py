"""A film that plays: H.264 in MP4, as many frames as were given."""

from pathlib import Path

import pytest
from PIL import Image

from blender.protocol import ProtocolError, ViewOrder
from blender.session import Session
from blender.turntable import encode


def _frames(folder: Path, count: int, size: tuple[int, int] = (64, 48)) -> list[Path]:
    frames = [folder / f"frame-{number:03}.png" for number in range(count)]
    for number, frame in enumerate(frames):
        Image.new("RGB", size, (40 * number, 255 - 40 * number, 90)).save(frame)
    return frames


def test_frames_become_a_film(tmp_path: Path) -> None:
    import bpy

    out = tmp_path / "film.mp4"
    encode(_frames(tmp_path, 5), out, fps=12)
    data = out.read_bytes()
    assert data[4:8] == b"ftyp"
    assert b"avc1" in data
    assert b"mp4a" not in data
    clip = bpy.data.movieclips.load(str(out))
    try:
        assert tuple(clip.size) == (64, 48)
        assert clip.frame_duration == 5
        assert clip.fps == pytest.approx(12.0)
    finally:
        bpy.data.movieclips.remove(clip)


def test_a_warm_session_survives_a_film(tmp_path: Path) -> None:
    template = Path(__file__).parents[2] / "templates" / "crew-tee"
    pictures = []
    with Session(template, device="cpu") as session:
        for name in ("before.png", "after.png"):
            order = ViewOrder(
                template=str(template), view="front_45deg_left", out=str(tmp_path / name), width_px=64, height_px=64,
                samples=1, device="cpu",
            )  # fmt: skip
            session.render(order)
            encode(_frames(tmp_path, 2), tmp_path / "film.mp4", fps=2)
            pictures.append(Path(order.out).read_bytes())
    assert pictures[0] == pictures[1]


def test_what_makes_no_film_is_refused(tmp_path: Path) -> None:
    mixed = [*_frames(tmp_path, 1), tmp_path / "other.png"]
    Image.new("RGB", (32, 32)).save(mixed[1])
    (tmp_path / "odd").mkdir()
    for frames, fps, message in (
        ([], 24, "at least one frame"),
        (mixed, 24, "different sizes"),
        (_frames(tmp_path / "odd", 2, (63, 48)), 24, "even sides"),
        (_frames(tmp_path, 2), 0, "fps"),
        ([tmp_path / "frame-000.png", tmp_path / "odd" / "frame-000.png"], 24, "one folder"),
        ([tmp_path / "none.png"], 24, "cannot be read"),
    ):
        with pytest.raises(ProtocolError, match=message):
            encode(frames, tmp_path / "film.mp4", fps=fps)
    assert not (tmp_path / "film.mp4").exists()
