"""Decode many designs in one child process: the limits of `farm.picture.decode_child`, without its start each time.

The child serves one run of one tenant, is replaced after so many designs and after every failure, and still has no
files, no environment and no network of its own to give away. What one design could do to it reaches the next few
designs of the same sender, and nobody else.
"""

import contextlib
import json
import math
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from farm.errors import BadDesign, DesignDecodeFailed, DesignTooLarge, every_error
from farm.picture.decode import DecodeLimits, decode
from farm.picture.decode_child import ENVIRONMENT, MEMORY_BYTES, lower_limits
from farm.picture.notice import Notice

DESIGNS_PER_CHILD = 200
_BOOTSTRAP = "import sys; sys.path.insert(0, sys.argv[1]); from farm.picture.decode_server import serve; serve()"
_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])
_HEAD_BYTES = 65_536
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixels:
    """A decoded design: ``pixels (H, W, 4) uint8``, sRGB, straight alpha, row 0 at the top."""

    pixels: NDArray[np.uint8]
    warnings: tuple[Notice, ...]


class DecodeServer:
    """One child at a time; of one thread."""

    def __init__(self, limits: DecodeLimits, deadline_s: float) -> None:
        self._limits = limits
        self._deadline_s = deadline_s
        self._child: subprocess.Popen[bytes] | None = None
        self._served = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def decode(self, data: bytes) -> Pixels:
        """Decode one design.

        Raises:
            BadDesign: one of its subclasses; `DesignDecodeFailed` when the child needed more time or memory than it
                may have, or died.
        """
        if len(data) > self._limits.max_bytes:
            raise DesignTooLarge(size_bytes=len(data), limit_bytes=self._limits.max_bytes)
        if self._child is None or self._served >= DESIGNS_PER_CHILD:
            self.close()
            self._start()
        self._served += 1
        until_s = time.monotonic() + self._deadline_s
        try:
            self._send(len(data).to_bytes(8), until_s)
            self._send(data, until_s)
            size = int.from_bytes(self._receive(4, until_s))
            if size > _HEAD_BYTES:
                raise DesignDecodeFailed(reason="the decoder's answer cannot be read")
            reply: dict[str, Any] = json.loads(self._receive(size, until_s))
            if "error" in reply:
                kinds = {kind.__name__: kind for kind in every_error(BadDesign)}
                raise kinds.get(reply["error"], DesignDecodeFailed)(**reply["fields"])
            height, width = int(reply["height_px"]), int(reply["width_px"])
            if height * width > self._limits.max_pixels:
                raise DesignDecodeFailed(reason="the decoder's answer is larger than any design")
            pixels = np.frombuffer(self._receive(height * width * 4, until_s), np.uint8).reshape(height, width, 4)
        except DesignDecodeFailed:
            self.close()
            raise
        except ValueError as error:
            self.close()
            raise DesignDecodeFailed(reason="the decoder's answer cannot be read") from error
        return Pixels(pixels=pixels, warnings=tuple(Notice(**notice) for notice in reply["warnings"]))

    def close(self) -> None:
        """End the child, whatever it is doing."""
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _start(self) -> None:
        self._served = 0
        child = subprocess.Popen(
            [sys.executable, "-I", "-c", _BOOTSTRAP, _PACKAGE_ROOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=ENVIRONMENT,
            cwd="/",
            start_new_session=True,
            bufsize=0,
        )
        self._child = child
        cpu_s = math.ceil(self._deadline_s) * DESIGNS_PER_CHILD
        order = {"limits": asdict(self._limits), "memory_bytes": MEMORY_BYTES, "cpu_s": cpu_s}
        text = json.dumps(order).encode() + b"\n"
        until_s = time.monotonic() + self._deadline_s
        self._send(text, until_s)

    def _send(self, data: bytes, until_s: float) -> None:
        pipe = self._pipe(lambda child: child.stdin)
        os.set_blocking(pipe, False)
        view = memoryview(data)
        while view:
            self._wait([], [pipe], until_s)
            try:
                view = view[os.write(pipe, view[:_PIECE_BYTES]) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise DesignDecodeFailed(reason="the decoder crashed") from error

    def _receive(self, size: int, until_s: float) -> bytearray:
        pipe = self._pipe(lambda child: child.stdout)
        data = bytearray(size)
        view, at = memoryview(data), 0
        while at < size:
            self._wait([pipe], [], until_s)
            got = os.readv(pipe, [view[at : at + _PIECE_BYTES]])
            if not got:
                raise DesignDecodeFailed(reason="the decoder crashed, or took more memory than a design may take")
            at += got
        return data

    def _wait(self, readable: list[int], writable: list[int], until_s: float) -> None:
        left_s = until_s - time.monotonic()
        if left_s <= 0 or not any(select.select(readable, writable, [], left_s)):
            raise DesignDecodeFailed(reason=f"it was not done within {self._deadline_s:g} s")

    def _pipe(self, which: Callable[["subprocess.Popen[bytes]"], Any]) -> int:
        assert self._child is not None, "it was started"
        return int(which(self._child).fileno())


def serve() -> None:
    """The child: limits first, then design after design until nobody asks any more."""
    order = json.loads(sys.stdin.buffer.readline(4096))
    lower_limits(order["memory_bytes"], order["cpu_s"])
    limits = DecodeLimits(**order["limits"])
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(8):
        body: Any = b""
        try:
            design = decode(source.read(int.from_bytes(head)), limits=limits)
            body = np.ascontiguousarray(design.pixels).data
            height, width = design.pixels.shape[:2]
            notices = [asdict(notice) for notice in design.warnings]
            reply: dict[str, Any] = {"height_px": height, "width_px": width, "warnings": notices}
        except BadDesign as error:
            reply = {"error": type(error).__name__, "fields": dict(error.fields)}
        except MemoryError:
            reply = {"error": "DesignDecodeFailed", "fields": {"reason": "it needs more memory than a design may take"}}
        text = json.dumps(reply).encode()
        sink.write(len(text).to_bytes(4))
        sink.write(text)
        sink.write(body)
        sink.flush()
    os._exit(0)
