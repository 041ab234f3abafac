"""Jobs for render workers: small, cheap pictures of the real garment."""

import io
import itertools
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from PIL import Image, ImageDraw

from farm.domain import keys
from farm.domain.ids import new_job_id, new_token
from farm.domain.request import parse_request
from farm.domain.template import find
from farm.domain.view import View
from farm.render.ports import ComposeTask, ObjectStore, TextureRef, ViewTask
from farm.render.prepare import normalise
from farm.settings import Settings

_NUMBERS = itertools.count()


class Jobs:
    """Makes the tasks of one job after another."""

    def __init__(self, store: ObjectStore, settings: Settings) -> None:
        self.store = store
        self.settings = settings

    def compose(self, **wanted: Any) -> ComposeTask:
        """A job's composing, its design stored: red with a white bar, so that no symmetry hides a mistake."""
        job_id = new_job_id(int(time.time() * 1000) + next(_NUMBERS))
        design = Image.new("RGBA", (300, 360), "#d01020")
        ImageDraw.Draw(design).rectangle((30, 40, 140, 320), fill="white")
        out = io.BytesIO()
        design.save(out, "PNG")
        key = keys.design("default", job_id, 0)
        sha256 = self.store.put(key, out.getvalue(), content_type="image/png")
        request = parse_request({"size": 96, "samples": 1, **wanted})
        template = find(self.settings.template_folders, request.template)
        placements = template.placements(request.preset, request.placements, 1)
        return ComposeTask(
            tenant="default",
            job_id=job_id,
            token=f"compose-{new_token()}",
            request=normalise(request, placements),
            designs=({"key": key, "sha256": sha256},),
        )

    def view(
        self, composed: ComposeTask, textures: Sequence[TextureRef], view: View = View.FRONT, **changed: Any
    ) -> ViewTask:
        task = ViewTask(
            tenant=composed.tenant,
            job_id=composed.job_id,
            token=new_token(),
            view=view,
            attempt=1,
            request=composed.request,
            textures=tuple(textures),
            deadline_s=self.settings.view_timeout_s,
        )
        return replace(task, **changed)
