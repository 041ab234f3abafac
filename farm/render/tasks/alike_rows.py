"""Rows of one look, done together: a design decoded, its textures composed once, a view of all fabrics in one go."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from blender.protocol import ViewOrder
from farm.domain.artifact import Artifact, Kind
from farm.domain.placement import Placement
from farm.domain.request import Format
from farm.domain.shape import sides_px
from farm.domain.template import Template
from farm.errors import AttemptOvertaken, BadPicture, FarmError, RenderError, describe
from farm.picture.footprint import Footprint, check_visible, inspect
from farm.picture.ink import inspect_ink
from farm.picture.light import linear_rgb
from farm.picture.texture import PanelTexture
from farm.render.catalog.ports import RowsTask
from farm.render.catalog.weather import is_weather
from farm.render.tasks.compose_task import composed, facts_of
from farm.render.tasks.judge import judge_with
from farm.render.tasks.row_bench import RowBench, Taken
from farm.render.tasks.row_state import Fetched, RowState
from farm.render.tasks.view_task import still_order

_warm: set[tuple[Any, ...]] = set()
"""Kinds of pictures that this process has made; their number is bounded by the process's own end."""


class AlikeRows:
    """Some rows of one look.

    Args:
        rows: of the task.
        moved: told the share that is done, 0 to 1.
    """

    def __init__(
        self, task: RowsTask, rows: Sequence[Mapping[str, Any]], bench: RowBench, moved: Callable[[float], None]
    ) -> None:
        self._task = task
        self._rows = rows
        self._bench = bench
        self._moved = moved
        self._request: Mapping[str, Any] = rows[0]["request"]
        self._textures: Sequence[PanelTexture] | None = None
        self._pictures = 0

    def done(self, last: dict[str, Fetched]) -> list[dict[str, Any]]:
        """Do them; the answers.

        Args:
            last: the design that was fetched last, by its address: looks of one design follow each other.
        """
        began_s = time.perf_counter()
        try:
            design = self._fetched(last)
            states = [RowState.of(self._task, row, design, self._bench) for row in self._rows]
            template = self._bench.find(self._rows[0]["template"])
        except FarmError as error:
            if is_weather(error):
                raise
            seconds = round((time.perf_counter() - began_s) / len(self._rows), 5)
            return [{"i": row["i"], "seconds": seconds, "error": describe(error)} for row in self._rows]
        self._spread(states, time.perf_counter() - began_s, of_print=True)
        cold = self._kind(template) not in _warm
        waiting = states
        while waiting:
            waiting = self._wave(waiting, template)
        _warm.add(self._kind(template))
        return [state.answer(len(states), cold=cold) for state in states]

    def _kind(self, template: Template) -> tuple[Any, ...]:
        """Of pictures that need the same light and the same compiled loops."""
        return template.hash, *sides_px(self._request), self._request["format"], *self._request["views"]

    def _fetched(self, last: dict[str, Fetched]) -> Fetched:
        address = self._rows[0]["design"]
        if address not in last:
            fetched = Fetched(*self._bench.designs.fetch(address))
            last.clear()  # one at a time: its pixels may be many
            last[address] = fetched
        return last[address]

    def _wave(self, waiting: Sequence[RowState], template: Template) -> list[RowState]:
        """Finish these rows but for those that want the very pictures another is making; those are returned."""
        for state in waiting:
            with self._own(state):
                if not self._task.force:
                    state.take_kept(self._bench)
        making: set[str] = set()
        now: list[RowState] = []
        later: list[RowState] = []
        for state in (state for state in waiting if state.error is None):
            wanted = {state.fingerprints[view] for view in state.left}
            (later if wanted & making and not self._task.force else now).append(state)
            making |= wanted
        began_s = time.perf_counter()
        ready = [state for state in now if self._prepared(state, template)]
        self._spread(ready, time.perf_counter() - began_s, of_print=True)
        for view in self._request["views"]:
            asking = [state for state in ready if view in state.left]
            if asking:
                began_s, busy_s = time.perf_counter(), time.process_time()
                self._make(view, asking, template)
                self._spread(asking, time.perf_counter() - began_s)
                for state in asking:
                    state.busy_s += (time.process_time() - busy_s) / len(asking)
        return later

    def _prepared(self, state: RowState, template: Template) -> bool:
        """Whether a row's pictures can be made; what is to be known of its print is then known, and it is composed."""
        with self._failing(state):
            # A design that nobody has looked at yet is read even where its pictures are kept: its size tells of what to
            # warn, and is written down with its identity.
            looked_at, *known_px = state.row.get("known") or ("", 0, 0)
            if state.left or looked_at != state.design.sha256:
                height_px, width_px = state.design.decoded(self._bench).pixels.shape[:2]
                known_px = [width_px, height_px]
            state.design_px = (known_px[0], known_px[1])
            state.warnings = _warnings(state, template, self._bench.dpi_floor)
            if state.left and self._textures is None:
                designs = {0: state.design.decoded(self._bench).pixels}
                facts = _facts(template.folder)
                self._textures = list(
                    composed(self._request, designs, template=template.folder, facts=facts, threads=self._bench.threads)
                )
        return state.error is None

    def _make(self, view: str, asking: Sequence[RowState], template: Template) -> None:
        """One view of these rows, shaded together; each is judged and stored by itself."""
        assert self._textures is not None, "it is composed before anything is made"
        taken = self._relit(view, asking, template)
        judge = judge_with(template.folder, self._textures)
        for state in asking:
            with self._failing(state):
                began_s = time.perf_counter()
                picture = _got(view, next(taken, LookupError("the relighter made fewer pictures than were ordered")))
                judgement = judge(picture.data, self._order(view, state, template))
                if judgement.reason:
                    raise BadPicture(view=view, reason=judgement.reason)
                self._keep(view, state, picture, began_s)
            self._pictures += 1
            self._moved(min(1.0, self._pictures / (len(self._rows) * len(self._request["views"]))))

    def _relit(self, view: str, asking: Sequence[RowState], template: Template) -> Iterator[Taken | Exception]:
        """A picture for each row, or what came instead of it; after a failure the rest is made one by one."""
        assert self._textures is not None, "it is composed before anything is made"
        orders = [self._order(view, state, template) for state in asking]
        made = 0
        try:
            for picture in self._bench.relight(orders, template, self._textures):
                made += 1
                yield picture
        except AttemptOvertaken:
            raise
        except (FarmError, ValueError, ArithmeticError, LookupError, OSError) as error:
            if len(asking) == 1:
                yield error
                return
            for state in asking[made:]:
                yield from self._relit(view, [state], template)

    def _order(self, view: str, state: RowState, template: Template) -> ViewOrder:
        return still_order(
            state.row["request"], view, template=template.folder, out=Path(), threads=self._bench.threads, device="cpu"
        )

    def _keep(self, view: str, state: RowState, taken: Taken, began_s: float) -> None:
        bench, form, sides = self._bench, Format(self._request["format"]), sides_px(self._request)
        state.renderer, state.device = taken.renderer, taken.device
        bench.check_lease()
        sha256 = bench.store.put(state.key_of[view], taken.data, content_type=form.content_type)
        bench.store.get(state.key_of[view], sha256=sha256)
        state.show(view, sha256, len(taken.data), cached=False)
        artifact = Artifact(
            kind=Kind.STILL,
            name=view + form.suffix,
            key=state.key_of[view],
            sha256=sha256,
            size_bytes=len(taken.data),
            content_type=form.content_type,
            width_px=sides[0],
            height_px=sides[1],
            view=view,
            fingerprint=state.fingerprints[view],
        )
        seconds = time.perf_counter() - began_s
        bench.results.keep(
            self._task.tenant,
            [state.design.sha256],
            artifact,
            renderer=taken.renderer,
            device=taken.device,
            seconds=seconds,
        )

    # --- what is whose ------------------------------------------------------------------------------------------------

    @contextmanager
    def _own(self, state: RowState) -> Iterator[None]:
        began_s = time.perf_counter()
        with self._failing(state):
            yield
        state.seconds += time.perf_counter() - began_s

    @contextmanager
    def _failing(self, state: RowState) -> Iterator[None]:
        """What is the row's own fails this row, and no other."""
        try:
            yield
        except AttemptOvertaken:
            raise  # nothing of this counts any more
        except FarmError as error:
            if is_weather(error):
                raise
            state.error = describe(error)

    def _spread(self, states: Sequence[RowState], seconds: float, *, of_print: bool = False) -> None:
        """Work that was done for these rows together, in equal parts."""
        for state in states:
            state.seconds += seconds / len(states)
            state.print_s += seconds / len(states) if of_print else 0.0


def _got(view: str, found: Taken | Exception) -> Taken:
    """The picture.

    Raises:
        FarmError: as it came.
        RenderError: for whatever else came.
    """
    if isinstance(found, Taken):
        return found
    if isinstance(found, FarmError):
        raise found
    raise RenderError(view=view, reason=f"{type(found).__name__}: {found}") from found


def _warnings(state: RowState, template: Template, floor_dpi: float) -> list[dict[str, str]]:
    """As `farm.render.prepare` warns of an ordinary job.

    Raises:
        LowResolution: under the operator's floor; PrintOffCloth: when no print would show.
    """
    request, pixels = state.row["request"], state.design.pixels
    notes = () if pixels is None else pixels.warnings
    fabric = linear_rgb(request["fabric_color"])
    placements = [Placement.model_validate(data) for data in request["placements"]]
    prints = [(Footprint.of(one, *state.design_px), template.panels[one.panel]) for one in placements]
    check_visible(prints)
    found = [{"pointer": "/designs/0", "code": note.code, "message": note.message} for note in notes]
    for number, (placement, (footprint, panel)) in enumerate(zip(placements, prints, strict=True)):
        for notice in (*inspect(footprint, panel, floor_dpi=floor_dpi), *inspect_ink(placement, fabric)):
            found.append({"pointer": f"/placements/{number}", "code": notice.code, "message": notice.message})
    return found


@lru_cache(maxsize=8)
def _facts(template: Path) -> Mapping[str, Any]:
    return facts_of(template)
