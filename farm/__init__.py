"""A render farm for t-shirt product pictures: a design in, six pictures on a product out, or nothing at all.

Names are loaded when they are first used, so that ``import farm.saga`` loads neither Ray nor Blender.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from farm.domain.placement import Placement
    from farm.domain.request import RenderRequest
    from farm.domain.status import Status
    from farm.domain.view import View
    from farm.errors import FarmError
    from farm.render.service import FarmService
    from farm.settings import Settings

__version__ = "0.1.0"
__all__ = ["FarmError", "FarmService", "Placement", "RenderRequest", "Settings", "Status", "View", "__version__"]

_HOME = {
    "FarmError": "farm.errors",
    "FarmService": "farm.render.service",
    "Placement": "farm.domain.placement",
    "RenderRequest": "farm.domain.request",
    "Settings": "farm.settings",
    "Status": "farm.domain.status",
    "View": "farm.domain.view",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
