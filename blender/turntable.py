"""The film: finished frames into an H.264 file that plays everywhere. Imports bpy inside functions."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from blender.faststart import faststart
from blender.protocol import ProtocolError
from blender.session import RenderError


def encode(frames: Sequence[Path], out: Path, *, fps: int) -> None:
    """Encode frames, in order, as H.264 in MP4, yuv420p, BT.709, its index in front, without sound.

    Works in a scene of its own, so that a warm session beside it stays as it is.

    Args:
        frames: Pictures of one size, without transparency (transparent ones end on black); even width and height.
        out: The film to write.
        fps: Frames per second, 1 to 120.

    Raises:
        ProtocolError: There are no frames, they differ in size or folder, or a side is odd.
        RenderError: Blender wrote no film.
    """
    if not frames:
        raise ProtocolError("a film needs at least one frame")
    if not 1 <= fps <= 120:
        raise ProtocolError(f"fps {fps} is outside 1..120")
    if len({frame.resolve().parent for frame in frames}) != 1:
        raise ProtocolError("all frames of a film must lie in one folder")
    sizes = set()
    for frame in frames:
        try:
            with Image.open(frame) as picture:
                sizes.add(picture.size)
        except OSError as exc:
            raise ProtocolError(f"frame {frame} cannot be read: {exc}") from exc
    if len(sizes) != 1:
        raise ProtocolError(f"the frames have {len(sizes)} different sizes")
    width, height = sizes.pop()
    if width % 2 or height % 2:
        raise ProtocolError(f"a film needs even sides, not {width}x{height}")
    with tempfile.TemporaryDirectory(prefix="film-") as folder:
        raw = Path(folder) / "film.mp4"
        _encode(frames, raw, width, height, fps)
        if not raw.is_file():
            raise RenderError("Blender wrote no film")
        try:
            out.write_bytes(faststart(raw.read_bytes()))
        except ValueError as exc:
            raise RenderError(f"Blender wrote no whole film: {exc}") from exc


def _encode(frames: Sequence[Path], raw: Path, width: int, height: int, fps: int) -> None:
    import bpy

    scene = bpy.data.scenes.new("film")
    try:
        _assemble(scene, frames, raw, width, height, fps)
        bpy.ops.render.render(animation=True, scene=scene.name)
    except RuntimeError as exc:
        raise RenderError(f"Blender could not encode the film: {' '.join(str(exc).split())}") from exc
    finally:
        bpy.data.scenes.remove(scene)


def _assemble(scene: Any, frames: Sequence[Path], raw: Path, width: int, height: int, fps: int) -> None:
    """Line the frames up in a scene's sequencer and set the format."""
    editor = scene.sequence_editor_create()
    strip = editor.strips.new_image(name="frames", filepath=str(frames[0].resolve()), channel=1, frame_start=1)
    strip.directory = str(frames[0].resolve().parent)
    for frame in frames[1:]:
        strip.elements.append(frame.name)
    strip.duration = len(frames)
    scene.frame_start, scene.frame_end = 1, len(frames)
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.fps, render.fps_base = fps, 1.0
    render.use_sequencer, render.use_file_extension = True, False
    render.dither_intensity = 0.0
    scene.view_settings.view_transform = "Standard"
    settings = render.image_settings
    settings.media_type = "VIDEO"
    settings.file_format = "FFMPEG"
    render.ffmpeg.format = "MPEG4"
    render.ffmpeg.codec = "H264"
    render.ffmpeg.audio_codec = "NONE"
    render.ffmpeg.constant_rate_factor = "HIGH"
    render.ffmpeg.ffmpeg_preset = "GOOD"
    render.ffmpeg.gopsize = max(1, fps // 2)
    render.filepath = str(raw)
