"""The GLB container: one JSON document and one binary chunk in one file (glTF 2.0, section 4.4)."""

import json
import struct
from dataclasses import dataclass, field
from typing import Any, Self

from blender.protocol import ProtocolError

CONTENT_TYPE = "model/gltf-binary"
_MAGIC, _VERSION = b"glTF", 2
_JSON, _BIN = b"JSON", b"BIN\0"


@dataclass(slots=True, kw_only=True)
class Glb:
    """A glTF document with its binary chunk.

    Attributes:
        document: The glTF JSON, without ``buffers``: there is one, and packing names it.
        binary: What the buffer views point into; every view starts at a multiple of four.
    """

    document: dict[str, Any] = field(default_factory=dict)
    binary: bytearray = field(default_factory=bytearray)

    def add(self, kind: str, value: dict[str, Any]) -> int:
        """Append to a top-level array such as ``meshes``; returns the index."""
        values: list[dict[str, Any]] = self.document.setdefault(kind, [])
        values.append(value)
        return len(values) - 1

    def add_view(self, data: bytes) -> int:
        """Append bytes as a buffer view; returns its index."""
        self.binary.extend(bytes(-len(self.binary) % 4))
        offset = len(self.binary)
        self.binary.extend(data)
        return self.add("bufferViews", {"buffer": 0, "byteOffset": offset, "byteLength": len(data)})

    def view(self, index: int) -> bytes:
        """The bytes of a buffer view.

        Raises:
            ProtocolError: There is no such view, or it ends outside the buffer.
        """
        try:
            view = self.document["bufferViews"][index]
            first, length = int(view.get("byteOffset", 0)), int(view["byteLength"])
        except (KeyError, IndexError, TypeError, ValueError) as exc:
            raise ProtocolError(f"buffer view {index} is missing or malformed") from exc
        if first < 0 or length < 0 or first + length > len(self.binary):
            raise ProtocolError(f"buffer view {index} ends outside the buffer")
        return bytes(self.binary[first : first + length])

    def pack(self) -> bytes:
        """The file."""
        binary = bytes(self.binary) + bytes(-len(self.binary) % 4)
        document = {**self.document, "buffers": [{"byteLength": len(binary)}]}
        text = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
        text += b" " * (-len(text) % 4)
        chunks = b"".join(
            struct.pack("<I4s", len(chunk), kind) + chunk for kind, chunk in ((_JSON, text), (_BIN, binary))
        )
        return struct.pack("<4sII", _MAGIC, _VERSION, 12 + len(chunks)) + chunks

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a file.

        Raises:
            ProtocolError: It is no GLB, or it ends early.
        """
        try:
            magic, version, length = struct.unpack_from("<4sII", data)
            if magic != _MAGIC or version != _VERSION or length != len(data):
                raise ProtocolError(f"not a whole GLB of version {_VERSION}")
            text_length, kind = struct.unpack_from("<I4s", data, 12)
            if kind != _JSON:
                raise ProtocolError("the first chunk is not JSON")
            document = json.loads(data[20 : 20 + text_length])
            binary_length, kind = struct.unpack_from("<I4s", data, 20 + text_length)
        except (struct.error, ValueError) as exc:
            if isinstance(exc, ProtocolError):
                raise
            raise ProtocolError(f"not a GLB: {exc}") from exc
        start = 28 + text_length
        if kind != _BIN or start + binary_length > len(data) or not isinstance(document, dict):
            raise ProtocolError("the binary chunk is missing or ends early")
        return cls(document=document, binary=bytearray(data[start : start + binary_length]))
