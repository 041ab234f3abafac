"""Extras: film and model. One that cannot be made is left out with a warning and costs no good picture."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from farm.domain.fingerprint import MODEL
from farm.errors import FarmError, describe
from farm.render.trail import FILM, LEFT_OUT
from farm.saga.step import StepContext

_SAID = {FILM: ("/mode", "the film"), MODEL: ("/model", "the 3D model")}


class Extras:
    """The extras of one attempt of a job's rendering.

    Args:
        kept: whether there is a picture that the job can end with.
    """

    def __init__(self, ctx: StepContext, *, kept: bool) -> None:
        self._ctx = ctx
        self._kept = kept
        self._made: list[dict[str, Any]] = []
        self._left_out = {note["extra"]: note["error"] for note in ctx.notes if note.get("event") == LEFT_OUT}
        self._unsaid: dict[str, dict[str, Any]] = {}
        self._error: FarmError | None = None

    async def make(self, extra: str, make: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        """Make one, or note that it is left out."""
        if extra in self._left_out:
            return
        try:
            self._made.append(await make())
        except FarmError as error:
            self._error = self._error or error
            self._unsaid[extra] = describe(error)
        await self._say()

    async def whole(self) -> list[dict[str, Any]]:
        """The artifacts of those that were made.

        Raises:
            FarmError: what the first one met, when a job ends up with nothing at all.
        """
        if self._error is not None and not self._worth_ending:
            raise self._error
        await self._say()
        return self._made

    @property
    def _worth_ending(self) -> bool:
        return self._kept or bool(self._made)

    async def _say(self) -> None:
        """Note what is left out, once it is certain that the job does without it."""
        while self._worth_ending and self._unsaid:
            extra, error = self._unsaid.popitem()
            await self._ctx.note({"event": LEFT_OUT, "extra": extra, "error": error})
            self._left_out[extra] = error

    def told(self) -> dict[str, Any]:
        """The warnings, as the step puts them out; nothing where nothing was left out."""
        warnings = [_warning(extra, error) for extra, error in self._left_out.items()]
        return {"warnings": warnings} if warnings else {}


def _warning(extra: str, error: Mapping[str, Any]) -> dict[str, Any]:
    pointer, what = _SAID[extra]
    message = f"{what} could not be made and is left out: {error['message']}"
    return {"pointer": pointer, "code": LEFT_OUT, "message": message}
