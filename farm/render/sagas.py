"""The two sagas of a job: the same seven steps, journaled one by one or as one step of the engine."""

from collections.abc import Mapping
from typing import Any

from farm.domain.request import SagaKind
from farm.render.steps import (
    AssociateMedia,
    CompleteJob,
    ComposeDesign,
    CreateJob,
    RenderDesign,
    StoreOutputs,
    UploadDesign,
)
from farm.render.steps.null import null_steps
from farm.render.steps.parts import Parts
from farm.saga.composite import Composite
from farm.saga.retry import RetryPolicy
from farm.saga.step import SagaDefinition, Step

SIMPLE_STEP = "render_product"


class Sagas:
    """Says which saga a job follows."""

    def __init__(self, parts: Parts) -> None:
        settings = parts.settings
        steps: tuple[Step, ...] = (
            CreateJob(parts),
            UploadDesign(parts),
            ComposeDesign(parts),
            RenderDesign(parts),
            StoreOutputs(parts),
            AssociateMedia(parts),
            CompleteJob(parts),
        )
        if settings.null_effects:
            steps = null_steps(steps)
        undo = RetryPolicy(
            max_attempts=settings.compensation_attempts,
            base_s=settings.backoff_base_s,
            max_wait_s=settings.backoff_max_s,
        )
        last = steps[-1].name
        simple = Composite(
            name=SIMPLE_STEP,
            steps=steps,
            retry=parts.retry,
            timeout_s=settings.render_timeout_s + 6 * settings.step_timeout_s,
            last=last,
        )
        self._sagas = {
            SagaKind.GRANULAR: SagaDefinition(
                name=SagaKind.GRANULAR, steps=steps, last=last, deadline_s=settings.job_deadline_s, undo_retry=undo
            ),
            SagaKind.SIMPLE: SagaDefinition(
                name=SagaKind.SIMPLE, steps=(simple,), last=last, deadline_s=settings.job_deadline_s, undo_retry=undo
            ),
        }

    def of(self, request: Mapping[str, Any]) -> SagaDefinition:
        """The saga a normalised request asks for."""
        return self._sagas[SagaKind(request["saga"])]
