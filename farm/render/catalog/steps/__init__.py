"""The four steps of a batch, each for all rows at once; what one row meets is that row's.

Every step may run again after a crash at any point: it finds its own earlier effect and does not repeat it.
"""

from farm.render.catalog.steps.accept_rows import AcceptRows
from farm.render.catalog.steps.attach_rows import AttachRows
from farm.render.catalog.steps.finish_rows import FinishRows
from farm.render.catalog.steps.relight_rows import RelightRows

__all__ = ["AcceptRows", "AttachRows", "FinishRows", "RelightRows"]
