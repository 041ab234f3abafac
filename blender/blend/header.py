"""What a file says of itself in its first bytes, before Blender is let near it."""

import re
from pathlib import Path

ZSTANDARD, GZIP = b"\x28\xb5\x2f\xfd", b"\x1f\x8b"
_HEADER = re.compile(rb"BLENDER(?:[-_][vV](\d{3})|\d\d-\d\d[vV](\d{4}))")


def refusals(path: Path, *, most_bytes: int, newest: tuple[int, int]) -> list[str]:
    """Say why a file cannot be opened at all; a compressed one tells its version only to Blender.

    Args:
        path: The file.
        most_bytes: The largest that is accepted.
        newest: Blender's own version.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(32)
    except OSError as exc:
        return [f"it cannot be read: {(exc.strerror or str(exc)).lower()}"]
    if size > most_bytes:
        return [f"it has {size:,} bytes, more than the {most_bytes:,} allowed"]
    found = _HEADER.match(head)
    if found is None:
        return [] if head.startswith((ZSTANDARD, GZIP)) else ["it is no .blend file"]
    digits = int(found[1] or found[2])
    return too_new((digits // 100, digits % 100), newest=newest)


def too_new(version: tuple[int, int], *, newest: tuple[int, int]) -> list[str]:
    """Say why a file of that version cannot be read faithfully."""
    if version <= newest:
        return []
    return [
        f"it was saved by Blender {version[0]}.{version[1]}, and the farm renders with {newest[0]}.{newest[1]}: "
        "save it from that version"
    ]
