"""A manifest's text as characters, however it was saved: UTF-8, UTF-16 or Windows text; packed or not."""

import codecs
import gzip
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

LINE_CHARS = 1 << 20
"""No line of text is longer, and no cell."""
_BLOCK_BYTES = 1 << 20
_BOMS = (  # the longer ones first: one begins with another
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BEYOND_ASCII = re.compile(r"[\x80-\ud7ff\ue000-\U0010ffff]")
_LOST = re.compile(r"[\ud800-\udfff\ufffd]")


@dataclass(frozen=True, slots=True)
class Text:
    """A file's text.

    Attributes:
        most_bytes: of a packed file, when it is unpacked.
        encoding: as Python calls it.
    """

    path: Path
    packed: bool
    most_bytes: int
    encoding: str

    @classmethod
    def of(cls, path: Path, *, packed: bool, most_bytes: int) -> "Text":
        """The text of a file, its encoding told by its mark or by its bytes.

        Raises:
            OSError, EOFError, zlib.error: when it cannot be read, or is no gzip after all.
        """
        with opened(path, packed=packed, most_bytes=most_bytes) as file:
            return cls(path, packed, most_bytes, _encoding(file))

    @property
    def note(self) -> str | None:
        """What a person should know of how it is read."""
        match self.encoding:
            case "utf-8" | "utf-8-sig":
                return None
            case "cp1252":
                return "It is not UTF-8 and is read as Windows text (cp1252)."
            case name:
                return f"It is read as {name.upper()}."

    def open(self) -> io.TextIOWrapper:
        """The text from its beginning; newlines as they are, bytes that are none of the encoding's as surrogates."""
        errors = "replace" if self.encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
        raw = opened(self.path, packed=self.packed, most_bytes=self.most_bytes)
        return io.TextIOWrapper(raw, encoding=self.encoding, errors=errors, newline="")

    def lines(self) -> Iterator[str]:
        """Its lines with their ends; one that is longer than `LINE_CHARS` comes cut off, and its rest is skipped."""
        with self.open() as text:
            while line := text.readline(LINE_CHARS + 1):
                rest = line
                while len(rest) > LINE_CHARS and not rest.endswith(("\n", "\r")):
                    rest = text.readline(LINE_CHARS + 1)
                yield line


def opened(path: Path, *, packed: bool, most_bytes: int) -> BinaryIO:
    """The file's bytes, unpacked."""
    return cast("BinaryIO", _Unpacking(path, most_bytes)) if packed else path.open("rb")


class _Unpacking(gzip.GzipFile):
    """A few megabytes may hold a thousand times as many."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        super().__init__(path, "rb")
        self._most_bytes = most_bytes

    def read(self, size: int | None = -1) -> bytes:
        return self._counted(super().read(size))

    def read1(self, size: int = -1) -> bytes:
        return self._counted(super().read1(size))

    def _counted(self, data: bytes) -> bytes:
        if self.tell() > self._most_bytes:
            raise OSError(f"unpacked it has more than {self._most_bytes} bytes")
        return data


def is_lost(text: str) -> bool:
    """Whether characters of it could not be read."""
    return _LOST.search(text) is not None


def _encoding(file: BinaryIO) -> str:
    block = file.read(_BLOCK_BYTES)
    for mark, name in _BOMS:
        if block.startswith(mark):
            return name
    if (wide := _wide(block[:4096])) is not None:
        return wide
    decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
    broken = False
    while block:
        # Every byte of the file counts: Windows text may be plain ASCII for its first thousand rows.
        if decoder.getstate()[0] or not block.isascii():
            text = decoder.decode(block)
            if _BEYOND_ASCII.search(text):
                return "utf-8"  # where some is UTF-8, all is, and the rest is damage
            broken = broken or is_lost(text)
        block = file.read(_BLOCK_BYTES)
    return "cp1252" if broken or decoder.getstate()[0] else "utf-8"


def _wide(sample: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of a header is zero."""
    low, high = sample[0::2], sample[1::2]
    if len(sample) >= 8:
        if high.count(0) > 0.7 * len(high) and low.count(0) < 0.3 * len(low):
            return "utf-16-le"
        if low.count(0) > 0.7 * len(low) and high.count(0) < 0.3 * len(high):
            return "utf-16-be"
    return None
