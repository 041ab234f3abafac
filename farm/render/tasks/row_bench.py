"""The bench for rows: what a worker process lays out before it does some rows of a batch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from blender.protocol import ViewOrder
from farm.domain.template import Template
from farm.picture.decode_server import Pixels
from farm.picture.texture import PanelTexture
from farm.render.catalog.ports import DesignSource
from farm.render.ports import ObjectStore
from farm.render.results import ResultCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A picture: its file, who made it on which device."""

    data: bytes
    renderer: str
    device: str = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowBench:
    """What a worker process lays out for rows.

    Attributes:
        decode: in a child process with limits.
        find: the template of that id and hash on this node.
        relight: makes the pictures of orders, one after the other, of that template, with these textures; the orders
            differ in their fabric alone. An error in the middle is that of the picture it comes for.
        fingerprints: of a row's views, see `farm.render.making`.
        check_lease: raises when the attempt was overtaken; asked before each picture is stored.
        dpi_floor: prints under it are refused.
    """

    store: ObjectStore
    designs: DesignSource
    decode: Callable[[bytes], Pixels]
    find: Callable[[Mapping[str, str]], Template]
    relight: Callable[[Sequence[ViewOrder], Template, Sequence[PanelTexture]], Iterator[Taken]]
    results: ResultCache
    fingerprints: Callable[[Mapping[str, Any]], Mapping[str, tuple[str, ...]]]
    check_lease: Callable[[], None]
    threads: int
    dpi_floor: float = 0.0
