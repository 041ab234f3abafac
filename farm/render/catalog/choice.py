"""The choice of the engine for a row, by what is baked; and the fingerprints that follow from it."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from farm.domain import template as templates
from farm.domain.request import Engine
from farm.render import making
from farm.render.making import Making
from farm.render.ports import ObjectStore
from farm.settings import Settings

LOOK_S = 20.0
"""How long a look at the bakes holds: one that is made meanwhile is found soon enough."""


class Choice:
    """Chooses; blocking, and quick but for a look at the bakes now and then."""

    def __init__(self, settings: Settings, store: ObjectStore) -> None:
        self._settings = settings
        self._store = store
        self._seen: dict[tuple[Any, ...], tuple[float, Making]] = {}

    def __call__(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """``chosen`` for a normalised request, and of a relit one ``sources``: who relights each view.

        Raises:
            BakeMissing, FilmBakeMissing, BakeTooSmall: when relit pictures are asked for and there is no bake for them.
            NotFound: when there is no such template.
        """
        found = self._making(request)
        chosen: dict[str, Any] = {"chosen": found.chosen}
        return chosen | ({"sources": dict(found.sources)} if found.sources else {})

    def _making(self, request: Mapping[str, Any]) -> Making:
        names = ("engine", "template", "size", "aspect", "mode")
        key = (*(request[name] for name in names), tuple(request["views"]))
        now_s = time.monotonic()
        seen = self._seen.get(key)
        if seen is not None and now_s - seen[0] < LOOK_S:
            return seen[1]
        template = templates.find(self._settings.template_folders, request["template"])
        facts = {"id": template.id, "hash": template.hash}
        found = making.choose(self._settings, self._store, request, facts)
        self._seen[key] = (now_s, found)
        return found


def fingerprints_for(settings: Settings) -> Callable[[Mapping[str, Any]], Mapping[str, tuple[str, ...]]]:
    """See `farm.render.catalog.kit.Kit.fingerprints`."""

    def fingerprints(data: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
        engine = data["engine"]
        if engine["chosen"] == Engine.RELIGHT:
            sources = engine.get("sources", {})
            return {
                view: making.relit_fingerprints(data, view, sources.get(view, "unknown"))
                for view in data["request"]["views"]
            }
        return {view: making.traced_fingerprints(settings, data, view) for view in data["request"]["views"]}

    return fingerprints
