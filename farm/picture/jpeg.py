"""A JPEG's segments, read by ourselves: only those the decoder needs go on to it."""

from dataclasses import dataclass

from farm.errors import DesignTruncated

SIGNATURE = b"\xff\xd8\xff"
_EXIF = b"Exif\0\0"
_ORIENTATION_TAG = 0x0112
_SHORT = 3
_APP0, _APP1, _APP2, _APP14, _APP15, _COMMENT, _SCAN = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE, 0xDA


@dataclass(frozen=True, slots=True, kw_only=True)
class JpegFile:
    """A JPEG without its metadata.

    Attributes:
        data: the same picture; of the application segments only JFIF, colour profile and Adobe's are left.
        exif: the TIFF structure of the EXIF segment, or nothing.
    """

    data: bytes
    exif: bytes


def parse_jpeg(data: bytes) -> JpegFile:
    """Walk the segments up to the first scan; everything from there on is kept as it is.

    Raises:
        DesignTruncated: the file ends, or loses its thread, before the first scan.
    """
    kept = [data[:2]]
    exif = b""
    at = 2
    while True:
        while data[at : at + 2] == b"\xff\xff":
            at += 1
        if at + 4 > len(data) or data[at] != 0xFF:
            raise DesignTruncated(reason="the JPEG's header is cut off or damaged")
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        end = at + 2 + size
        if size < 2 or end > len(data):
            raise DesignTruncated(reason="the JPEG's header is cut off or damaged")
        if marker == _SCAN:
            return JpegFile(data=b"".join([*kept, data[at:]]), exif=exif)
        body = data[at + 4 : end]
        if marker == _APP1 and body.startswith(_EXIF) and not exif:
            exif = body[len(_EXIF) :]
        if marker in (_APP0, _APP2, _APP14) or not (_APP0 <= marker <= _APP15 or marker == _COMMENT):
            kept.append(data[at:end])
        at = end


def orientation(exif: bytes) -> int | None:
    """EXIF's orientation, 1 (upright) to 8; 1 where it says nothing sensible, ``None`` where it cannot be read."""
    order = {b"II*\0": "little", b"MM\0*": "big"}.get(exif[:4])
    if order not in ("little", "big"):
        return None

    def number(at: int, size: int) -> int:
        if at + size > len(exif):
            raise EOFError
        return int.from_bytes(exif[at : at + size], "little" if order == "little" else "big")

    try:
        first = number(4, 4)
        for entry in range(number(first, 2)):
            at = first + 2 + 12 * entry
            if number(at, 2) == _ORIENTATION_TAG and number(at + 2, 2) == _SHORT:
                turn = number(at + 8, 2)
                return turn if 1 <= turn <= 8 else 1
    except EOFError:
        return None
    return 1
