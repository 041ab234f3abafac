"""The plan of a run: every row validated, what is done already told apart, time and cost estimated; nothing changed."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from farm.errors import FarmError, describe
from farm.render.bulkhead import blocking
from farm.render.catalog.identities import ASK_S, identities
from farm.render.catalog.kit import Kit, Reader, Wanted
from farm.render.catalog.ports import KnownDesign
from farm.render.catalog.row import Fault, Row
from farm.render.catalog.slice import is_relit, normalised_identity
from farm.render.catalog.slices import slices_of
from farm.render.catalog.standing import standing_job
from farm.render.catalog.steps.relight_rows import PIECE_ROWS
from farm.render.catalog.weather import is_weather
from farm.render.estimate import HOUR_S, USUAL, core_seconds

CHUNK_ROWS = 500
MOST_KEPT = 500_000
"""Fingerprints of kept pictures that a plan holds in memory, some 60 MB; what is beyond counts as to be rendered."""
KEPT_FAULTS = 100
"""Faults shown with a plan; all of them go to whoever listens."""


@dataclass(slots=True, kw_only=True)
class Plan:
    """What a run of the manifest would do.

    Attributes:
        lines: of the manifest.
        rows: to be done; one line can ask for several.
        bad: rows that cannot be done, with ``codes`` saying why and the first of them in ``faults``.
        unchanged: rows whose product shows the very pictures already.
        to_render: the others, unknown remote designs included.
        unknown: rows whose design is remote and was not looked at.
        views: pictures to render.
        kept: pictures of these rows that were made before and are in the result cache; not among ``views``.
        core_s: estimated core seconds of the work.
        seconds: estimated on ``cores`` cores.
        cost: of the core seconds, by ``FARM_PRICE_CPU_HOUR``, in ``currency``.
    """

    lines: int = 0
    rows: int = 0
    bad: int = 0
    unchanged: int = 0
    to_render: int = 0
    unknown: int = 0
    views: int = 0
    kept: int = 0
    products: int = 0
    engines: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    core_s: float = 0.0
    cores: int = 1
    seconds: float = 0.0
    cost: float = 0.0
    currency: str = ""
    faults: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "engines": dict(self.engines),
            "codes": dict(self.codes.most_common()),
            "core_s": round(self.core_s, 1),
            "seconds": round(self.seconds, 1),
            "cost": round(self.cost, 4),
        }


class Planner:
    """Plans one manifest.

    Args:
        remote: whether servers may be asked which version of a design they have.
        on_fault: told of every fault.
        on_rows: told how many rows were looked at.
    """

    def __init__(
        self,
        kit: Kit,
        *,
        tenant: str,
        cores: int,
        remote: bool = False,
        force: bool = False,
        on_fault: Callable[[Fault], None] = lambda fault: None,
        on_rows: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._kit = kit
        self._reader = Reader(kit)
        self._tenant = tenant
        self._remote = remote
        self._force = force
        self._on_fault = on_fault
        self._on_rows = on_rows
        self._plan = Plan(cores=max(1, cores))
        self._last_product: str | None = None
        self._kept: set[str] = set()
        self._asked_s = 0.0
        self._paces = USUAL

    async def plan(self, items: Iterable[Row | Fault]) -> Plan:
        """Look at every row; memory is bounded by a chunk of them."""
        self._paces = await self._kit.paces.read()
        if not self._force:
            self._kept = await blocking(self._kit.parts.results.names, self._tenant, MOST_KEPT)
        chunks = slices_of(iter(items), CHUNK_ROWS)
        while (chunk := await blocking(lambda: next(chunks, None))) is not None:
            rows: list[Row] = []
            for item in chunk:
                if isinstance(item, Row):
                    rows.append(item)
                else:
                    self._bad(item)
            await self._look(rows)
            self._plan.rows += len(chunk)
            self._plan.lines = max(self._plan.lines, chunk[-1].number)
            self._on_rows(self._plan.rows)
        plan = self._plan
        plan.seconds = self._paces.run_s(plan.core_s, plan.cores, plan.to_render)
        plan.cost = plan.core_s / HOUR_S * self._kit.parts.settings.price_cpu_hour
        plan.currency = self._kit.parts.settings.currency
        return plan

    async def _look(self, rows: list[Row]) -> None:
        wanted: dict[int, Wanted] = {}
        known_as: dict[int, str] = {}
        unknown: set[int] = set()
        began_s = time.monotonic()
        addresses = [row.design for row in rows]
        told = await identities(
            self._kit.designs, self._tenant, addresses, remote=self._remote, ask_s=ASK_S - self._asked_s
        )
        self._asked_s += time.monotonic() - began_s
        for place, row in enumerate(rows):
            identity = told[row.design]
            try:
                one = self._reader.wanted(place, row)
            except FarmError as error:
                if is_weather(error):
                    raise
                self._bad(_fault(row, describe(error)))
                continue
            if isinstance(identity, FarmError):
                self._bad(_fault(row, describe(identity)))
                continue
            wanted[place] = one
            if identity is None:
                unknown.add(place)
            else:
                known_as[place] = identity if is_relit(one) else normalised_identity(identity)
        known = {} if self._force else await self._known(known_as)
        standing = await self._standing(wanted, known)
        alike = Counter(one.look for place, one in wanted.items() if place not in standing)
        for place, one in wanted.items():
            unchanged = place in standing
            kept = 0 if unchanged else self._kept_views(one, known.get(place))
            self._count(one, unchanged=unchanged, unknown=place in unknown, kept=kept, alike=alike[one.look])

    def _kept_views(self, one: Wanted, known: KnownDesign | None) -> int:
        """How many of a row's pictures are in the result cache."""
        if not self._kept or known is None:
            return 0
        data = {
            "tenant": self._tenant,
            "request": one.request,
            "designs": [{"sha256": known.sha256}],
            "template": one.template,
            "engine": one.engine,
        }
        return sum(not self._kept.isdisjoint(found) for found in self._kit.fingerprints(data).values())

    async def _known(self, identities: Mapping[int, str]) -> dict[int, KnownDesign]:
        found = await self._kit.book.look_up(self._tenant, list(identities.values()))
        return {place: known for place, known in zip(identities, found, strict=True) if known is not None}

    async def _standing(self, wanted: Mapping[int, Wanted], known: Mapping[int, KnownDesign]) -> set[int]:
        places = [place for place in known if place in wanted and wanted[place].row.product_id is not None]
        jobs = await asyncio.gather(
            *(standing_job(self._kit, wanted[one], known[one], self._tenant, look=False) for one in places)
        )
        return {place for place, job in zip(places, jobs, strict=True) if job is not None}

    def _count(self, one: Wanted, *, unchanged: bool, unknown: bool, kept: int, alike: int) -> None:
        plan, request = self._plan, one.request
        if one.row.product_id != self._last_product:  # lines of one product stand together
            self._last_product = one.row.product_id
            plan.products += one.row.product_id is not None
        if unchanged:
            plan.unchanged += 1
            return
        chosen = str(one.engine["chosen"])
        plan.to_render += 1
        plan.unknown += unknown
        plan.engines[chosen] += 1
        plan.kept += kept
        plan.views += len(request["views"]) - kept
        # Rows of one look are done together, as many as go into a piece of work.
        together = min(alike, PIECE_ROWS) if is_relit(one) else 1
        plan.core_s += core_seconds(
            chosen,
            request,
            len(request["views"]) - kept,
            paces=self._paces,
            shared=together > 1,
            prints=1 / max(1, together),
        )

    def _bad(self, fault: Fault) -> None:
        plan = self._plan
        if fault.number == 0:
            plan.codes[fault.code] += 1
        else:
            plan.bad += 1
            plan.codes[fault.code] += 1
        if len(plan.faults) < KEPT_FAULTS:
            plan.faults.append(fault.to_dict())
        self._on_fault(fault)


def _fault(row: Row, error: Mapping[str, Any]) -> Fault:
    column = "design" if str(error["code"]).startswith(("design", "fetch")) else None
    return Fault(
        number=row.number,
        variant=row.variant,
        product_id=row.product_id,
        column=column,
        code=str(error["code"]),
        message=str(error["message"]),
        hint=str(error["hint"]),
    )
