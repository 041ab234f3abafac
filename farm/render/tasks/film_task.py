"""Encoding as a task: the turntable's frames in, one MP4 out."""

from collections.abc import Callable, Sequence
from pathlib import Path

from farm.domain import keys
from farm.domain.artifact import Artifact, Kind
from farm.errors import DiskFull, RenderError
from farm.render.ports import FilmTask, ObjectStore
from farm.render.tasks.heartbeat import Progress
from farm.render.tasks.task_log import TaskLog

FILM = "film"
"""What the encoding is called among a job's running attempts."""
Encode = Callable[[Sequence[Path], Path, int], None]
"""Encodes pictures of one size into a file, with so many frames per second."""


def encode_film(
    task: FilmTask, *, store: ObjectStore, encode: Encode, folder: Path, progress: Progress, log: TaskLog
) -> Artifact:
    """Fetch the frames, encode and store the film.

    Args:
        folder: the attempt's own, empty.

    Raises:
        RenderError: when Blender delivers no film.
        ObjectMissing, ObjectAltered, StorageUnavailable, StorageForbidden, DiskFull: as the store met them.
    """
    frames = [Artifact.from_dict(frame) for frame in task.frames]
    paths = []
    for number, frame in enumerate(frames):
        progress.enter("fetching frames", 0.5 * number / len(frames))
        path = folder / f"{number:04d}{Path(frame.name).suffix}"
        data = store.get(frame.key, sha256=frame.sha256)
        try:
            path.write_bytes(data)
        except OSError as error:
            raise DiskFull(view=FILM, reason=str(error), what="the film's frames") from error
        paths.append(path)
    progress.enter("encoding", 0.5)
    out = folder / "animation.mp4"
    encode(paths, out, task.fps)
    if not out.is_file() or not out.stat().st_size:
        raise RenderError(view=FILM, reason="Blender delivered no film")
    progress.enter("storing", 0.95)
    film = out.read_bytes()
    key = f"{keys.work(task.tenant, task.job_id, task.token)}{out.name}"
    sha256 = store.put(key, film, content_type="video/mp4")
    log.say(f"{len(frames)} frames at {task.fps} per second: {len(film)} bytes")
    return Artifact(
        kind=Kind.FILM,
        name=out.name,
        key=key,
        sha256=sha256,
        size_bytes=len(film),
        content_type="video/mp4",
        width_px=frames[0].width_px,
        height_px=frames[0].height_px,
    )
