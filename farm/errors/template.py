"""Templates and their bakes."""

from typing import Any

from farm.errors.base import FarmError
from farm.errors.request import InvalidRequest


class TemplateBroken(FarmError):
    """Template {template!r} cannot be used: {reason}."""

    code = "template_broken"
    hint = "Run `farm template check {template}`; build or add the template again."


class TemplateRefused(InvalidRequest):
    """{file} cannot become a template: {reason}."""

    code = "template_refused"
    hint = "Mend what is named in Blender, save, and add it again; docs/templates.md has the list."

    def to_dict(self) -> dict[str, Any]:
        """With every reason by itself."""
        return {**super().to_dict(), "reasons": list(self.fields.get("reasons", ()))}


class TemplateChildFailed(FarmError):
    """Blender could not work on the template: {reason}."""

    code = "template_child_failed"
    hint = "Look at what it said last; `farm doctor` tells whether Blender runs here at all."


class BakeMissing(FarmError):
    """There is no bake of {template!r} for {view} at {size_px} px."""

    code = "bake_missing"
    hint = "Run `farm template bake {template}` once (--size for pictures over 1024 px); engine=cycles needs no bake."


class FilmBakeMissing(BakeMissing):
    """There is no bake of {template!r} for a film of {frames} frames at {size_px} px."""

    code = "film_bake_missing"
    hint = "Run `farm template bake {template} --film`, or leave the film to the path tracer with engine=auto."


class BakeTooSmall(FarmError):
    """A picture of {size_px} px cannot be relit from a bake of {baked_px} px."""

    code = "bake_too_small"
    hint = "Bake the template at that size: `farm template bake {template} --size {size_px}`."


class BakeBroken(FarmError):
    """A bake cannot be used: {bake}: {reason}."""

    code = "bake_broken"
    hint = "Bake the template again: `farm template bake {template} --force`."
