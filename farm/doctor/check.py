"""What one look of the doctor found."""

from dataclasses import dataclass

GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What one look found.

    Attributes:
        ok: whether all is well.
        detail: what was found, for a person.
        hint: what to do; empty where all is well.
        fatal: whether the farm cannot work so; else it is a warning.
    """

    name: str
    ok: bool
    detail: str
    hint: str = ""
    fatal: bool = True


def gib(size_bytes: int) -> str:
    """A size for a person."""
    return f"{size_bytes / GIB:.1f} GiB"
