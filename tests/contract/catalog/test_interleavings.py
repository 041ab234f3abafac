"""Jobs and people change one product in any order; both catalogues show what a simple model says.

The model knows nothing of striking and settling: it does the changes of those who are still there, one after another,
to a plain list.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from redis.asyncio import Redis

from farm.adapters.builtin_catalog import BuiltinCatalog
from farm.adapters.memory_catalog import MemoryCatalog
from farm.adapters.own_catalog import OwnCatalog
from farm.render.ports import Association
from tests.contract.catalog.wanted import PRODUCT, TENANT, by_hand, wanted

COLORS = ("#ffffff", "#000000")
type Row = tuple[str, str, str | None, str | None]  # id, url, job, colour


class Model:
    """Who did what, in order; a job that was taken back is simply no longer there."""

    def __init__(self) -> None:
        self.acts: list[tuple[str, object]] = []
        self.made_by_hand = False

    def rows(self) -> tuple[list[Row], str | None]:
        rows: list[Row] = []
        thumbnail: str | None = None
        for kind, what in self.acts:
            if isinstance(what, Association):
                old = [row for row in rows if what.replace and row[2] and row[3] == what.fabric_color and what.entries]
                place = rows.index(old[0]) if old else len(rows)
                rows = [row for row in rows if row not in old]
                rows[place:place] = [(entry.id, entry.url, what.job_id, what.fabric_color) for entry in what.entries]
                thumbnail = what.thumbnail or thumbnail
            elif kind == "put":
                rows = [row for row in rows if row[0] != what] + [(str(what), f"https://hand/{what}", None, None)]
            elif kind == "remove":
                rows = [row for row in rows if row[0] != what]
            else:
                thumbnail = str(what)
        return rows, thumbnail

    def exists(self) -> bool:
        return self.made_by_hand or bool(self.jobs())

    def jobs(self) -> list[str]:
        return [what.job_id for _, what in self.acts if isinstance(what, Association)]


class Interleavings(RuleBasedStateMachine):
    redis_url: str

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.Runner()
        self.redis: Redis = Redis.from_url(self.redis_url)
        self.catalogs: list[OwnCatalog] = [MemoryCatalog(), BuiltinCatalog(self.redis, f"case-{uuid4().hex}")]
        self.model = Model()
        self.hands = 0
        self.answers: dict[str, tuple[Association, Mapping[str, object]]] = {}

    def teardown(self) -> None:
        self.loop.run(self.redis.aclose())
        self.loop.close()

    @rule(
        color=st.sampled_from(COLORS),
        views=st.sampled_from([("front", "back"), ("front",), ("back",), ()]),
        replaces=st.booleans(),
        shared=st.booleans(),
    )
    def associate(self, color: str, views: tuple[str, ...], replaces: bool, shared: bool) -> None:
        """A new job attaches; with ``shared`` its back view is the picture that others have too."""
        job = f"job{len(self.answers)}"
        urls = {"back": "https://farm/cache/back"} if shared and "back" in views else {}
        want = wanted(job, color=color, views=views, replace=replaces, urls=urls)
        answers = [self.loop.run(catalog.associate(TENANT, PRODUCT, want)) for catalog in self.catalogs]
        assert answers[0] == answers[1]
        old = [row for row in self.model.rows()[0] if replaces and views and row[2] and row[3] == color]
        kept = {row[1]: row[0] for row in reversed(old)}
        entries = tuple(replace(entry, id=kept.get(entry.url, entry.id)) for entry in want.entries)
        assert answers[0]["media_ids"] == [entry.id for entry in entries]
        assert set(answers[0]["superseded"]) == {row[2] for row in old}
        assert answers[0]["created_product"] is not self.model.exists()
        self.model.acts.append(("job", replace(want, entries=entries)))
        self.answers[job] = (want, answers[0])

    @precondition(lambda self: self.model.jobs())
    @rule(data=st.data())
    def associate_again(self, data: st.DataObject) -> None:
        want, answer = self.answers[data.draw(st.sampled_from(self.model.jobs()))]
        for catalog in self.catalogs:
            assert self.loop.run(catalog.associate(TENANT, PRODUCT, want)) == answer

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def dissociate(self, data: st.DataObject) -> None:
        """Any job, also one that went long ago."""
        job = data.draw(st.sampled_from(list(self.answers)))
        for catalog in self.catalogs:
            self.loop.run(catalog.dissociate(TENANT, PRODUCT, job))
        self.model.acts = [
            (kind, what) for kind, what in self.model.acts if not (isinstance(what, Association) and what.job_id == job)
        ]
        if not self.model.exists():
            self.model.acts = []

    @precondition(lambda self: self.model.exists())
    @rule()
    def put_by_hand(self) -> None:
        self.hands += 1
        for catalog in self.catalogs:
            self.loop.run(catalog.put_media(TENANT, PRODUCT, [by_hand(f"h{self.hands}")]))
        self.model.acts.append(("put", f"h{self.hands}"))
        self.model.made_by_hand = True

    @precondition(lambda self: self.model.rows()[0])
    @rule(data=st.data())
    def remove_by_hand(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from([row[0] for row in self.model.rows()[0]]))
        for catalog in self.catalogs:
            self.loop.run(catalog.remove_media(TENANT, PRODUCT, [chosen]))
        self.model.acts.append(("remove", chosen))

    @precondition(lambda self: self.model.exists())
    @rule()
    def thumbnail_by_hand(self) -> None:
        for catalog in self.catalogs:
            self.loop.run(catalog.put_media(TENANT, PRODUCT, [], thumbnail="https://hand/thumbnail"))
        self.model.acts.append(("thumbnail", "https://hand/thumbnail"))

    @invariant()
    def all_show_the_same(self) -> None:
        rows, thumbnail = self.model.rows()
        for catalog in self.catalogs:
            product = self.loop.run(catalog.get_product(TENANT, PRODUCT))
            assert (product is not None) is self.model.exists()
            if product is not None:
                assert [(e.id, e.url, e.job_id, e.fabric_color) for e in product.media] == rows
                assert product.thumbnail == thumbnail
                assert product.created_by == (None if self.model.made_by_hand else self.model.jobs()[0])


@pytest.fixture
def machine(redis_url: str) -> type[Interleavings]:
    Interleavings.redis_url = redis_url
    return Interleavings


def test_any_order_of_jobs_and_people(machine: type[Interleavings]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=100, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
