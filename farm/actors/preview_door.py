"""The host's door for previews: a socket of the home, where a request and its designs go in and pictures come out.

A command that previews by itself loads libraries and the bake first; the host has them open.

A message is a line of JSON, in which ``sizes`` says how many bytes follow for each file, and then those files.
"""

import asyncio
import contextlib
import json
import logging
import os
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from farm.adapters.private_folder import private_folder
from farm.errors import FarmError, InvalidRequest, describe
from farm.render.ports import ObjectStore
from farm.settings import Settings

if TYPE_CHECKING:
    from farm.render.preview import Preview, Previewer

log = logging.getLogger(__name__)

LINE_BYTES = 1_000_000
MOST_FILES = 8


@asynccontextmanager
async def preview_door(settings: Settings, store: ObjectStore, socket: Path) -> AsyncIterator[None]:
    """Serve previews at ``socket`` for the time of the block; the folder it lies in is the owner's alone."""
    kitchen = _Kitchen(settings, store)
    await asyncio.to_thread(_clear, socket)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                try:
                    request, designs = await _read(reader, settings)
                    pictures = await asyncio.to_thread(kitchen.preview, request, designs)
                    _write(writer, {"views": [picture.view for picture in pictures]}, [one.data for one in pictures])
                except FarmError as error:
                    _write(writer, {"error": describe(error)}, [])
                await writer.drain()
        except Exception:
            log.exception("a preview failed")
        finally:
            writer.close()

    server = await asyncio.start_unix_server(answer, socket, limit=LINE_BYTES)
    try:
        yield
    finally:
        server.close()
        await asyncio.to_thread(_clear, socket)


def _clear(socket: Path) -> None:
    """Remove what a dead host left at the socket's place, in a folder that is this user's alone."""
    private_folder(socket.parent)
    socket.unlink(missing_ok=True)


class _Kitchen:
    """Opened by the first preview: a host that is asked for none loads nothing for it."""

    def __init__(self, settings: Settings, store: ObjectStore) -> None:
        self._settings = settings
        self._store = store
        self._lock = threading.Lock()
        self._previewer: Previewer | None = None

    def preview(self, request: Any, designs: Sequence[bytes]) -> "list[Preview]":
        from farm.adapters.bake_shelf import BakeShelf
        from farm.render.picture_maker import PictureMaker
        from farm.render.preview import Previewer, requested

        with self._lock:
            if self._previewer is None:
                cores = len(os.sched_getaffinity(0))
                shelf = BakeShelf.of(self._settings)
                maker = PictureMaker(self._settings, store=self._store, shelf=shelf, threads=cores)
                self._previewer = Previewer(self._settings, store=self._store, maker=maker)
        return self._previewer.preview(requested(self._settings, self._store, request, designs))


async def _read(reader: asyncio.StreamReader, settings: Settings) -> tuple[Any, list[bytes]]:
    try:
        message = json.loads(await reader.readline())
        request, sizes = message["request"], [int(size) for size in message["sizes"]]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidRequest(reason=f"no message of a preview: {error}") from error
    if len(sizes) > MOST_FILES or any(not 0 <= size <= settings.design_max_bytes + 1 for size in sizes):
        raise InvalidRequest(reason="more designs, or larger ones, than a request may have")
    return request, [await reader.readexactly(size) for size in sizes]


def _write(writer: asyncio.StreamWriter, message: dict[str, Any], files: Sequence[bytes]) -> None:
    writer.write(json.dumps({**message, "sizes": [len(one) for one in files]}).encode() + b"\n")
    for one in files:
        writer.write(one)
