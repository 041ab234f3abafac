"""What slices and batches work with, handed to each of them."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from farm.domain.request import parse_request
from farm.domain.template import find as find_template
from farm.render.catalog.lessons import PaceBook
from farm.render.catalog.look import look_of, shared_by
from farm.render.catalog.pace import Pace
from farm.render.catalog.pieces import Pieces
from farm.render.catalog.ports import DesignBook, DesignSource, RowRecords, RowWorkers
from farm.render.catalog.row import Row
from farm.render.prepare import normalise
from farm.render.service import FarmService
from farm.render.steps.parts import Parts
from farm.saga.store import Store

Chosen = Mapping[str, Any]
"""Which engine renders a request: ``chosen``, and of a relit one ``sources``, see `farm.render.catalog.choice`."""


FRESH_S = 30.0
"""How long a choice of the engine holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """The outside of a run, as ports.

    Attributes:
        jobs, runs, batches: three stores on one server, each with a namespace of its own.
        choose: the engine for a normalised request; a pure look at what is baked.
        fingerprints: of a row's views by name: those it may have, see `farm.render.making`.
        paces: how long each kind of picture took here.
        pace: how fast the shop may be written to, and who goes first.
        pieces: what of the batches driven with this kit is under way.
    """

    parts: Parts
    jobs: Store
    runs: Store
    batches: Store
    rows: RowRecords
    book: DesignBook
    designs: DesignSource
    workers: RowWorkers
    service: FarmService
    choose: Callable[[Mapping[str, Any]], Chosen]
    fingerprints: Callable[[Mapping[str, Any]], Mapping[str, tuple[str, ...]]]
    paces: PaceBook
    pace: Pace
    pieces: Pieces = field(default_factory=Pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A row with its request written out.

    Attributes:
        place: its place in the slice.
        request: normalised, see `farm.render.prepare`.
        look: see `farm.render.catalog.look`.
    """

    place: int
    row: Row
    request: Mapping[str, Any]
    template: Mapping[str, str]
    engine: Chosen
    look: str


class Reader:
    """Writes rows' requests out; most rows of a catalogue share theirs, so what was worked out once is kept."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._normalised = lru_cache(maxsize=1024)(self._normalise)

    def wanted(self, place: int, row: Row) -> Wanted:
        """The row, ready to be worked.

        Raises:
            InvalidRequest: when request and template do not go together.
            NotFound: when there is no such template.
        """
        rest = {name: value for name, value in row.request.items() if name != "product_id"}
        # A bake that is made while the run goes on shall be used soon.
        age = int(time.monotonic() / FRESH_S)
        request, template, engine, look = self._normalised(json.dumps(rest, sort_keys=True), age)
        request = {**request, "product_id": row.product_id}
        return Wanted(
            place=place, row=row, request=request, template=template, engine=engine, look=look_of(row.design, look)
        )

    def _normalise(self, text: str, age: int) -> tuple[Mapping[str, Any], Mapping[str, str], Chosen, str]:
        request = parse_request(json.loads(text))
        template = find_template(self._kit.parts.settings.template_folders, request.template)
        normalised = normalise(request, template.placements(request.preset, request.placements, 1))
        facts = {"id": template.id, "version": template.version, "hash": template.hash}
        return normalised, facts, self._kit.choose(normalised), shared_by(normalised)
