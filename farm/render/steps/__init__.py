"""The seven steps of rendering a product, each with its compensation.

Every step may run again after a crash at any point: it finds its own earlier effect and does not repeat it.
"""

from farm.render.steps.associate_media import AssociateMedia
from farm.render.steps.complete_job import CompleteJob
from farm.render.steps.compose_design import ComposeDesign
from farm.render.steps.create_job import CreateJob
from farm.render.steps.render_design import RenderDesign
from farm.render.steps.store_outputs import StoreOutputs
from farm.render.steps.upload_design import UploadDesign

__all__ = [
    "AssociateMedia",
    "CompleteJob",
    "ComposeDesign",
    "CreateJob",
    "RenderDesign",
    "StoreOutputs",
    "UploadDesign",
]
