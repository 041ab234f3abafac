"""The host's door for previews, through a real socket."""

import asyncio
import io
import json
import stat
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from farm.actors.preview_door import preview_door
from farm.adapters.memory_store import MemoryStore
from farm.domain import keys
from farm.domain.template import Template
from farm.render import bakes
from farm.render.bakes import Bake, BakedPart
from farm.settings import Settings
from tests.unit.picture.baked import flat_bake
from tests.workshop import png


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Path]:
    settings = Settings(home=tmp_path)
    template = Template.load(settings.templates_folder / "crew-tee")
    store = MemoryStore()
    key = f"{keys.bakes(template.id, template.hash, 64)}front_0deg.light"
    part = BakedPart(
        name="front_0deg", key=key, sha256=store.put(key, flat_bake(64), content_type=""), size_bytes=1, samples=1,
        renderer="", seconds=0.0,
    )  # fmt: skip
    bake = Bake(template=template.id, template_hash=template.hash, size_px=64, parts={part.name: part})
    store.put(bakes.index_key(template.id, template.hash, 64), bake.to_json(), content_type="")
    with tempfile.TemporaryDirectory(prefix="door-") as short:
        socket = Path(short) / "private" / "preview.sock"
        async with preview_door(settings, store, socket):
            yield socket
        assert not socket.exists()


async def ask(door: Path, request: Any, *designs: bytes) -> tuple[dict[str, Any], list[bytes]]:
    line = json.dumps({"request": request, "sizes": [len(one) for one in designs]}).encode() + b"\n"
    return await send(door, line, designs)


async def send(door: Path, line: bytes, designs: Sequence[bytes] = ()) -> tuple[dict[str, Any], list[bytes]]:
    reader, writer = await asyncio.open_unix_connection(door)
    writer.write(line + b"".join(designs))
    await writer.drain()
    async with asyncio.timeout(60):
        told = json.loads(await reader.readline())
        files = [await reader.readexactly(size) for size in told["sizes"]]
    writer.close()
    return told, files


async def test_a_picture_comes_out(door: Path) -> None:
    told, [data] = await ask(door, {"format": "jpeg"}, png((10, 200, 30, 255), 32))
    assert told["views"] == ["front_0deg"]
    with Image.open(io.BytesIO(data)) as picture:
        assert (picture.format, picture.size) == ("JPEG", (64, 64))


async def test_many_may_ask_at_once(door: Path) -> None:
    answers = await asyncio.gather(
        *(ask(door, {"size": 64}, png((0, 0, shade, 255), 16)) for shade in range(0, 250, 50))
    )
    assert len({files[0] for _, files in answers}) == 5


@pytest.mark.parametrize(
    ("request_fields", "code"),
    [({"size": 128}, "bake_missing"), ({"preset": "nowhere"}, "invalid_request"), ({"colour": 1}, "invalid_request")],
)
async def test_an_error_comes_out_with_its_code(door: Path, request_fields: dict[str, Any], code: str) -> None:
    told, files = await ask(door, request_fields, png((0, 0, 0, 255)))
    assert (told["error"]["code"], files) == (code, [])


@pytest.mark.parametrize(
    "line", [b"no json\n", b"{}\n", b'{"request": {}, "sizes": [99999999999]}\n', b'{"request": {}, "sizes": "x"}\n']
)
async def test_what_is_no_message_is_refused(door: Path, line: bytes) -> None:
    told, _ = await send(door, line)
    assert told["error"]["code"] == "invalid_request"


async def test_nobody_else_may_enter(door: Path) -> None:
    assert stat.S_IMODE(door.parent.stat().st_mode) == 0o700
