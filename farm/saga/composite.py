"""The composite: one step made of several, for a saga that is to be a single step with the same effects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from farm.saga.retry import RetryPolicy
from farm.saga.step import Step, StepContext


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a composite came, read from its notes.

    Attributes:
        started: names, in the order of their start.
        outputs: of the finished ones.
        undone: names.
    """

    started: tuple[str, ...]
    outputs: Mapping[str, Mapping[str, Any]]
    undone: frozenset[str]


def progress(notes: Sequence[Mapping[str, Any]]) -> Progress:
    """Read the notes a `Composite` left under its own name (``sub`` is ``None``)."""
    started = dict.fromkeys(note["started"] for note in notes if "started" in note)
    outputs = {note["finished"]: note["output"] for note in notes if "finished" in note}
    return Progress(
        started=tuple(started), outputs=outputs, undone=frozenset(note["undone"] for note in notes if "undone" in note)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """Runs its steps in order within one attempt, and undoes them in reverse within one compensation.

    Each step has its own failpoints and notes (`StepContext.sub`), sees the outputs of those before it, and is not run
    again once it finished: the notes ``{"started": name}``, ``{"finished": name, "output": {…}}`` and
    ``{"undone": name}`` carry that over attempts and crashes.

    Idempotency: that of its steps.
    Compensation: that of every step that started, in reverse.
    """

    name: str
    steps: tuple[Step, ...]
    retry: RetryPolicy
    timeout_s: float
    last: str = ""
    """As `farm.saga.step.SagaDefinition.last`: this step's ``after`` lies behind the pivot."""

    async def run(self, ctx: StepContext) -> Mapping[str, Any]:
        """Run what has not finished; returns the steps' outputs by name."""
        done = progress(ctx.notes)
        outputs = dict(done.outputs)
        for step in self.steps:
            if step.name in outputs:
                continue
            if step.name not in done.started:
                await ctx.note({"started": step.name})
            child = self._child(ctx, step, outputs)
            await child.reach("before")
            output = await step.run(child)
            if step.name != self.last:
                await child.reach("after")
            await ctx.note({"finished": step.name, "output": output})
            outputs[step.name] = output
        return outputs

    async def compensate(self, ctx: StepContext) -> None:
        """Undo whatever started."""
        done = progress(ctx.notes)
        for step in reversed(self.steps):
            # What the saga's creator did is part of the first step's effect, whether or not it began here.
            if (step.name not in done.started and step is not self.steps[0]) or step.name in done.undone:
                continue
            child = self._child(ctx, step, done.outputs)
            await child.reach("before")
            await step.compensate(child)
            await child.reach("after")
            await ctx.note({"undone": step.name})

    def _child(self, ctx: StepContext, step: Step, outputs: Mapping[str, Mapping[str, Any]]) -> StepContext:
        child = ctx.sub(step.name)
        child.outputs = {**ctx.outputs, **outputs}
        return child
