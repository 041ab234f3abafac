"""Looks at the machine and the settings before a job does: each check says what it found and what to do about it.

A check never raises and never changes anything that outlives it.
"""

import os
from collections.abc import Callable, Mapping

from farm.doctor import machine, parts
from farm.doctor.check import Check
from farm.doctor.cluster import check_cluster
from farm.errors import FarmError
from farm.settings import Settings

__all__ = ["Check", "check_cluster", "run_checks"]


def run_checks(settings: Settings, environ: Mapping[str, str] | None = None) -> list[Check]:
    """All checks, in the order in which a person should mend what they find. Takes a few seconds."""
    environ = os.environ if environ is None else environ
    looks: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("python", machine.check_python),
        ("bytecode", lambda: machine.check_bytecode(environ)),
        ("libraries", machine.check_libraries),
        ("blender", machine.check_blender),
        ("ray", lambda: machine.check_ray(environ)),
        ("open files", machine.check_open_files),
        ("memory", machine.check_memory),
        ("shared memory", machine.check_shared_memory),
        ("home", lambda: parts.check_home(settings)),
        ("disk", lambda: parts.check_disk(settings)),
        ("store", lambda: parts.check_store(settings)),
        ("storage", lambda: parts.check_storage(settings)),
        ("templates", lambda: parts.check_templates(settings)),
        ("failpoints", lambda: parts.check_failpoints(settings)),
    )
    return [_look(name, look) for name, look in looks]


def _look(name: str, look: Callable[[], Check]) -> Check:
    try:
        return look()
    except FarmError as error:
        return Check(name=name, ok=False, detail=error.message, hint=error.hint)
    except Exception as error:  # a doctor who falls over himself helps nobody: the fault is the finding
        return Check(name=name, ok=False, detail=f"{type(error).__name__}: {error}", hint="Report this as a bug.")
