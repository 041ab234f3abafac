"""What was asked for is not there, or no longer."""

from collections.abc import Mapping
from typing import Any

from farm.errors.base import FarmError


class NotFound(FarmError):
    """There is no {kind} {id!r}."""

    code = "not_found"
    hint = "Check the id; list what there is first."

    @classmethod
    def _hint(cls, fields: Mapping[str, Any]) -> str:
        return _LISTS.get(str(fields.get("kind")), cls.hint)


_LISTS = {
    "job": "Check the id; `farm jobs list --find TEXT` finds it by a part of it, or by its product.",
    "product": "Check the id; `farm products list` has all, `farm products create` makes one.",
    "template": "Check the name; `farm template list` has all.",
    "run": "Check the id; `farm catalog list` has all.",
    "webhook": "Check the id; `farm webhooks list` has all.",
    "delivery": "Check the id; `farm webhooks deliveries` has those that are kept.",
    "key": "Check the id; `farm keys list` has all.",
}


class DesignUnknown(NotFound):
    """There is no design {id!r}."""

    code = "design_unknown"
    hint = "Send it by POST /v1/designs: the same file has the same id again, for as long as FARM_DESIGN_DAYS says."

    @classmethod
    def _hint(cls, fields: Mapping[str, Any]) -> str:
        return cls.hint


class DesignDeleted(FarmError):
    """The design {id} was deleted."""

    code = "design_deleted"
    hint = "Send it by POST /v1/designs again if it is to be shown: it gets the same id."


class DesignGone(FarmError):
    """The design of job {job_id} is no longer kept."""

    code = "design_gone"
    hint = "Submit the design again."
